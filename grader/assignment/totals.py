"""Declared points against the sums of the items: of the assignment, of each question, of each track."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from grader.assignment.assignment import Assignment, Item
from grader.assignment.types import Reading

Counts = Callable[[Item], bool]


def check_totals(assignment: Assignment, reading: Reading) -> None:
    """Note every declared total that its items do not add up to, with the sum that was made."""
    everything = [item for item in assignment.items if not item.extra_credit]
    if _worth(assignment, everything) != assignment.total:
        line = reading.line("total")
        reading.bad(line, _message("total", assignment.total, _by_question(assignment, everything)))
    for index, question in enumerate(assignment.questions):
        own = [item for item in assignment.items if item.question == question.id]
        regular = [item for item in own if not item.extra_credit] or own
        if question.points is not None and _worth(assignment, regular) != question.points:
            line = reading.line("questions", index, "points")
            reading.bad(line, _message(f"question {question.id}", question.points, _by_item(assignment, regular)))
    for index, track in enumerate(assignment.tracks):
        left_out = {*track.without, *track.extra_credit}
        regular = [item for item in everything if item.id not in left_out]
        if _worth(assignment, regular) != track.points:
            line = reading.line("tracks", index, "points")
            reading.bad(line, _message(f"track {track.id}", track.points, _by_question(assignment, regular)))


def _worth(assignment: Assignment, items: Sequence[Item]) -> Decimal:
    """The most that these items can earn together: replaced once, the best of each choice, capped."""
    points = {item.id: item.points for item in items if item.replaces is None}
    for choice in assignment.choices:
        among = sorted((name for name in choice.items if name in points), key=lambda name: -points[name])
        for name in among[choice.count :]:
            points[name] = Decimal(0)
    total = sum(points.values(), Decimal(0))
    for cap in assignment.caps:
        inside = sum((points[name] for name in cap.items if name in points), Decimal(0))
        total -= max(inside - cap.points, Decimal(0))
    return total


def _by_question(assignment: Assignment, items: Sequence[Item]) -> list[tuple[str, Decimal]]:
    sums = []
    for question in assignment.questions:
        own = [item for item in items if item.question == question.id]
        if own:
            sums.append((question.id, _worth(assignment, own)))
    whole = _worth(assignment, items)
    rest = whole - sum((points for _, points in sums), Decimal(0))
    return sums if rest == 0 else [*sums, ("choices and caps across questions", rest)]


def _by_item(assignment: Assignment, items: Sequence[Item]) -> list[tuple[str, Decimal]]:
    sums = [(item.id, item.points) for item in items if item.replaces is None]
    rest = _worth(assignment, items) - sum((points for _, points in sums), Decimal(0))
    return sums if rest == 0 else [*sums, ("choices and caps", rest)]


def _message(what: str, declared: Decimal, sums: Iterable[tuple[str, Decimal]]) -> str:
    listed = list(sums)
    total = sum((points for _, points in listed), Decimal(0))
    terms = " + ".join(f"{points} ({name})" for name, points in listed) or "nothing"
    return f"{what}: {declared} points are declared, but the items add up to {total} = {terms}"
