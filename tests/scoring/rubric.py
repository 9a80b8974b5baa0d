"""Small rubrics for the tests of scoring."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from grader.assignment.assignment import Assignment, Consequence, ExpectedFile, Item, Needs, Part, Question, Rule
from grader.model import CheckResult, Graded, Violation


def item(name: str, points: str = "2", question: str = "1", **more: Any) -> Item:
    part = None if more.get("kind") == "manual" else question
    return Item(**{"id": name, "question": question, "points": Decimal(points), "part": part, **more})


def rule(
    name: str, action: Any, scope: Any = "everything", target: tuple[str, ...] = (), amount: str = "0", **more: Any
):
    consequence = Consequence(action=action, scope=scope, target=target, amount=Decimal(amount))
    return Rule(id=name, kind="forbidden", title=f"about {name}", names=("x",), consequence=consequence, **more)


def assignment(*items: Item, **more: Any) -> Assignment:
    """Items a..; questions 1 and 2 (programming) and 3 (theory), each with a part of its number."""
    return Assignment(
        **{
            "slug": "hw",
            "title": "Homework",
            "suite": Path("suite"),
            "reference": Path("reference"),
            "template": Path("template"),
            "total": sum((entry.points for entry in items if not entry.extra_credit), Decimal(0)),
            "files": (ExpectedFile(id="f", path="f.py"), ExpectedFile(id="g", path="g.py")),
            "questions": (
                Question(id="1", title="One"),
                Question(id="2", title="Two"),
                Question(id="3", title="Three", group="theory"),
            ),
            "parts": tuple(Part(id=number, title=number, question=number, file="f") for number in "123"),
            "items": items,
            **more,
        }
    )


def passed(name: str, credit: float = 1.0, **more: Any) -> CheckResult:
    status = "passed" if credit == 1 else "failed"
    return CheckResult(**{"item": name, "status": status, "credit": credit, **more})


def graded(*results: CheckResult, broken: tuple[str, ...] = (), **more: Any) -> Graded:
    return Graded(
        **{
            "key": "ann",
            "results": {result.item: result for result in results},
            "violations": tuple(Violation(rule=name, message=f"{name} is broken") for name in broken),
            **more,
        }
    )


NEEDS_F = Needs(file="f")
