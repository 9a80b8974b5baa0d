"""Lines that a class has thousands of, but for the time that they took: what is made of them is made once.

What is kept is made from the key alone, so a line's text cannot hold anything that the key leaves out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import fields
from decimal import Decimal
from operator import attrgetter
from typing import Any, TypeVar

from grader.model import CheckResult, Line, Report
from grader.once import Once
from grader.thresholds import FIGURES

MOST = 4096  # lines that are kept with what was made of them
Key = tuple[Any, ...]
Made = TypeVar("Made")


class Said:
    """A line without observation and seconds, and what was made of it."""

    __slots__ = ("_made", "line")

    def __init__(self, line: Line) -> None:
        self.line = line
        self._made: dict[Callable[[Line], object], Any] = {}

    def made(self, make: Callable[[Line], Made]) -> Made:
        """What `make` makes of the line, which must not hang on anything else."""
        if make not in self._made:
            self._made[make] = make(self.line)
        found: Made = self._made[make]
        return found


def said_of(report: Report) -> dict[str, Said | None]:
    """Of every item of a report what its line says; None for a training, whose figures repeat nowhere."""
    return {line.item: _said_by_line(line) for line in report.lines}


def _said_of(line: Line) -> Said | None:
    key = _key(line)
    return None if key is None else _said(*key)


_said_by_line = Once(_said_of)


@functools.lru_cache(maxsize=MOST, typed=True)
def _said(*key: object) -> Said:
    return Said(_line(key))


class _Figures(str):
    """Figures as text, by which they are compared."""

    __slots__ = ("values",)
    values: Mapping[str, object]


def _figures(values: Mapping[str, object]) -> str:
    if not values:
        return ""
    text = _Figures(values)
    text.values = values
    return text


def _fields(kind: type[Line] | type[CheckResult], *without: str) -> tuple[str, ...]:
    return tuple(entry.name for entry in fields(kind) if entry.name not in without)


_POINTS = ("maximum", "earned", "score")
_SAID = _fields(Line, *_POINTS, "result")
# All but figures, and what differs every time: the observation's digest and the seconds.
_JUDGED = _fields(CheckResult, "figures", "observation", "seconds")
_said_words, _points_of, _judged_of = attrgetter(*_SAID), attrgetter(*_POINTS), attrgetter(*_JUDGED)


def _key(line: Line) -> Key | None:
    """The line but for observation and seconds, to be hashed.

    Points are text in it: equal numbers may be written in two ways.
    """
    result = line.result
    points = [None if value is None else str(value) for value in _points_of(line)]
    if result is None:
        return (*_said_words(line), *points)
    if FIGURES in result.figures:
        return None
    return (*_said_words(line), *points, *_judged_of(result), _figures(result.figures))


def _line(key: Key) -> Line:
    """The line of a key."""
    rest = len(_SAID) + len(_POINTS)
    points = [None if text is None else Decimal(text) for text in key[len(_SAID) : rest]]
    said = dict(zip((*_SAID, *_POINTS), (*key[: len(_SAID)], *points), strict=True))
    if len(key) == rest:
        return Line(**said)
    *judged, figures = key[rest:]
    values = figures.values if isinstance(figures, _Figures) else {}
    return Line(**said, result=CheckResult(**dict(zip(_JUDGED, judged, strict=True)), figures=values))
