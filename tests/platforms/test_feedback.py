"""Tries and messages of the profile `submission`, and what a leaderboard shows."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.assignment.assignment import Feedback
from grader.model import CheckResult
from grader.platforms.base import Task
from grader.platforms.feedback import differing_total, is_brief, leaders, too_many

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def task(*hours_before, at=NOON):
    earlier = tuple((at - timedelta(hours=hours)).isoformat() for hours in hours_before)
    return Task(paths=(Path("x"),), submitted_at=at.isoformat(), previous=earlier)


@pytest.mark.parametrize(
    ("tries", "earlier", "free"),
    [
        (0, (1, 2, 3), None),
        (2, (), None),
        (2, (1,), None),
        (2, (1, 30), None),
        (2, (1, 2), "2026-03-02 10:00"),
        (2, (0.5, 1, 2), "2026-03-02 10:00"),  # what was handed back used up no try
        (2, (1, 23, 23.5), "2026-03-01 12:30"),
        (1, (24,), None),
    ],
)
def test_tries_are_those_that_were_judged_within_the_hours(tries, earlier, free):
    said = too_many(Feedback(tries=tries), task(*earlier))
    assert bool(said) is (free is not None)
    assert free is None or f"judged from {free} UTC on" in said


@given(st.lists(st.floats(0.01, 100), max_size=30), st.integers(1, 4))
def test_nobody_waits_longer_than_the_window(hours, tries):
    """Whoever hands in nothing for as long as the window is judged again."""
    assert not too_many(Feedback(tries=tries, hours=5), task(*(5 + entry for entry in hours)))


@pytest.mark.parametrize("moment", [None, "", "yesterday", "2026-03-01T12:00:00"])
def test_without_a_time_everything_is_judged(moment):
    known = Task(paths=(Path("x"),), submitted_at=moment, previous=(NOON.isoformat(),))
    assert not too_many(Feedback(tries=1), known)


def test_messages_end_with_their_attempts_and_their_date():
    assert not is_brief(Feedback(), task(1, 2, 3))
    assert not is_brief(Feedback(messages=2), task(1))
    assert is_brief(Feedback(messages=2), task(1, 2))
    assert is_brief(Feedback(messages_until="2026-03-01T12:59:00+01:00"), task(at=NOON))
    assert not is_brief(Feedback(messages_until="2026-03-01T13:01:00+01:00"), task(at=NOON))


@pytest.mark.parametrize(("stated", "wrong"), [("100.0", False), ("100", False), ("", False), ("80.0", True)])
def test_points_that_differ_are_told(stated, wrong):
    assert bool(differing_total(stated, Decimal("100"), "hw")) is wrong


def test_the_leaderboard_shows_measured_figures_alone():
    figure = {"training": {"counts": True, "value": 3.14159, "source": "made"}}
    refused = {"training": {"counts": False, "value": 1.0, "source": "made"}}
    lines = [
        SimpleNamespace(item=name, title=name.title(), result=CheckResult(item=name, status="passed", figures=figures))
        for name, figures in (("ppl", figure), ("cheat", refused), ("other", figure))
    ]
    falls = SimpleNamespace(training=SimpleNamespace(higher_is_better=False))
    assignment = SimpleNamespace(leaderboard=("ppl", "cheat"), item=lambda name: falls)
    found = leaders(assignment, SimpleNamespace(lines=lines))
    assert found == ({"name": "Ppl", "value": 3.1416, "order": "asc"},)
    assert leaders(assignment, None) == ()
