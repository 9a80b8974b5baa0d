"""How late a submission is, what that costs, and the words for it: a function of times, policy and terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal

from grader.assignment.assignment import Assignment, Late, Milestone
from grader.assignment.moments import (
    clock_time,
    days_begun,
    days_later,
    duration,
    instant,
    moment_of,
    received,
    zone_of,
)
from grader.course.terms import Terms
from grader.model import Graded
from grader.wording import plural, points_word

USUAL = Terms()
ALL = Decimal(100)


@dataclass(frozen=True, kw_only=True)
class Lateness:
    """`late`: after the deadline and its grace (None: nothing says so); `days` late days were used for it.

    It costs `percent` of what was earned, or `points`; `title` says so in a line, `words` to the student in sentences.
    """

    late: bool | None = None
    days: int = 0
    percent: Decimal = Decimal(0)
    points: Decimal = Decimal(0)
    title: str = ""
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Cost:
    why: str = ""
    percent: Decimal = Decimal(0)
    points: Decimal = Decimal(0)

    def __str__(self) -> str:
        what = f"it costs {_amount(self.percent, self.points)}" if self.percent or self.points else "it costs nothing"
        what = "nothing of it counts" if self.percent >= ALL else what
        text = f"{self.why}: {what}." if self.why else f"{what}."
        return text[0].upper() + text[1:]


def _amount(percent: Decimal, points: Decimal) -> str:
    return f"{percent.normalize():f} % of what was earned" if percent else points_word(points)


def lateness_of(graded: Graded, late: Late, terms: Terms = USUAL) -> Lateness:
    """The lateness of one attempt. Its time wins over the platform's own word, which may know of no extension."""
    zone = _clock(late)
    moment = received(graded.submitted_at, zone_of(late.zone))
    if late.due is None or moment is None:
        return _by_word(graded, late, terms)
    when, due = clock_time(moment, zone), instant(terms.due or late.due, zone)
    end = due + timedelta(hours=late.grace_hours)
    if late.minute_counts:
        moment = moment.replace(second=0, microsecond=0)
    deadline = f"due {clock_time(due, zone)}" + (" by an extension" if terms.due else "")
    deadline += f", with {late.grace_hours:g} hours of grace" if late.grace_hours else ""
    told = f"Handed in on {when}, {deadline}"
    if moment <= end:
        close = moment > due or terms.due or moment + timedelta(minutes=1) > end
        minute = ": the minute counts" if late.minute_counts and moment + timedelta(minutes=1) > due else ""
        return Lateness(late=False, words=(f"{told}: on time{minute}.",) if close else ())
    days, cost = _with_late_days(moment, end, late, terms, zone)
    by = f"{duration(end, moment, zone)} late{', by the minute' if late.minute_counts else ''}"
    words = [f"{told}: {by}."]
    if days:
        words.append(f"{plural(days, 'late day')} used for it, {terms.left - days} left of {terms.left}.")
    words.append(str(cost))
    title = f"handed in {by}" + (f" ({days} covered by late days)" if days else "")
    return Lateness(late=True, days=days, percent=cost.percent, points=cost.points, title=title, words=tuple(words))


def reached(attempts: Sequence[Graded], assignment: Assignment) -> tuple[Milestone, ...]:
    """The milestones that any of these attempts, handed in early enough, has passed."""
    late = assignment.late
    zone = zone_of(late.zone) if late.early else None
    return tuple(entry for entry in late.early if any(_reaches(one, entry, late, zone) for one in attempts))


def _reaches(graded: Graded, milestone: Milestone, late: Late, zone: tzinfo | None) -> bool:
    moment = received(graded.submitted_at, zone)
    if moment is None or graded.refused or not graded.finished:
        return False
    if late.minute_counts:
        moment = moment.replace(second=0, microsecond=0)
    passed = (graded.results[name].credit >= 1 if name in graded.results else False for name in milestone.items)
    return moment <= instant(milestone.due, zone) and all(passed)


def _clock(late: Late) -> tzinfo | None:
    """Whose clock times are shown by, and days end by: the zone's, else that of the deadline's own offset."""
    due = moment_of(late.due)
    return zone_of(late.zone) or (due.tzinfo if due is not None else None)


def _by_word(graded: Graded, late: Late, terms: Terms) -> Lateness:
    """The platform's word where the time is not known: enough for a zero, not for steps or a person's own terms."""
    if not graded.late:
        return Lateness(late=graded.late)
    known = late.action == "zero" and not (late.steps or late.per_day or terms.due or terms.days)
    due = f" ({late.due})" if late.due else ""
    words = [f"Handed in after the deadline{due}, as the course system says."]
    if late.action == "zero" or late.steps or late.per_day:
        unknown = "How late is not known here, so no points are taken before a person has looked."
        words.append("Nothing of it counts." if known else unknown)
    return Lateness(
        late=True, percent=ALL if known else Decimal(0), title=f"handed in after the deadline{due}", words=tuple(words)
    )


def _with_late_days(
    moment: datetime, end: datetime, late: Late, terms: Terms, zone: tzinfo | None
) -> tuple[int, _Cost]:
    """How many late days are used, and what is left to pay: all that help, none where all is lost with them too."""
    needed = days_begun(end, moment, zone)
    days = min(needed, terms.days)
    if days == needed:
        return days, _Cost()
    cost = _cost(moment, days_later(end, days, zone), late, zone)
    return (0, _cost(moment, end, late, zone)) if days and cost.percent >= ALL else (days, cost)


def _cost(moment: datetime, end: datetime, late: Late, zone: tzinfo | None) -> _Cost:
    nothing = late.action == "zero"
    if late.per_day is not None:
        rule, begun = late.per_day, days_begun(end, moment, zone)
        if nothing and begun > rule.days:
            return _Cost(f"by more than {rule.days} days", ALL)
        count = min(begun, rule.days) if rule.days else begun
        each = f"{rule.percent.normalize():f} %" if rule.percent else _amount(rule.percent, rule.points)
        why = f"{plural(count, 'day')} begun, {each} each"
        return _Cost(why, min(ALL, rule.percent * count), rule.points * count)
    for step in late.steps:
        if moment <= end + timedelta(hours=step.hours):
            return _Cost(f"by up to {step.hours:g} hours", step.percent, step.points)
    if nothing:
        return _Cost(f"by more than {late.steps[-1].hours:g} hours" if late.steps else "", ALL)
    last = late.steps[-1] if late.steps else None
    return _Cost(f"by more than {last.hours:g} hours", last.percent, last.points) if last else _Cost()
