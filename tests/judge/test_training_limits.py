"""What ends a training or an evaluation, and whose fault it may be."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from grader.assignment.assignment import Budget, Item
from grader.datasets.source import DataSource
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
