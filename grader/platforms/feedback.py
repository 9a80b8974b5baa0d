"""How often a platform judges, and how much it says then: the profile `submission` of a bundle.

Everything is counted at the submissions' own times, so that a regrade weeks later decides the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from grader.assignment.assignment import Assignment, Feedback, Late
from grader.assignment.moments import clock_time, instant, moment_of, zone_of
from grader.model import Report
from grader.platforms.base import Task
from grader.thresholds import figure_of


def too_many(feedback: Feedback, task: Task) -> str:
    """A sentence for the student when this submission is one too many within the hours; else ""."""
    now = moment_of(task.submitted_at)
    if not feedback.tries or now is None:
        return ""
    window = timedelta(hours=feedback.hours)
    judged: list[datetime] = []  # those that were handed back did not use up a try
    for earlier in sorted(moment for entry in task.previous if (moment := moment_of(entry)) is not None):
        if earlier < now and sum(earlier - before < window for before in judged) < feedback.tries:
            judged.append(earlier)
    recent = [moment for moment in judged if now - moment < window]
    if len(recent) < feedback.tries:
        return ""
    free = recent[-feedback.tries] + window
    return (
        f"This was submission number {len(recent) + 1} within {feedback.hours:g} hours; {feedback.tries} are judged. "
        f"Below is the result of your last one that was. The next is judged from {free:%Y-%m-%d %H:%M %Z} on."
    )


def is_brief(feedback: Feedback, task: Task) -> bool:
    """Whether this attempt is told its verdicts alone, without what differs."""
    number = len(task.previous) + 1
    if feedback.messages and number > feedback.messages:
        return True
    now, end = moment_of(task.submitted_at), moment_of(feedback.messages_until)
    return now is not None and end is not None and now > end


def differing_total(stated: str, total: object, slug: str) -> str:
    """A sentence for the staff when the platform's assignment has other points than the manifest; else ""."""
    with suppress(ValueError):
        if float(stated) != float(str(total)):
            return (
                f"The platform's assignment has {stated} points and {slug} has {total}, manual ones included: set "
                f"{total} there, since results that do not fit are refused."
            )
    return ""


def differing_due(stated: str, late: Late) -> str:
    """A sentence for the staff when the platform's assignment is due at another time than here; else ""."""
    there = moment_of(stated)
    zone = zone_of(late.zone)
    if there is None or late.due is None or (here := instant(late.due, zone)) == there:
        return ""
    zone = zone or there.tzinfo
    return (
        f"The platform's assignment is due {clock_time(there, zone)} and the bundle says {clock_time(here, zone)}, "
        "which holds here: make them equal, and the bundle anew if it is the wrong one."
    )


def leaders(assignment: Assignment, report: Report | None) -> tuple[Mapping[str, object], ...]:
    """Entries of a leaderboard: the measured figures that the manifest asks for."""
    found: list[Mapping[str, object]] = []
    for line in report.lines if report is not None else ():
        item = assignment.item(line.item)
        source = (item.training or item.predictions) if line.item in assignment.leaderboard else None
        value = figure_of(line.result) if source is not None and line.result is not None else None
        if source is not None and value is not None:
            order = "desc" if source.higher_is_better else "asc"
            found.append({"name": line.title, "value": round(value, 4), "order": order})
    return tuple(found)
