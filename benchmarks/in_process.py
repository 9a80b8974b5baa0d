"""A suite's own tests in this process, with the reference's side and the recorded cases, and no engine around them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TypeVar

from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders
from grader.judge.main import import_probes, versions
from grader.judge.plugin import JudgePlugin, run_suite
from grader.judge.preparing import prepare
from grader.judge.settings import Settings
from grader.judge.stock import Stock
from grader.judge.submissions import Trial
from grader.suite.agreement import DEFAULT_TOLERANCES, tolerances

Found = TypeVar("Found")


def with_trial(folders: Folders, assignment: Assignment, use: Callable[[Trial], Found]) -> Found:
    """What `use` makes of what all submissions to a suite share. What pytest prints goes to standard error."""
    tolerances.set({**DEFAULT_TOLERANCES, **assignment.tolerances})
    probes = import_probes(assignment)
    settings = Settings(
        suite=folders.suite, reference=folders.reference, template=folders.template, seed="1", items=None,
        suite_report=None, seconds_per_submission=0.0, source=None, device="cpu", gpu={}, cache=None, recording=None,
        hidden_anywhere=True,
    )  # fmt: skip
    found: list[Found] = []

    def serve(plugin: JudgePlugin) -> None:
        found.append(use(prepare(plugin, settings, probes, Stock(settings, assignment, versions()), forks=False)))

    with contextlib.redirect_stdout(sys.stderr):
        run_suite(JudgePlugin(assignment, serve), None)
    return found[0]
