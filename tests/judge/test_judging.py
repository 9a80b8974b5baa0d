"""What a submission says has no way to make a message too long to be sent."""

import dataclasses
import json

import pytest

from grader.judge.judging import ROOM, fitting
from grader.model import CheckResult

LONG = "\U0001f600" * 30_000


def length(result):
    return len(json.dumps(dataclasses.asdict(result)))


def test_what_fits_is_left_alone():
    result = CheckResult(item="a", status="passed", credit=1.0, output="x" * 3000, notes=("n",) * 20)
    assert fitting(result) is result


@pytest.mark.parametrize("name", ["output", "staff", "observation", "hint"])
def test_what_is_left_out_costs_nothing(name):
    result = CheckResult(item="a", status="passed", credit=1.0, message="said", **{name: LONG})
    assert fitting(result) == dataclasses.replace(result, **{name: ""})


def test_a_long_message_is_cut():
    found = fitting(CheckResult(item="a", status="failed", message=LONG, notes=(LONG,)))
    assert found.status == "failed"
    assert found.message.startswith(LONG[:100])
    assert length(found) <= ROOM


def test_figures_that_fit_nowhere_are_an_unusable_result():
    found = fitting(CheckResult(item="a", status="passed", credit=1.0, figures={LONG: 1}))
    assert (found.status, found.credit, found.reason) == ("failed", 0.0, "unusable result")
    assert length(found) <= ROOM
