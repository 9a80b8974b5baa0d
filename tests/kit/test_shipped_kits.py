"""The kits of the shipped assignments: nothing of a hidden item or a solution, and the same verdicts on right work."""

import pytest

from grader.assignment.locate import Folders, known_slugs
from grader.commands.shared import open_assignment
from grader.intake import take
from grader.kit import making, proving
from grader.proof.reference import lay_out
from grader.run.engine import Engine, Order, Recordings
from grader.run.grading import PUBLIC_SEED, automatic_items, judge_all

SHIPPED = [slug for slug in known_slugs() if open_assignment(slug, None)[1].kit]


@pytest.fixture(scope="module", params=SHIPPED)
def made(request, tmp_path_factory):
    """(assignment, the kit's folder, what is needed of it, the recording of all items)."""
    folders, assignment = open_assignment(request.param, None)
    root = tmp_path_factory.mktemp(request.param)
    kit: Folders = making.fill(assignment, folders, root / "kit")
    items = tuple(name for name in automatic_items(assignment) if assignment.item(name).training is None)
    order = Order(folders=folders, seed=PUBLIC_SEED, items=items, portable=True, recordings=Recordings(cache=root))
    with Engine(order) as engine:
        return assignment, root / "kit", kit, engine.recording


def test_all_that_ship_have_a_kit():
    assert len(SHIPPED) == 6, "all but numpy_backprop"


def test_nothing_is_given_away(made):
    assignment, folder, _, whole = made
    assert list(proving.given_away(assignment, folder, whole)) == []
    assert list(proving.solution_lines(assignment, folder)) == []
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and path.suffix != ".whl")
    assert size <= 3 << 20


def test_the_reference_passes_and_the_template_is_not_attempted(made, tmp_path):
    assignment, folder, kit, _ = made
    lay_out(assignment, tmp_path / "reference")
    paths = [tmp_path / "reference", folder / making.WORK]
    found = take(paths, assignment, (tmp_path / "work").resolve(), single=True)
    public = tuple(item.id for item in assignment.items if item.id in assignment.kit)
    order = Order(
        folders=kit, seed=PUBLIC_SEED, items=public, portable=True, recordings=Recordings(given=kit.recording)
    )
    with Engine(order) as engine:
        right, template = judge_all(engine, found, seed=PUBLIC_SEED, items=public)
    assert {name: result.status for name, result in right.results.items()} == dict.fromkeys(public, "passed")
    assert {name: result.status for name, result in template.results.items()} == dict.fromkeys(public, "not_attempted")
