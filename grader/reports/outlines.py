"""A report in outline: what the tables of a class, and the terminal, show of it, without texts and evidence.

A class of thousands fits in memory that way, and passes from process to process in no time.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from grader.model import CheckResult, Line, LineState, Report
from grader.once import Once
from grader.reports.words import MISSED


def outline(report: Report) -> Report:
    """The report with states, points and sentences for staff; lines that say the same are one."""
    return replace(
        report,
        lines=tuple([_outlined_once(line) for line in report.lines]),
        took={},
        applied=tuple(replace(entry, violations=()) for entry in report.applied),
        notes=(),
        protections={},
        versions={},
        handed_in=(),
    )


def _outlined(line: Line) -> Line:
    reason = line.result.reason if line.result is not None and line.state in MISSED else ""
    return _line(
        line.item, line.title, line.question, line.state, line.maximum, line.earned, line.score, line.counted,
        line.extra_credit, reason,
    )  # fmt: skip


_outlined_once = Once(_outlined)


def line_said(line: Line) -> list[object]:
    """A line of an outline as JSON data."""
    reason = line.result.reason if line.result is not None else ""
    return [getattr(line, name) for name in _TEXTS] + [_text(getattr(line, name)) for name in _POINTS] + [reason]


def line_from(said: Sequence[Any]) -> Line:
    """The line of which `line_said` said so."""
    texts, points = said[: len(_TEXTS)], said[len(_TEXTS) : -1]
    given = dict(zip(_TEXTS, texts, strict=True)) | {
        name: None if text is None else Decimal(text) for name, text in zip(_POINTS, points, strict=True)
    }
    return _line(**given, reason=said[-1])


_TEXTS, _POINTS = ("item", "title", "question", "state", "counted", "extra_credit"), ("maximum", "earned", "score")


def _text(value: Decimal | None) -> str | None:
    return None if value is None else str(value)


@functools.lru_cache(maxsize=100_000)
def _line(
    item: str,
    title: str,
    question: str,
    state: LineState,
    maximum: Decimal,
    earned: Decimal | None,
    score: Decimal | None,
    counted: bool,
    extra_credit: bool,
    reason: str,
) -> Line:
    return Line(
        item=item,
        title=title,
        question=question,
        state=state,
        maximum=maximum,
        earned=earned,
        score=score,
        counted=counted,
        extra_credit=extra_credit,
        result=CheckResult(item=item, status="failed", reason=reason) if reason else None,
    )
