"""Which parts are traced, and what a trace that did not come back means."""

from __future__ import annotations

from grader.assignment.assignment import Assignment
from grader.model import Violation


def needs_trace(assignment: Assignment, part_id: str) -> bool:
    """Whether a rule looks at what this part really runs."""
    return any(rule.kind in ("forbidden", "required") and part_id in rule.parts for rule in assignment.rules)


def missing_trace(assignment: Assignment, part_id: str) -> tuple[Violation, ...]:
    """A run that was to be observed and came back without its trace has something to hide."""
    text = "The observed run came back without its list of operations, so the rule could not be checked."
    return tuple(
        Violation(rule=rule.id, message=text, evidence="run", parts=(part_id,))
        for rule in assignment.rules
        if rule.kind == "forbidden" and part_id in rule.parts
    )
