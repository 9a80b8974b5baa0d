"""Of several attempts of the same people the one that counts, by the manifest's rule, and what is said of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from grader.assignment.assignment import Counts
from grader.model import Attempt, Graded, Report
from grader.text import one_line
from grader.wording import points

_RULES: dict[Counts, str] = {
    "last": "the last counts",
    "best": "the best counts",
    "active": "the one that the platform calls active counts",
    "last_on_time": "the last on time counts",
}


@dataclass(frozen=True)
class Scored:
    """An attempt and its report."""

    graded: Graded
    report: Report


def counted(attempts: Sequence[Scored], rule: Counts) -> Report:
    """The report of the attempt that counts; of several it lists all, and says where another one did better."""
    if len(attempts) == 1:
        return attempts[0].report
    chosen, used = _chosen(attempts, rule)
    listed = tuple(_attempt(entry) for entry in sorted(attempts, key=lambda entry: entry.graded.attempt))
    number = chosen.graded.attempt
    note = f"there are {len(attempts)} attempts; number {number} is graded here, because {_RULES[used]}"
    return replace(
        chosen.report,
        notes=(*chosen.report.notes, note),
        attention=(*_looks(chosen, attempts, used), *chosen.report.attention),
        attempt=number,
        attempts=listed,
    )


def _chosen(attempts: Sequence[Scored], rule: Counts) -> tuple[Scored, Counts]:
    """The attempt, and the rule that decided. What could not be taken in counts only where nothing else is there."""
    readable = [entry for entry in attempts if not entry.graded.refused] or list(attempts)
    if rule == "best":
        return max(readable, key=lambda entry: (_points(entry.report), -entry.report.late_days, _when(entry))), rule
    if rule == "active":
        active = [entry for entry in readable if entry.graded.active]
        if active:
            return max(active, key=_when), rule
        rule = "last_on_time"
    if rule == "last_on_time":
        return max(readable, key=lambda entry: (not entry.report.late, _when(entry))), rule
    return max(readable, key=_when), rule


def _points(report: Report) -> tuple[Decimal, Decimal]:
    """What is reached, then what still may be: an attempt that was not finished has nothing yet."""
    return (Decimal(-1), Decimal(0)) if report.unfinished else (report.score, report.open_points)


def _when(entry: Scored) -> tuple[float, int]:
    """Times where they are known, else the order in which the attempts were taken in."""
    try:
        moment = datetime.fromisoformat(entry.graded.submitted_at or "").timestamp()
    except (ValueError, OverflowError, OSError):
        moment = float("-inf")
    return moment, entry.graded.attempt


def _attempt(entry: Scored) -> Attempt:
    return Attempt(
        number=entry.graded.attempt,
        key=entry.graded.key,
        score=None if entry.report.unfinished else entry.report.score,
        open_points=entry.report.open_points,
        submitted_at=entry.graded.submitted_at,
        late=entry.report.late,
        refused=bool(entry.graded.refused),
    )


def _looks(chosen: Scored, attempts: Sequence[Scored], rule: Counts) -> list[str]:
    """A drop against another attempt, and a later one that could not be taken in."""
    found = []
    others = [entry for entry in attempts if entry is not chosen]
    best = max(others, key=lambda entry: _points(entry.report))
    if not chosen.report.unfinished and _points(best.report)[0] > chosen.report.score:
        found.append(
            f"Attempt {chosen.graded.attempt} counts ({_RULES[rule]}) with {points(chosen.report.score)} points; "
            f"attempt {best.graded.attempt} has {points(best.report.score)}."
        )
    for entry in others:
        if entry.graded.refused and entry.graded.attempt > chosen.graded.attempt:
            found.append(f"The later attempt {entry.graded.attempt} was refused: {one_line(entry.graded.refused, 300)}")
    return found
