"""Autolab: the hand-in beside the makefile → everything on standard output, the scores as JSON on its last line.

The problems are the questions of the assignment ("Question 1.2"), to be configured under these names; those in which
nothing was judged are left to a person. What rules took from the whole is a problem of its own, "Rules".
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.errors import UsageError
from grader.model import Report
from grader.platforms.base import BROKEN, Outcome, Task
from grader.reports import terminal
from grader.reports.words import by_question, number

RULES = "Rules"


class Autolab:
    """The platform with the hand-in at a path."""

    out: Path | None = None
    rewrites = False

    def __init__(self, root: Path = Path("handin")) -> None:
        self._handin = root

    def task(self) -> Task:
        """The one file, often an archive."""
        if not self._handin.exists():
            raise UsageError(
                f"there is no {self._handin}: Autolab puts the hand-in beside the makefile under this name"
            )
        return Task(paths=(self._handin,))

    def write(self, outcome: Outcome) -> None:
        """The feedback, once: whatever stands last on standard output counts."""
        sys.stdout.write(text(outcome))
        sys.stdout.flush()


def text(outcome: Outcome) -> str:
    """The feedback, and the scores on the last line."""
    report = outcome.report
    said = [outcome.trouble or None, BROKEN if report is None else terminal.check_text(report).rstrip("\n")]
    scores = {} if report is None else scores_of(report)
    return "\n".join([*filter(None, said), json.dumps({"scores": scores})]) + "\n"


def problems(assignment: Assignment) -> list[str]:
    """The names under which an instructor configures the problems."""
    return [*(problem(question.id) for question in assignment.questions), RULES]


def problem(question: str) -> str:
    """The name of a question's problem."""
    return f"Question {question}"


def scores_of(report: Report) -> dict[str, int | float]:
    """Problem → points, of the questions in which something was judged."""
    found: dict[str, Decimal] = {}
    for name, _, lines in by_question(report):
        judged = [line.score for line in lines if line.counted and line.score is not None]
        if judged:
            found[problem(name)] = sum(judged, Decimal(0))
    rest = report.score - sum(found.values(), Decimal(0))
    if rest:
        found[RULES] = rest
    return {name: number(value) for name, value in found.items()}
