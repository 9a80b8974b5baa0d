"""Lines of results, of which a class has thousands that differ in nothing but whose they are and what they took.

What they say is read once; then a line costs a look at its ends, and its result shares every text with those like it.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable

from grader.model import CheckResult, fields_of
from grader.results.journal import result_of

MOST = 4096  # lines that are kept, none of them longer than
LONGEST = 8192  # bytes: a curve is longer, and repeats nowhere

# The end as we write it. No text has a quote that is not escaped, so these are the result's own fields.
_TOOK = b',"observation":"'
_END = re.compile(rb'([0-9a-f]*)","seconds":(\d+\.\d+(?:e-\d+)?)(,"sentence":"[^"\\]*"\}\})')


def beginning(key: str) -> bytes:
    """How the lines of a submission's results begin."""
    return b'{"kind":"result","key":%b,"stamp":' % json.dumps(key, ensure_ascii=False).encode("utf-8", "replace")


def read_result(line: bytes, begun: bytes) -> tuple[str, CheckResult] | None:
    """The stamp and the result of a line that begins so; None for another one, or one that must be read as a whole.

    Raises ValueError for a damaged one.
    """
    if len(line) > LONGEST or not line.startswith(begun):
        return None
    end = line.rfind(_TOOK)
    found = _END.fullmatch(line, end + len(_TOOK)) if end > 0 else None
    if found is None:
        return None
    observation, seconds, behind = found.groups()
    stamp, made = _said(line[len(begun) : end], behind)
    return stamp, made(observation=observation.decode(), seconds=float(seconds))


@functools.lru_cache(maxsize=MOST)
def _said(before: bytes, behind: bytes) -> tuple[str, Callable[..., CheckResult]]:
    record = json.loads(b'{"stamp":%b%b' % (before, behind))
    return record["stamp"], functools.partial(CheckResult, **fields_of(result_of(record["result"])))
