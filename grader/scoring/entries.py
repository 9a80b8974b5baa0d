"""What each rubric line is worth before anything is chosen or taken: results and marks, one entry per item."""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from grader.assignment.assignment import Assignment, Item, Track
from grader.errors import UsageError
from grader.model import DOUBT_REASON, NARROW_REASON, CheckResult, Graded, LineState, Mark, Void
from grader.once import Once
from grader.thresholds import on_made_data

STEP = Decimal("0.01")
NOT_RUN = "This item was not run."
REFUSED = "The submission could not be taken in, so nothing was run."
CONTRADICTION = "The check ended with a status and a credit that contradict each other."


VOIDED = "(full marks for everybody)"
TAKEN_OUT = "Taken out of the total for everybody."


class Entry(NamedTuple):
    """One item with its outcome. `earned is None`: open. `in_place`: it counts unless a choice leaves it out.

    `slot` is the item whose place it takes (its own, unless it replaces a manual one); `final`: a person overrode an
    automatic item, so consequences leave it alone; `voided`: it is full for everybody, so lateness does too. `shared`:
    everybody with this very result has the same row.
    """

    item: Item
    state: LineState
    slot: str
    earned: Decimal | None = None
    extra_credit: bool = False
    in_place: bool = True
    final: bool = False
    voided: bool = False
    message: str = ""
    comment: str = ""
    result: CheckResult | None = None
    shared: bool = False


def entries(
    graded: Graded,
    assignment: Assignment,
    marks: Sequence[Mark],
    track: Track | None,
    voids: Sequence[Void] = (),
    accepted: Collection[str] = (),
) -> tuple[Entry, ...]:
    """One entry per item, in the manifest's order; of those `accepted` what was measured stands.

    Raises `UsageError` for a mark of an unknown item.
    """
    own = {mark.item: mark for mark in marks if mark.submission == graded.key}
    for name in sorted(own.keys() - {item.id for item in assignment.items}):
        raise UsageError(f"a mark of {graded.key} names {name!r}, which is no item of {assignment.slug}")
    replaced: set[str | None] = {
        item.replaces for item in assignment.items if item.replaces and _computed(item, graded, own)
    }
    unusual = {*own, *replaced, *accepted}
    rows = [
        _shared_rows(item)(graded.results.get(item.id))
        if _is_usual(item, graded) and track is None and item.id not in unusual
        else _entry(item, graded, own.get(item.id), replaced, own, track, accepted)
        for item in assignment.items
    ]
    voided = {void.item: void for void in voids}
    return tuple(_voided(row, voided[row.slot]) if row.slot in voided else row for row in rows)


def _voided(row: Entry, void: Void) -> Entry:
    """The row as it counts for everybody alike."""
    if void.how == "out":
        return row._replace(in_place=False, message=TAKEN_OUT, comment=void.why)
    return row._replace(
        state="marked",
        earned=row.item.points,
        final=True,
        voided=True,
        comment=f"{void.why} {VOIDED}",
    )


def points_of(credit: float, points: Decimal) -> Decimal:
    """Credit in [0, 1] of an item as exact points: all of them for 1, else rounded half up to a hundredth."""
    if credit >= 1:
        return points
    return min((Decimal(repr(credit)) * points).quantize(STEP, ROUND_HALF_UP), points)


def _computed(item: Item, graded: Graded, marks: Mapping[str, Mark]) -> bool:
    """Whether a replacing item counts: it was answered in its file or measured by a training, or a person marked it;
    no mark on the one that it replaces.

    A file with the template's hole still in it is no answer: the theory may have been done on paper.
    """
    if item.replaces in marks:
        return False
    result = graded.results.get(item.id)
    if item.training is not None:
        if item.id not in marks and on_made_data(result):
            return False  # it shows that the model learns, and says nothing of the figure that the handout asks for
        # A training that the grader broke keeps its place open: what it replaces must not become a zero in its stead.
        ran = result is not None and result.status in ("passed", "failed", "grader_error")
    else:
        unanswered = result is not None and result.status == "not_attempted"
        ran = item.needs.file in graded.files and not unanswered
    return ran or item.id in marks


def _is_usual(item: Item, graded: Graded) -> bool:
    """Whether nothing but its result says what the item is worth, and others may have that very result."""
    shared = item.id in graded.took or item.id not in graded.results
    return shared and not (item.doubted_by or item.replaces or graded.refused)


def _shared_row(item: Item, result: CheckResult | None) -> Entry:
    graded = Graded(key="", results={} if result is None else {item.id: result})
    return _entry(item, graded, None, (), {}, None, ())._replace(shared=True)


def _rows_of(item: Item) -> Once[CheckResult | None, Entry]:
    return Once(functools.partial(_shared_row, item))


_shared_rows = Once(_rows_of)


def _entry(
    item: Item,
    graded: Graded,
    mark: Mark | None,
    replaced: Collection[str | None],
    marks: Mapping[str, Mark],
    track: Track | None,
    accepted: Collection[str],
) -> Entry:
    result = graded.results.get(item.id)
    state, earned, message = _outcome(item, result, graded, item.id in accepted)
    if mark is not None:
        state, earned = "marked", mark.points
    left_out = track is not None and item.id in track.without
    given_up = item.id in replaced or (item.replaces is not None and not _computed(item, graded, marks))
    return Entry(
        item=item,
        state=state,
        slot=item.replaces or item.id,
        earned=earned,
        extra_credit=item.extra_credit or (track is not None and item.id in track.extra_credit),
        in_place=not left_out and not given_up,
        final=mark is not None and item.kind == "automatic",
        message=message,
        comment=_comment(mark),
        result=result,
    )


def _outcome(
    item: Item, result: CheckResult | None, graded: Graded, accepted: bool
) -> tuple[LineState, Decimal | None, str]:
    if item.kind == "manual":
        return "awaiting", None, ""
    if graded.refused:
        return "not_attempted", Decimal(0), REFUSED
    if result is None:
        return "skipped", None, NOT_RUN
    if result.status in ("skipped", "grader_error"):
        return result.status, None, result.message
    if not _consistent(result):
        return "grader_error", None, CONTRADICTION
    if result.credit > 0 and not accepted and (doubts := doubts_of(item, result, graded)):
        return "awaiting", None, " ".join([*result.notes, doubts])
    if result.reason == NARROW_REASON and not accepted:
        return "awaiting", None, f"{result.message} It misses narrowly, for the second time: a person decides."
    return _state(result), points_of(result.credit, item.points), result.message


def doubts_of(item: Item, result: CheckResult, graded: Graded) -> str:
    """Why a pass waits for a person; "" when nothing contradicts it."""
    against = [name for name in item.doubted_by if name in graded.results and graded.results[name].status == "failed"]
    if against:
        return f"A person decides, because {' and '.join(against)} failed, which speaks against this figure."
    return "A person decides, because of what looks odd about it." if result.reason == DOUBT_REASON else ""


def _consistent(result: CheckResult) -> bool:
    """A pass has credit, a failure less than all of it; NaN is in no range."""
    if not 0 <= result.credit <= 1:
        return False
    return result.credit > 0 if result.status == "passed" else result.credit < 1


def _state(result: CheckResult) -> LineState:
    if result.status == "not_attempted":
        return "not_attempted"
    if result.credit >= 1:
        return "passed"
    return "partly" if result.credit > 0 else "failed"


def _comment(mark: Mark | None) -> str:
    if mark is None:
        return ""
    by = f"marked by {mark.by}" if mark.by else ""
    return f"{mark.comment} ({by})" if mark.comment and by else mark.comment or by
