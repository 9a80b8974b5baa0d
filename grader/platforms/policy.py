"""What of a course goes along in a bundle: the deadline of one assignment and what lateness costs; nobody's name.

It is a course.yaml of its own, read there like any other. The roster, extensions and late days stay at home. Where a
student may have late days, what lateness costs depends on them, so the bundle tells lateness and takes nothing.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from decimal import Decimal

import yaml

from grader.assignment.assignment import Assignment, Late
from grader.course.plan import COURSE, Course
from grader.reports.words import number

TOLD_ONLY = "Late days are not known here: the course staff counts them, and nothing is taken for it now."


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The text of the bundle's course.yaml ("": there is none), what is told to whom is late, and where it is from."""

    late: Late
    origin: str
    text: str = ""
    told: str = ""


def policy_of(assignment: Assignment, course: Course | None) -> Policy:
    """What a bundle of an assignment says of lateness: by the course, else by its own manifest."""
    deadline = course.says.assignments.get(assignment.slug) if course is not None else None
    if course is None or deadline is None:
        return Policy(late=assignment.late, origin="the manifest")
    late = course.applied(assignment).late
    category = course.says.categories.get(deadline.category)
    limits = [] if category is None else [category.late_days, category.at_most, deadline.late_days]
    counts_days = bool(limits) and all(limit != 0 for limit in limits)
    if counts_days:
        late = Late(due=late.due, zone=late.zone, grace_hours=late.grace_hours, minute_counts=late.minute_counts,
                    early=late.early)  # fmt: skip
    text = yaml.safe_dump({"assignments": {assignment.slug: _plain(late)}}, sort_keys=False, allow_unicode=True)
    return Policy(late=late, origin=COURSE, text=text, told=TOLD_ONLY if counts_days else "")


def _plain(value: object) -> object:
    """As YAML has it, without what is the default."""
    if is_dataclass(value):
        found = {entry.name: getattr(value, entry.name) for entry in fields(value)}
        return {
            entry.name: _plain(found[entry.name]) for entry in fields(value) if found[entry.name] != _default(entry)
        }
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    return number(value) if isinstance(value, Decimal) else value


def _default(entry: Field[object]) -> object:
    return None if entry.default is MISSING else entry.default
