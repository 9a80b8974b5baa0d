"""Broken rules and a missed deadline as things that take points, in the order in which they take them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from grader.assignment.assignment import Assignment, Consequence, Item, Rule
from grader.assignment.moments import moment_of
from grader.model import Graded, Violation

LATE = "late"
_ORDER = {"zero": 0, "deduct": 1, "cap": 2, "report": 3}
_SCOPES = {"item": 0, "question": 1, "group": 2, "everything": 3}


@dataclass(frozen=True, kw_only=True)
class Breach:
    """A broken rule with its consequence; `slots` are the ids of the items that it hits."""

    rule: str
    title: str
    action: str
    amount: Decimal
    slots: frozenset[str]
    violations: tuple[Violation, ...] = ()
    private: bool = False


def breaches(graded: Graded, assignment: Assignment) -> tuple[Breach, ...]:
    """Every broken rule once, in the order of application: zero, deduct, cap, report; then narrow before wide."""
    broken = []
    ordered = sorted(graded.violations, key=_position)
    for place, rule in enumerate(assignment.rules):
        violations = tuple(found for found in ordered if found.rule == rule.id)
        if violations:
            what = rule.consequence
            order = (_ORDER[what.action], _SCOPES[what.scope], place)
            broken.append((order, _breach(rule, violations, assignment)))
    found = [breach for _, breach in sorted(broken, key=lambda pair: pair[0])]
    late = _late(graded, assignment)
    return tuple([late, *found] if late else found)


def _position(found: Violation) -> tuple[object, ...]:
    """Where it stands in the submission, so that the journal's order does not show."""
    return (found.file or "", found.cell or 0, found.line or 0, found.message, found.evidence, found.parts)


def is_late(graded: Graded, assignment: Assignment) -> bool | None:
    """Whether it came after deadline and grace; None when nothing says so. Times win over the source's own word."""
    due, submitted = moment_of(assignment.late.due), moment_of(graded.submitted_at)
    if due is None or submitted is None:
        return graded.late
    return submitted > due + timedelta(hours=assignment.late.grace_hours)


def _late(graded: Graded, assignment: Assignment) -> Breach | None:
    if assignment.late.action != "zero" or not is_late(graded, assignment):
        return None
    everything = frozenset(item.id for item in assignment.items)
    title = f"handed in after the deadline ({assignment.late.due})"
    return Breach(rule=LATE, title=title, action="zero", amount=Decimal(0), slots=everything)


def _breach(rule: Rule, violations: tuple[Violation, ...], assignment: Assignment) -> Breach:
    what = rule.consequence
    hit = _hit(rule, what, violations, assignment)
    return Breach(
        rule=rule.id,
        title=rule.title,
        action=what.action,
        amount=what.amount,
        slots=frozenset(item.id for item in hit),
        violations=violations,
        private=rule.visibility == "staff",
    )


def _hit(rule: Rule, what: Consequence, violations: tuple[Violation, ...], assignment: Assignment) -> Iterable[Item]:
    """The items in the consequence's scope. Without a target: those of the parts that the violations concern."""
    if what.scope == "everything":
        return assignment.items
    groups = {question.id: question.group for question in assignment.questions}
    places: dict[str, Callable[[Item], str]] = {
        "item": lambda item: item.id,
        "question": lambda item: item.question,
        "group": lambda item: groups[item.question],
    }
    place = places[what.scope]
    target = set(what.target)
    if not target:
        parts = _parts(rule, violations, assignment)
        target = {place(item) for item in assignment.items if item.part in parts}
    return [item for item in assignment.items if place(item) in target]


def _parts(rule: Rule, violations: tuple[Violation, ...], assignment: Assignment) -> set[str]:
    """The parts that the violations name; a violation that names none concerns all parts of its rule."""
    all_parts = set(rule.parts) or {part.id for part in assignment.parts if part.file in rule.files}
    named = {part for found in violations for part in found.parts}
    return named if named and all(found.parts for found in violations) else named | all_parts
