"""A report in outline: what the tables of a class, and the terminal, show of it, without texts and evidence.

A class of thousands fits in memory that way, and passes from process to process in no time.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from decimal import Decimal

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
