"""Lines of results, of which a class has thousands that differ in nothing but whose they are and what they took.

What they say is read once; then a line costs a look at its ends, and all that are alike have one result.
"""

from __future__ import annotations

import functools
import json
import re

from grader.model import CheckResult, Took
from grader.results.journal import result_of
from grader.thresholds import FIGURES

MOST = 4096  # lines that are kept, none of them longer than
LONGEST = 8192  # bytes: a curve is longer, and repeats nowhere

# The end as we write it. No text has a quote that is not escaped, so these are the result's own fields.
_TOOK = b',"observation":"'
_END = re.compile(rb'([0-9a-f]*)","seconds":(\d+\.\d+(?:e-\d+)?)(,"sentence":"[^"\\]*"\}\})')


def beginning(key: str) -> bytes:
    """How the lines of a submission's results begin."""
    return b'{"kind":"result","key":%b,"stamp":' % json.dumps(key, ensure_ascii=False).encode("utf-8", "replace")


def read_result(line: bytes, begun: bytes) -> tuple[CheckResult, Took] | None:
    """The result of a line that begins so, and what it took, which the result leaves out.

    None for another line, or one that must be read as a whole. Raises ValueError for a damaged one.
    """
    if len(line) > LONGEST or not line.startswith(begun):
        return None
    end = line.rfind(_TOOK)
    found = _END.fullmatch(line, end + len(_TOOK)) if end > 0 else None
    if found is None:
        return None
    observation, seconds, behind = found.groups()
    result = _said(line[len(begun) : end], behind)
    return None if result is None else (result, (observation.decode(), float(seconds)))


@functools.lru_cache(maxsize=MOST)
def _said(before: bytes, behind: bytes) -> CheckResult | None:
    """The result of all lines that say so; None for a training, of which no other says the same."""
    result = result_of(json.loads(b'{"stamp":%b%b' % (before, behind))["result"])
    return None if FIGURES in result.figures else result
