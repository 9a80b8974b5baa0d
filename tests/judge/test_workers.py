"""The worker of a submission: what it claims to miss, and the time that it has for that."""

import time
from types import SimpleNamespace

import pytest

from grader.assignment.assignment import Limits
from grader.judge import workers
from grader.model import Raised, TimedOut, Values
from grader.wire.frames import encode

MISSING = Raised(kind="ModuleNotFoundError", message="No module named 'colorsys'", where="")
LIMITS = Limits(wall_seconds=20.0)


@pytest.fixture
def asked(monkeypatch):
    """Ask a worker whose answers take `seconds` on a clock of the test: what came, and the time each had."""

    def run(answers, seconds, wall=None, preload=0.0):
        clock, left = SimpleNamespace(now=0.0), []
        monkeypatch.setattr(workers, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=time.sleep))

        def ask(process, kind, request, limits, wall):
            wall = limits.wall_seconds if wall is None else wall
            left.append(wall)
            clock.now += min(seconds, wall)
            return answers.pop(0) if seconds < wall else TimedOut(seconds=limits.wall_seconds)

        def preloaded(names):
            clock.now += preload
            return True

        monkeypatch.setattr(workers, "ask", ask)
        process = SimpleNamespace(dead=False, kill=lambda: None)
        sandbox = SimpleNamespace(start=lambda site, limits: process, preload=preloaded)
        return workers.Workers(sandbox, None, LIMITS).run(encode({}), LIMITS, wall), left

    return run


def test_a_module_that_the_zygote_lacks_is_fetched_and_the_question_asked_again(asked):
    found, left = asked([MISSING, Values(values={})], 0.5)
    assert isinstance(found, Values)
    assert left == [20.0, 19.5]


def test_all_answers_together_have_the_time_of_one(asked):
    found, left = asked([MISSING] * 6, 18.5)
    assert isinstance(found, TimedOut)
    assert left == [20.0, 1.5]


def test_the_time_that_the_item_has_left_is_the_time_of_all(asked):
    _, left = asked([MISSING] * 6, 4.0, wall=10.0)
    assert left == [10.0, 6.0, 2.0]


def test_what_the_zygote_needs_is_not_the_submissions_time(asked):
    found, left = asked([MISSING, Values(values={})], 1.0, preload=100.0)
    assert isinstance(found, Values)
    assert left == [20.0, 19.0]
