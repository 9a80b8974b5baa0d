"""What a late policy says about itself, in a manifest's `late` or for an assignment of a course."""

from __future__ import annotations

import math
from collections.abc import Collection
from itertools import pairwise

from grader.assignment.assignment import Late, LateStep, PerDay
from grader.assignment.moments import instant, zone_of
from grader.assignment.types import Reading, Where, suggestion


def check_late(late: Late, where: Where, reading: Reading, items: Collection[str] | None) -> None:
    """Note what cannot mean anything; `items` are those that milestones may name (None: not known here)."""
    if not 0 <= late.grace_hours < math.inf:
        reading.bad(reading.line(*where, "grace_hours"), "grace_hours cannot be negative")
    try:
        zone = zone_of(late.zone)
    except ValueError as error:
        reading.bad(reading.line(*where, "zone"), str(error))
        return
    due = None
    if late.due is not None:
        try:
            due = instant(late.due, zone)
        except ValueError as error:
            reading.bad(reading.line(*where, "due"), f"due: {error}")
    elif late.action != "report" or late.steps or late.per_day or late.early:
        key = next(key for key in ("action", "steps", "per_day", "early", "due") if (*where, key) in reading.lines)
        reading.bad(reading.line(*where, key), "a late policy needs a deadline: write `due`")
    _penalties(late, where, reading)
    for index, milestone in enumerate(late.early):
        here = (*where, "early", index)
        try:
            if due is not None and instant(milestone.due, zone) >= due:
                reading.bad(reading.line(*here, "due"), f"early: {milestone.due} is not before the deadline {late.due}")
        except ValueError as error:
            reading.bad(reading.line(*here, "due"), f"early: {error}")
        if milestone.points <= 0:
            reading.bad(reading.line(*here, "points"), "early: expected more than 0 points")
        for name in milestone.items:
            if items is not None and name not in items:
                near = suggestion(name, list(items))
                reading.bad(reading.line(*here, "items"), f"early: there is no automatic item {name!r}{near}")


def _penalties(late: Late, where: Where, reading: Reading) -> None:
    if late.steps and late.per_day:
        reading.bad(reading.line(*where, "per_day"), "steps and per_day are two ways to say it: keep one")
    for index, step in enumerate(late.steps):
        _cost(step, (*where, "steps", index), reading)
    for index, (before, step) in enumerate(pairwise(late.steps), start=1):
        if step.hours <= before.hours or step.percent < before.percent or step.points < before.points:
            line = reading.line(*where, "steps", index)
            reading.bad(line, "steps: expected growing hours, and no step that costs less than the one before")
    if late.steps and late.steps[0].hours <= 0:
        reading.bad(reading.line(*where, "steps", 0), "steps: expected hours after the deadline, more than 0")
    if late.per_day is not None:
        _cost(late.per_day, (*where, "per_day"), reading)
        if late.per_day.days < 0 or (late.action == "zero" and not late.per_day.days):
            reading.bad(
                reading.line(*where, "per_day"), "per_day: say in `days` after how many nothing is worth points"
            )


def _cost(cost: LateStep | PerDay, where: Where, reading: Reading) -> None:
    if bool(cost.percent) == bool(cost.points) or not 0 <= cost.percent <= 100 or cost.points < 0:
        reading.bad(reading.line(*where), "expected either a percent from 0 to 100 or points that it costs")
