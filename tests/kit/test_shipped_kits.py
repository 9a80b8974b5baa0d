"""The kits of the shipped assignments on a student's own machine. That they give nothing away is proven by `verify`."""

import pytest

from grader.assignment.locate import known_slugs
from grader.commands.shared import open_assignment
from grader.intake import take
from grader.kit import making
from grader.proof.reference import lay_out
from grader.run.engine import Engine, Order, Recordings
from grader.run.grading import PUBLIC_SEED, judge_all
from grader.sandbox.launch import unconfined


def test_all_that_ship_have_a_kit():
    without = [slug for slug in known_slugs() if not open_assignment(slug, None)[1].kit]
    assert without == ["numpy_backprop"]


@pytest.mark.parametrize("slug", ["cs7643_a4", "mldl1_hw4"])
def test_the_reference_passes_and_the_template_is_not_attempted(slug, tmp_path):
    folders, assignment = open_assignment(slug, None)
    kit = making.fill(assignment, folders, tmp_path / "kit")
    lay_out(assignment, tmp_path / "reference")
    paths = [tmp_path / "reference", tmp_path / "kit" / making.WORK]
    found = take(paths, assignment, (tmp_path / "work").resolve(), single=True)
    public = tuple(item.id for item in assignment.items if item.id in assignment.kit)
    order = Order(
        folders=kit, seed=PUBLIC_SEED, items=public, workers=unconfined(), recordings=Recordings(given=kit.recording)
    )
    with Engine(order) as engine:
        right, template = judge_all(engine, found, seed=PUBLIC_SEED, items=public)
    assert {name: result.status for name, result in right.results.items()} == dict.fromkeys(public, "passed")
    assert {name: result.status for name, result in template.results.items()} == dict.fromkeys(public, "not_attempted")
