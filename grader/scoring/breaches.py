"""Broken rules and a missed deadline as things that take points, in the order in which they take them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from decimal import Decimal

from grader.assignment.assignment import Assignment, Consequence, Item, Rule
from grader.model import Graded, Violation
from grader.scoring.lateness import ALL, Lateness

LATE = "late"
_ORDER = {"zero": 0, "deduct": 1, "cap": 2, "report": 3}
_SCOPES = {"item": 0, "question": 1, "group": 2, "everything": 3}


@dataclass(frozen=True, kw_only=True)
class Breach:
    """A broken rule with its consequence; `slots` are the ids of the items that it hits.

    `percent` of what is left is taken beside `amount`, each item bearing its share.
    """

    rule: str
    title: str
    action: str
    amount: Decimal
    slots: frozenset[str]
    violations: tuple[Violation, ...] = ()
    private: bool = False
    percent: Decimal = Decimal(0)


def breaches(graded: Graded, assignment: Assignment, lateness: Lateness) -> tuple[Breach, ...]:
    """Every broken rule once, in the order of application: zero, deduct, cap, report; then narrow before wide.

    A late zero comes first; what else lateness costs is taken of what all others have left, so it comes last.
    """
    broken = []
    ordered = sorted(graded.violations, key=_position)
    for place, rule in enumerate(assignment.rules if ordered else ()):
        violations = tuple(found for found in ordered if found.rule == rule.id)
        if violations:
            what = rule.consequence
            order = (_ORDER[what.action], _SCOPES[what.scope], place)
            broken.append((order, _breach(rule, violations, assignment)))
    found = [breach for _, breach in sorted(broken, key=lambda pair: pair[0])]
    late = _late(lateness, assignment)
    if late is None:
        return tuple(found)
    return (late, *found) if late.action == "zero" else (*found, late)


def _position(found: Violation) -> tuple[object, ...]:
    """Where it stands in the submission, so that the journal's order does not show."""
    return (found.file or "", found.cell or 0, found.line or 0, found.message, found.evidence, found.parts)


def _late(lateness: Lateness, assignment: Assignment) -> Breach | None:
    if not lateness.percent and not lateness.points:
        return None
    return Breach(
        rule=LATE,
        title=lateness.title,
        action="zero" if lateness.percent >= ALL else "deduct",
        amount=lateness.points,
        percent=lateness.percent,
        slots=frozenset(item.id for item in assignment.items),
    )


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
