"""Lines that a class has thousands of, but for the time that they took: what is made of them is made once.

What is kept is made from the key alone, so a line's text cannot hold anything that the key leaves out.
"""

from __future__ import annotations

from dataclasses import fields
from decimal import Decimal
from operator import attrgetter
from typing import Any

from grader.model import CheckResult, Line

MOST = 4096  # lines whose texts are kept
Key = tuple[Any, ...]


def _fields(kind: type[Line] | type[CheckResult], *without: str) -> tuple[str, ...]:
    return tuple(entry.name for entry in fields(kind) if entry.name not in without)


_POINTS = ("maximum", "earned", "score")
_SAID = _fields(Line, *_POINTS, "result")
# All but figures, and what differs every time: the observation's digest and the seconds.
_JUDGED = _fields(CheckResult, "figures", "observation", "seconds")
_said, _points, _judged = attrgetter(*_SAID), attrgetter(*_POINTS), attrgetter(*_JUDGED)


def key_of(line: Line) -> Key | None:
    """The line but for observation and seconds, to be hashed; None for one with figures, which repeat nowhere.

    Points are text in it: equal numbers may be written in two ways.
    """
    result = line.result
    points = [None if value is None else str(value) for value in _points(line)]
    if result is None:
        return (*_said(line), *points)
    return None if result.figures else (*_said(line), *points, *_judged(result))


def line_of(key: Key) -> Line:
    """The line of a key."""
    rest = len(_SAID) + len(_POINTS)
    points = [None if text is None else Decimal(text) for text in key[len(_SAID) : rest]]
    result = CheckResult(**dict(zip(_JUDGED, key[rest:], strict=True))) if len(key) > rest else None
    said = zip((*_SAID, *_POINTS), (*key[: len(_SAID)], *points), strict=True)
    return Line(**dict(said), result=result)
