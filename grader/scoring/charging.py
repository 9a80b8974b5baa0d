"""One mistake is charged once: failures that only follow from another item's cost nothing more.

An item follows when all its values are those of a known mistake that another item shows and is charged for, or when it
fails only where a size is 1 and an item of the same file did so before. What it would have cost is given; the page says
so.
"""

from __future__ import annotations

from dataclasses import replace

from grader.assignment.assignment import Assignment
from grader.model import CheckResult, Graded


def charged_once(graded: Graded, assignment: Assignment) -> Graded:
    """The results with the credit of items that follow from others."""
    if all(result.status != "failed" for result in graded.results.values()):
        return graded
    results = dict(graded.results)
    seen: dict[tuple[str | None, str], str] = {}
    for item in assignment.items:
        result = results.get(item.id)
        if result is None or result.status != "failed":
            continue
        if _charges(graded.results.get(result.charged_with), result.hint):
            results[item.id] = _given(result, f"The same mistake as in {result.charged_with}, charged there.")
        elif result.only:
            where = (assignment.part(item.part).file if item.part else None, result.only)
            if where in seen:
                results[item.id] = _given(result, f"Only where {result.only} is 1, as in {seen[where]}, charged there.")
            else:
                seen[where] = item.id
    return replace(graded, results=results)


def _charges(result: CheckResult | None, mistake: str) -> bool:
    """Whether that item is charged for this very mistake: a value that anybody could send is no sign of it."""
    return result is not None and result.status == "failed" and not result.charged_with and result.hint == mistake


def _given(result: CheckResult, why: str) -> CheckResult:
    return replace(result, status="passed", credit=1.0, message="", hint="", reason="", notes=(why, *result.notes))
