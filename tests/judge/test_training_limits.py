"""What ends a training or an evaluation, and whose fault it may be."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from grader.assignment.assignment import Budget, Item
from grader.datasets.source import DataSource
from grader.judge import training_run
from grader.judge.sides import Ended, ReferenceSide
from grader.judge.training_run import Gym, TrainingRun, others_may_be_to_blame
from grader.judge.verdicts import KILLED
from grader.model import Died, Malformed, OutOfMemory, Raised, TimedOut, Values
from grader.sandbox.base import Site
from grader.suite.training import Trained


@pytest.mark.parametrize(
    ("observation", "device", "expected"),
    [
        (TimedOut(seconds=9, clock="wall"), "cpu", True),
        (TimedOut(seconds=9, clock="processor"), "cpu", False),
        (OutOfMemory(limit_mib=9), "cuda", True),
        (OutOfMemory(limit_mib=9), "cpu", False),
        (Died(how=KILLED), "cpu", True),
        (Died(how="killed by SIGSEGV (segmentation fault)"), "cpu", False),
        (Raised(kind="ValueError", message="", where=""), "cuda", False),
        (Malformed(what=""), "cuda", False),
        (Values(values={}), "cuda", False),
    ],
)
def test_what_other_trainings_may_have_caused_is_repeated_alone(observation, device, expected):
    assert others_may_be_to_blame(observation, device) is expected


def test_claims_of_missing_modules_do_not_make_a_training_longer(monkeypatch):
    missing = Raised(kind="ModuleNotFoundError", message="No module named 'colorsys'", where="")
    clock, walls = SimpleNamespace(now=0.0), []

    def ask(process, kind, request, limits, wall=None):
        if kind == "run":
            walls.append(wall)
            clock.now += 5.0
        return missing if kind == "run" else Values(values={})

    monkeypatch.setattr(training_run, "ask", ask)
    monkeypatch.setattr(training_run.time, "perf_counter", lambda: clock.now)
    process = SimpleNamespace(dead=False, gpu=None, kill=lambda: None)
    sandbox = SimpleNamespace(start=lambda site, limits: process, preload=lambda names: True)
    site = Site(root=Path("/nowhere"), files=())
    gym = Gym(sandbox=sandbox, site=site, source=DataSource(made=True), seed="s", alone=lambda alone: nullcontext())
    item, reference = Item(id="late", question="1", points=1), ReferenceSide(None, None, {})
    run = TrainingRun(gym, item, Budget(steps=1, seconds=6), 0, reference)
    with pytest.raises(Ended):
        run.train(lambda modules: {}, given={})
    assert walls == [12, 7, 2]


def test_all_answers_together_have_a_limit():
    """Each of them may be quick enough by itself."""

    def probe(modules):
        return {}

    site = Site(root=Path("/nowhere"), files=())
    gym = Gym(sandbox=None, site=site, source=DataSource(made=True), seed="s", alone=lambda alone: nullcontext())
    item, reference = Item(id="slow", question="1", points=1), ReferenceSide(None, None, {})
    run = TrainingRun(gym, item, Budget(steps=1, seconds=3), 0, reference)
    run.attempt.evaluation_seconds = 12.5
    with pytest.raises(Ended) as ended:
        run.predictor(probe, Trained(weights={}, start={}))({})
    assert ended.value.observation == TimedOut(seconds=12)


class _Workers:
    """A sandbox whose workers tell how many others of them lived when they were asked."""

    def __init__(self):
        self.living = []

    def start(self, site, limits):
        worker = _Worker(self)
        self.living.append(worker)
        return worker


class _Worker:
    gpu = None

    def __init__(self, house):
        self.house, self.dead = house, False

    def kill(self):
        self.dead = True

    def ending(self):
        if self.dead and self in self.house.living:
            self.house.living.remove(self)  # gone only for those who wait


def test_a_predictor_whose_answers_count_is_gone_before_its_examiners_begin(monkeypatch):
    """Or it could tell them, by locks on files, what it saw."""

    def probe(modules):
        return {}

    house = _Workers()
    site = Site(root=Path("/nowhere"), files=())
    gym = Gym(sandbox=house, site=site, source=DataSource(made=True), seed="s", alone=lambda alone: nullcontext())
    item, reference = Item(id="slow", question="1", points=1), ReferenceSide(None, None, {})
    run = TrainingRun(gym, item, Budget(steps=1, seconds=3), 0, reference)
    seen = []
    monkeypatch.setattr(
        training_run, "ask", lambda process, *rest: seen.append(list(house.living)) or Values(values={})
    )
    trained, untrained = (run.predictor(probe, Trained(weights={}, start={})) for _ in range(2))
    for predict in (trained, trained.fresh(), untrained, trained.fresh(), trained):
        predict({})
    assert all(len(living) == 1 for living in seen)
    assert len({id(living[0]) for living in seen}) == 5
