"""`Graded` + `Assignment` + marks → `Report`: a pure function that never runs code.

Theory of operation
- **Points.** Full credit earns exactly the item's points, none earns 0, anything between is credit × points rounded
  half up to a hundredth. Everything is `Decimal`, so sums are exact.
- **Open.** Skipped items, grader errors, items that were not run and manual items without a mark have no score; what
  they can still bring is `open_points`.
- **Marks.** A mark fills a manual item. On an automatic item it is a person's last word: no consequence touches it.
- **One mistake is charged once** (`grader.scoring.charging`): what only follows from another item's failure is given.
- **Measured figures** get status and credit here, from the manifest's thresholds (`grader.thresholds`).
- **Replacement.** A computed item counts in place of its manual one when its file was handed in, a measured training
  when it ran or broke by the grader's fault (its points are open then). A mark on the manual item takes the place
  back; a mark on the computed one keeps it.
- **Choices.** Of all selections that a choice allows, the one counts with which the student ends highest; among
  equals the one with more points still open, then the one that comes first in the rubric.
- **Consequences**, each broken rule once, in this order: *zero*, then *deduct*, then *cap*; among equal actions the
  narrower scope first, then the manifest's order. Zeroed lines are out; deductions are taken from what is left, line
  by line in the order of the rubric, and end at 0; caps then limit the sum, taking from the last line backwards. So
  more credit never means fewer points. A late policy that leaves nothing counts as the first zero.
- **Voided items** give all their points to everybody, and no consequence touches them, or are out of score and total.
- **Decisions** of people lift the consequence of a rule, or let stand what a doubted item measured.
- **Caps of the manifest** (limited extra credit) come then.
- **Lateness** that costs a part takes it at last, of all lines in proportion, those that a person marked included.
- **Milestones** add a line of extra credit each, which nothing is taken from.
- `would_be` is the same computation without consequences. `lenient` reports what they would have taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from types import MappingProxyType

from grader.assignment.assignment import Assignment, Milestone, Track
from grader.course.terms import Terms
from grader.model import Applied, Decision, Graded, Line, Mark, Report, Void
from grader.once import Once
from grader.scoring.attempts import Scored, counted
from grader.scoring.attention import attention
from grader.scoring.breaches import Breach, breaches
from grader.scoring.charging import charged_once
from grader.scoring.entries import Entry, entries
from grader.scoring.lateness import USUAL, lateness_of, reached
from grader.scoring.selection import Outcome, best, selections
from grader.thresholds import decided

__all__ = ["score", "score_class"]

EARLY = "handed in early"  # the heading of milestones: no id of a manifest has spaces

UNFINISHED = "Grading was interrupted before it was finished, so nothing is decided yet."


def score_class(
    graded: Sequence[Graded],
    assignment: Assignment,
    marks: Sequence[Mark] = (),
    terms: Mapping[str, Terms] = MappingProxyType({}),
    *,
    lenient: bool = False,
    voids: Sequence[Void] = (),
    decisions: Sequence[Decision] = (),
) -> list[Report]:
    """One report for each author, of the attempt that counts; reports, marks and terms go by the author's key."""
    owned: dict[str, list[Graded]] = {}
    for entry in graded:
        owned.setdefault(entry.owner, []).append(entry)
    given: dict[str, list[Mark]] = {}
    for mark in marks:
        given.setdefault(mark.submission, []).append(mark)
    lifted: dict[str, list[Decision]] = {}
    for decision in decisions:
        lifted.setdefault(decision.submission, []).append(decision)
    reports = []
    for owner, own in sorted(owned.items()):
        held = terms.get(owner, USUAL)
        if assignment.late.early:
            held = replace(held, reached=reached(own, assignment))
        judged = partial(score, lenient=lenient, voids=voids, decisions=lifted.get(owner, ()))
        scored = [Scored(one, judged(_called(one, owner), assignment, given.get(owner, ()), held)) for one in own]
        reports.append(counted(scored, assignment.counts))
    return reports


def score(
    graded: Graded,
    assignment: Assignment,
    marks: Sequence[Mark] = (),
    terms: Terms = USUAL,
    *,
    lenient: bool = False,
    voids: Sequence[Void] = (),
    decisions: Sequence[Decision] = (),
) -> Report:
    """The report of one submission. Marks of other submissions are ignored; of two for one item the last counts.

    Raises `UsageError` when a mark of this submission names an item that the manifest does not have.
    """
    if not graded.finished:
        # A part of the results would read as a score: what was not judged yet would be missing in it.
        graded = replace(graded, results={}, violations=())
    graded = charged_once(decided(graded, assignment), assignment)
    track = next((entry for entry in assignment.tracks if entry.id == graded.track), None)
    mine = (graded.key, graded.attempt)
    decided_here = [decision for decision in decisions if (decision.submission, decision.attempt) == mine]
    rows = entries(graded, assignment, marks, track, voids, {decision.item for decision in decided_here})
    lateness = lateness_of(graded, assignment.late, terms)
    broken = _after_decisions(breaches(graded, assignment, lateness) if graded.finished else (), decided_here)
    selected = list(selections(rows, assignment.choices))
    strict = best(rows, selected, assignment, broken)
    plain = best(rows, selected, assignment, ()) if broken else strict
    counted = plain if lenient else strict
    early = [_early(number, entry) for number, entry in enumerate(terms.reached, start=1)]
    bonus = sum((line.maximum for line in early), Decimal(0))
    lines = (*_said_once([_line(row, counted) for row in rows]), *early)
    applied = _applied(strict, broken, graded, lenient)
    return Report(
        key=graded.key,
        slug=assignment.slug,
        title=assignment.title,
        lines=lines,
        questions=(
            *((question.id, question.title) for question in assignment.questions),
            *([(EARLY, "Milestones")] if early else []),
        ),
        score=counted.total + bonus,
        would_be=plain.total + bonus,
        total=_total(assignment, track, voids),
        open_points=sum((line.maximum for line in lines if line.counted and line.score is None), Decimal(0)),
        applied=applied,
        notes=(*graded.notes, UNFINISHED) if not graded.finished else graded.notes,
        refused=graded.refused,
        track=graded.track or "",
        attention=attention(graded, assignment, lines, counted.total, applied, lateness, terms),
        protections=graded.protections,
        versions=graded.versions,
        seed=graded.seed,
        seconds=graded.seconds,
        attempt=graded.attempt,
        unfinished=not graded.finished,
        submitted_at=graded.submitted_at,
        late=lateness.late,
        late_days=lateness.days,
        handed_in=lateness.words,
        took=graded.took,
    )


def _called(graded: Graded, key: str) -> Graded:
    return graded if graded.key == key else replace(graded, key=key)


def _early(number: int, milestone: Milestone) -> Line:
    """A milestone that was reached, as a line of the rubric."""
    return Line(
        item=f"{EARLY} {number}",
        title=milestone.title or f"By {milestone.due}",
        question=EARLY,
        state="passed",
        maximum=milestone.points,
        earned=milestone.points,
        score=milestone.points,
        extra_credit=True,
    )


def _after_decisions(broken: Sequence[Breach], decisions: Sequence[Decision]) -> list[Breach]:
    """Rules that a person let go are told, and take nothing."""
    lifted = {decision.rule for decision in decisions}
    return [replace(breach, action="report") if breach.rule in lifted else breach for breach in broken]


def _said_once(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Beside a pass no note is repeated: those on a file are told of every item that uses it."""
    said: set[str] = set()
    told: list[Line] = []
    for line in lines:
        if line.result is not None and line.result.notes and line.state == "passed":
            fresh = tuple(note for note in line.result.notes if note not in said)
            said.update(fresh)
            if fresh != line.result.notes:
                line = replace(line, result=replace(line.result, notes=fresh))
        told.append(line)
    return tuple(told)


def _total(assignment: Assignment, track: Track | None, voids: Sequence[Void]) -> Decimal:
    """The manifest's total, or the track's, less the items that are out of it for everybody."""
    gone = {void.item for void in voids if void.how == "out"} - set(
        (*track.without, *track.extra_credit) if track else ()
    )
    less = [item.points for item in assignment.items if item.id in gone and not item.extra_credit]
    return (track.points if track else assignment.total) - sum(less, Decimal(0))


def _line(row: Entry, outcome: Outcome) -> Line:
    # The very same points: equal ones may be written in another way.
    if row.shared and outcome.scores.get(row.item.id) is row.earned and row.item.id in outcome.counted:
        return _shared_line(row)
    return _line_of(row, outcome.scores.get(row.item.id), counted=row.item.id in outcome.counted)


def _line_of(row: Entry, score: Decimal | None, *, counted: bool) -> Line:
    return Line(
        item=row.item.id,
        title=row.item.title or row.item.id,
        question=row.item.question,
        state=row.state,
        maximum=row.item.points,
        earned=row.earned,
        score=score,
        counted=counted,
        extra_credit=row.extra_credit,
        origin=row.item.origin,
        visibility=row.item.visibility,
        message=row.message,
        hint=row.result.hint if row.result else "",
        comment=row.comment,
        result=row.result,
    )


def _whole_line(row: Entry) -> Line:
    return _line_of(row, row.earned, counted=True)


_shared_line = Once(_whole_line)


def _applied(outcome: Outcome, broken: Sequence[Breach], graded: Graded, lenient: bool) -> tuple[Applied, ...]:
    """Every broken rule with what it took, in the order of application; those that only report come last."""
    return tuple(
        Applied(
            rule=breach.rule,
            title=breach.title,
            action=breach.action,
            taken=outcome.taken.get(breach.rule, Decimal(0)),
            violations=breach.violations,
            lenient=lenient,
            private=breach.private,
        )
        for breach in broken
    )
