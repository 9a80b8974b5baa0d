"""The manifest of a kit: what the assignment says of the items that students get, and nothing of the others."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from decimal import Decimal

import yaml

from grader.assignment.assignment import Assignment, Consequence, Late, Rule

PLACES = ("suite", "reference", "template")


def public_part(assignment: Assignment) -> Assignment:
    """The assignment as if it had the kit's items alone; rules that only staff see the evidence of are left out."""
    public = set(assignment.kit)
    items = tuple(
        replace(item, made_from="", replaces=None, doubted_by=tuple(name for name in item.doubted_by if name in public))
        for item in assignment.items
        if item.id in public
    )
    questions = tuple(
        replace(question, points=None)
        for question in assignment.questions
        if any(item.question == question.id for item in items)
    )
    parts = tuple(part for part in assignment.parts if any(item.part == part.id for item in items))
    made = replace(
        assignment,
        items=items,
        kit=(),
        questions=questions,
        parts=tuple(part for part in parts if part.question in {question.id for question in questions}),
        total=sum((item.points for item in items if not item.extra_credit), Decimal(0)),
        choices=(),
        caps=(),
        tracks=(),
        late=Late(due=assignment.late.due, zone=assignment.late.zone, grace_hours=assignment.late.grace_hours),
        tolerances={name: replace(bound, evidence="") for name, bound in assignment.tolerances.items()},
        evidence={},
    )
    return replace(made, rules=tuple(_rule(rule, made) for rule in assignment.rules if rule.visibility == "visible"))


def _rule(rule: Rule, assignment: Assignment) -> Rule:
    """The rule without what it says of items that are not there."""
    parts = tuple(name for name in rule.parts if name in {part.id for part in assignment.parts})
    known = {
        "item": {item.id for item in assignment.items},
        "question": {question.id for question in assignment.questions},
        "group": {question.group for question in assignment.questions},
        "everything": set[str](),
    }[rule.consequence.scope]
    target = tuple(name for name in rule.consequence.target if name in known)
    consequence = replace(rule.consequence, target=target)
    if consequence.scope != "everything" and not target:
        consequence = Consequence()
    return replace(rule, parts=parts, consequence=consequence)


def as_yaml(assignment: Assignment) -> str:
    """`assignment.yaml`, with everything that is not as it would be without being written."""
    written = _plain(assignment)
    assert isinstance(written, dict)
    kept = {name: value for name, value in written.items() if name not in PLACES}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=110)


def _said(value: object) -> bool:
    return value not in (None, "", (), [], {})


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value):
        written = {
            field.name: _plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if getattr(value, field.name) != field.default
        }
        return {name: entry for name, entry in written.items() if _said(entry)}
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
