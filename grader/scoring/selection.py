"""The final points: which lines count, what consequences take from them, and what caps leave."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import combinations, product

from grader.assignment.assignment import Assignment, Choice
from grader.scoring.breaches import LATE, Breach
from grader.scoring.entries import STEP, Entry

ZERO = Decimal(0)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Scores by item (counted lines that are not open), the counted items, and what each rule took."""

    scores: dict[str, Decimal]
    counted: frozenset[str]
    taken: dict[str, Decimal]
    total: Decimal


def best(
    rows: Sequence[Entry], selected: Sequence[frozenset[str]], assignment: Assignment, broken: Sequence[Breach]
) -> Outcome:
    """The outcome of that one of these selections with which the student ends highest."""
    outcomes = [_outcome(rows, chosen, assignment, broken) for chosen in selected]
    if len(outcomes) == 1:
        return outcomes[0]
    return max(outcomes, key=lambda outcome: (outcome.total, _open_points(rows, outcome)))


def _open_points(rows: Sequence[Entry], outcome: Outcome) -> Decimal:
    open_rows = (row for row in rows if row.item.id in outcome.counted and row.item.id not in outcome.scores)
    return sum((row.item.points for row in open_rows), ZERO)


def selections(rows: Sequence[Entry], choices: Sequence[Choice]) -> Iterator[frozenset[str]]:
    """Every set of counted items that the choices allow, in the order of the rubric."""
    present = [row for row in rows if row.in_place]
    slots = {row.slot for row in present}
    bound = {name for choice in choices for name in choice.items}
    options = []
    for choice in choices:
        among = [name for name in choice.items if name in slots]
        options.append(list(combinations(among, min(choice.count, len(among)))))
    for picked in product(*options):
        names = {name for group in picked for name in group}
        yield frozenset(row.item.id for row in present if row.slot in names or row.slot not in bound)


def _outcome(
    rows: Sequence[Entry], counted: frozenset[str], assignment: Assignment, broken: Sequence[Breach]
) -> Outcome:
    scores = {row.item.id: row.earned for row in rows if row.item.id in counted and row.earned is not None}
    taken: dict[str, Decimal] = {}
    limits = [("", [row.item.id for row in rows if row.slot in cap.items], cap.points) for cap in assignment.caps]
    for breach in broken:
        hit = [row for row in rows if row.item.id in counted and not row.final and _concerns(breach, row)]
        if breach.action == "cap":
            limits.append((breach.rule, [row.item.id for row in hit], breach.amount))
        elif not _is_last(breach):
            taken[breach.rule] = _take(breach, hit, scores)
    # Narrow ones first: a wide one would take from lines that keep theirs, and spare what a narrow one then takes.
    for rule, names, most in sorted(limits, key=lambda limit: len(limit[1])):
        taken[rule] = _limit(names, most, scores)
    for breach in filter(_is_last, broken):
        taken[breach.rule] = _share_out(
            [row.item.id for row in rows if row.item.id in scores and not row.voided], breach, scores
        )
    return Outcome(scores=scores, counted=counted, taken=taken, total=sum(scores.values(), ZERO))


def _is_last(breach: Breach) -> bool:
    """Lateness that costs a part is of the whole, whoever gave the points: it comes after every other limit."""
    return breach.rule == LATE and breach.action == "deduct"


def _share_out(names: Sequence[str], breach: Breach, scores: dict[str, Decimal]) -> Decimal:
    """Take a part of all lines, each bearing its share to a hundredth, so that the sum is the exact part rounded."""
    before = sum((scores[name] for name in names), ZERO)
    wanted = min(before, breach.amount + before * breach.percent / 100).quantize(STEP, ROUND_HALF_UP)
    passed = given = ZERO
    for name in names:
        passed += scores[name]
        part = min(scores[name], (wanted * passed / before).quantize(STEP, ROUND_HALF_UP) - given if before else ZERO)
        scores[name] -= part
        given += part
    return given


def _concerns(breach: Breach, row: Entry) -> bool:
    return row.item.id in breach.slots or row.slot in breach.slots


def _take(breach: Breach, hit: Sequence[Entry], scores: dict[str, Decimal]) -> Decimal:
    """Take from `scores` what the consequence says; the points that it took."""
    names = [row.item.id for row in hit if row.item.id in scores]
    before = sum((scores[name] for name in names), ZERO)
    if breach.action == "zero":
        scores.update({row.item.id: ZERO for row in hit})  # open lines too: nothing can come from them any more
    elif breach.action == "deduct":
        _reduce(names, breach.amount, scores)
    return before - sum((scores[name] for name in names), ZERO)


def _limit(names: Iterable[str], most: Decimal, scores: dict[str, Decimal]) -> Decimal:
    """Leave these lines `most` points together, the last ones giving first; the points that it took."""
    known = [name for name in names if name in scores]
    excess = max(sum((scores[name] for name in known), ZERO) - most, ZERO)
    _reduce(reversed(known), excess, scores)
    return excess


def _reduce(names: Iterable[str], amount: Decimal, scores: dict[str, Decimal]) -> None:
    """Take `amount` from these lines one after the other, none below 0."""
    for name in names:
        part = min(scores[name], amount)
        scores[name] -= part
        amount -= part
