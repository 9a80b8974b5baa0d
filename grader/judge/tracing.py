"""Which parts are traced, and what a trace that did not come back means."""

from __future__ import annotations

from grader.assignment.assignment import Assignment
from grader.model import Violation


def needs_trace(assignment: Assignment, part_id: str) -> bool:
    """Whether a rule looks at what this part really runs."""
    return any(rule.kind in ("forbidden", "required") and part_id in rule.parts for rule in assignment.rules)


def missing_trace(assignment: Assignment, part_id: str, *, ended: bool = False) -> tuple[Violation, ...]:
    """A run that was to be observed came back without its trace, or ended otherwise than unobserved (`ended`)."""
    what = (
        "did not earn what the same code had earned when nobody looked"
        if ended
        else "came back without its list of operations"
    )
    text = f"The observed run {what}, so the rule could not be checked. Code must do the same however it is run"
    return tuple(
        Violation(rule=rule.id, message=text, evidence="run", parts=(part_id,))
        for rule in assignment.rules
        if rule.kind == "forbidden" and part_id in rule.parts
    )
