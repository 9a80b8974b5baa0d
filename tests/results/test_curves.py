"""Curves in little memory are the very points that were stored."""

import copy
import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.model import CheckResult
from grader.reports import full
from grader.results.curves import Curve, compact

NAMES = st.lists(st.text(min_size=1, max_size=8), unique=True, max_size=3)


@st.composite
def curves(draw):
    names = draw(NAMES)
    steps = draw(st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
    numbers = st.floats(allow_nan=False)
    return [[step, {name: draw(numbers) for name in names}] for step in steps]


@given(curves())
def test_a_curve_reads_like_its_points(points):
    curve = compact(points)
    assert curve == points == list(copy.deepcopy(curve))
    assert (curve[0], curve[-1], curve[1:3], len(curve)) == (points[0], points[-1], points[1:3], len(points))
    assert json.dumps(curve, default=list) == json.dumps(points)
    with pytest.raises(IndexError):
        curve[len(points)]


@pytest.mark.parametrize(
    "points",
    [
        [], None, "curve", [[1, {"loss": 2}]], [[1, {"loss": 2.0}], [2, {"error": 1.0}]], [[1.5, {"loss": 2.0}]],
        [[1, {"loss": None}]], [[2**70, {"loss": 1.0}]], [[1]], [[1, [2.0]]], [[True, {"loss": 1.0}]],
    ],
)  # fmt: skip
def test_what_would_not_come_back_stays_as_it_is(points):
    assert compact(points) is points


def test_a_curve_is_written_like_its_points():
    points = [[1, {"loss": 2.5, "norm": 1.0}], [2, {"loss": 1.5, "norm": 3.0}]]
    plain, small = (
        CheckResult(item="a", status="passed", figures={"training": {"curve": curve}})
        for curve in (points, compact(points))
    )
    assert isinstance(small.figures["training"]["curve"], Curve)
    assert plain == small
    assert json.dumps(asdict(small), default=list) == json.dumps(asdict(plain))
    assert full.text({"result": small}) == full.text({"result": plain})
    assert full.text({"list": [small]}) == full.text({"list": [plain]})
