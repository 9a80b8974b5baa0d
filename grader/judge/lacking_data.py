"""Which trainings have their data here, found out before the first submission is judged.

A training's test says what it needs when it calls `training.data(…)`, so it is played up to there, in a forked process:
the data goes with it, and nothing that reading it changed is left behind.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

import pytest
import torch

from grader.datasets.source import DamagedData, DataSource, MissingData
from grader.judge.drawing import inner_of
from grader.judge.handed import reference_handed
from grader.judge.plugin import Stage
from grader.judge.reference_run import Recorded
from grader.judge.submissions import Trial
from grader.judge.training_run import Gym, TrainingRun
from grader.sandbox.base import Process, Sandbox, Site

T = TypeVar("T")


class _Answered(Exception):
    """The test has its data, or goes on without any; nothing more is wanted of it."""


class _Asking(TrainingRun):
    """A training that ends where it would begin. `there` are the functions whose data is known to be there."""

    there: set[object]

    def data(self, build: Callable[[DataSource, torch.Generator], T]) -> T:
        """Read the data, if no other training has, and end."""
        if build not in self.there:
            super().data(build)
            self.there.add(build)
        raise _Answered

    def worker(self) -> Process:
        """Nothing is trained."""
        raise _Answered


def data_of_trainings(trial: Trial, sandbox: Sandbox) -> Mapping[str, str]:
    """{item: what its data lacks, "" where all is there}, of the trainings on real data; only what is known."""
    trainings = [recorded for recorded in trial.records.values() if recorded.item.training is not None]
    if trial.source is None or trial.source.made or not trainings:
        return {}
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        _answer(trial, sandbox, trainings, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    with suppress(ValueError):
        found: Mapping[str, str] = json.loads(answer)
        return found
    return {}  # it died, for want of memory, say: then every item says by itself what is wrong


def _answer(trial: Trial, sandbox: Sandbox, trainings: Sequence[Recorded], writing: int) -> None:
    """The forked side; never returns."""
    from grader.sandbox.confine import PR_SET_PDEATHSIG, prctl

    try:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        there = set[object]()
        found = {one.item.id: text for one in trainings if (text := _asked(trial, sandbox, one, there)) is not None}
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(json.dumps(found).encode())
    finally:
        os._exit(0)


def _asked(trial: Trial, sandbox: Sandbox, recorded: Recorded, there: set[object]) -> str | None:
    """What the data of one item lacks; None when its test does not come to ask for any."""
    assert trial.source is not None
    assert recorded.item.training is not None
    budget = recorded.item.training.budget(trial.source.kind)
    if budget is None:
        return None
    site = Site(root=trial.assignment.suite, files=())
    gym = Gym(sandbox=sandbox, site=site, source=trial.source, seed=trial.seed, alone=trial.alone)
    run = _Asking(gym, recorded.item, budget, 0, trial.reference)
    run.there = there
    found: list[str] = []

    def perform(test: pytest.Function, fixtures: dict[str, object]) -> None:
        try:
            inner_of(test.obj)(**fixtures)
        except _Answered:
            found.append("")
        except (MissingData, DamagedData) as trouble:
            found.append(str(trouble))

    handed = reference_handed(trial.assignment)
    with trial.plugin.staged(Stage(trial.reference, trial.reference, handed, perform, run)):
        trial.plugin.run(recorded.item.id, log=False)
    return found[0] if found else None
