"""Kept submissions of the shipped assignments, judged with the reference and from its recording alone."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_assignment import open_for_workers

from grader import intake
from grader.commands.shared import open_assignment
from grader.proof.kept import edited_sources, read_kept
from grader.proof.reference import lay_out
from grader.run.engine import Engine, Order, Recordings
from grader.run.grading import judge_all

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="grading a class needs Linux")

ROOT = Path(__file__).parents[2]
SLUGS = sorted(path.name for path in (ROOT / "test_suites").iterdir() if (path / "assignment.yaml").exists())
MISTAKES = 2


def handful(assignment):
    """The reference, and a few known mistakes from all over the assignment, with the items that they fail."""
    trained = {item.id for item in assignment.items if item.training is not None}
    plain = [k for k in read_kept(assignment.suite) if k.kind == "wrong" and k.edits and k.hint and k.fails]
    plain = [kept for kept in plain if not trained & set(kept.fails)]
    step = max(1, len(plain) // MISTAKES)
    chosen = plain[step // 2 :: step][:MISTAKES]
    return chosen, tuple(dict.fromkeys(name for kept in chosen for name in kept.fails))


def judged(folders, found, items, *, completes=False, **places):
    order = Order(folders=folders, seed="recorded", items=items, recordings=Recordings(**places))
    with Engine(order) as engine:
        recording = engine.complete() if completes else None
        graded = judge_all(engine, found, seed="recorded", items=items, jobs=2)
    results = {one.key: {n: replace(r, seconds=0.0) for n, r in one.results.items()} for one in graded}
    return results, {one.key: set(one.violations) for one in graded}, recording


@pytest.mark.parametrize("slug", SLUGS)
def test_results_are_the_same_without_the_reference(slug, tmp_path):
    folders, assignment = open_assignment(slug, ROOT)
    chosen, items = handful(assignment)
    (tmp_path / "handed-in").mkdir()
    root = open_for_workers(tmp_path / "handed-in")
    lay_out(assignment, root / "reference")
    for kept in chosen:
        lay_out(assignment, root / kept.name, edited_sources(kept, assignment.reference))
    paths = sorted(root.iterdir())
    found = intake.take(paths, assignment, open_for_workers(tmp_path).resolve() / "work", single=True)
    here, broken, recording = judged(folders, found, items, cache=tmp_path / "cache", completes=True)
    there, broken_there, _ = judged(replace(folders, reference=tmp_path / "nowhere"), found, items, given=recording)
    assert broken == broken_there
    assert {result.status for result in here["reference"].values()} == {"passed"}
    assert any(result.hint for results in here.values() for result in results.values())
    for key, results in here.items():
        for name, result in results.items():
            other = there[key][name]
            assert (other.status, other.credit, other.hint) == (result.status, result.credit, result.hint), (key, name)
            if other.case == result.case:  # else it was shrunk with the reference's help
                assert other == result, (key, name)


def test_a_mistake_in_a_cell_is_told_whatever_else_stands_there(tmp_path):
    """The test sends the cell's own text; what the known mistake answers is not bound to how another one is written."""
    folders, assignment = open_assignment("ece046211_hw3", ROOT)
    kept = next(entry for entry in read_kept(assignment.suite) if entry.name == "data_test_row_by_row")
    sources = edited_sources(kept, assignment.reference)
    (name,), (text,) = sources, sources.values()
    (tmp_path / "handed-in").mkdir()
    root = open_for_workers(tmp_path / "handed-in")
    sources[name] = text.replace(kept.edits[0].replace, f"{kept.edits[0].replace}  # the rest is cut off")
    lay_out(assignment, root / "own", sources)
    found = intake.take([root / "own"], assignment, open_for_workers(tmp_path).resolve() / "work", single=True)
    here, _, recording = judged(folders, found, kept.fails, cache=tmp_path / "cache", completes=True)
    there, _, _ = judged(replace(folders, reference=tmp_path / "nowhere"), found, kept.fails, given=recording)
    assert [results["own"]["data.tensors"].hint for results in (here, there)] == [kept.hint] * 2
