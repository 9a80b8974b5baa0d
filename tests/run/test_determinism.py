"""The seed decides the cases, and nothing else does: neither the items asked for, nor the back end, nor the class."""

import dataclasses
import sys

import pytest
from tiny_assignment import ITEMS, copy_of_the_assignment, edit, open_for_workers, submission, tiny

from grader.run.engine import Engine, Order
from grader.run.grading import grade_in_memory

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="compares the two back ends")

WRONG = {"model.py": (".mean(dim=1)", ".sum(dim=1)"), "layers.py": ("torch.tanh(self.content(x))", "self.content(x)")}


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    return submission(open_for_workers(tmp_path_factory.mktemp("wrong")), "wrong", WRONG)


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return submission(open_for_workers(tmp_path_factory.mktemp("other")), "other")


def judged(found, seed, items=ITEMS, *, workers="confined"):
    """{item: result without times and places} of the submission called wrong."""
    folders, assignment = tiny()
    graded = grade_in_memory(assignment, folders, found, seed=seed, items=items, workers=workers)
    [mine] = [entry for entry in graded if entry.key == "wrong"]
    return {name: dataclasses.replace(result, seconds=0.0) for name, result in mine.results.items()}


@pytest.fixture(scope="module")
def plain(wrong):
    return judged([wrong], "one")


def test_the_same_seed_gives_the_same_results_in_any_company(plain, wrong, other):
    assert judged([other, wrong], "one") == plain


def test_the_same_seed_gives_the_same_results_for_some_items(plain, wrong):
    some = ("scorer.forward", "gate.gradients")
    assert judged([wrong], "one", some) == {name: plain[name] for name in some}


def test_another_seed_gives_other_cases_and_the_same_verdicts(plain, wrong):
    again = judged([wrong], "two")
    assert {name: result.status for name, result in again.items()} == {n: r.status for n, r in plain.items()}
    name = "softmax.values"
    assert again[name].observation != plain[name].observation, "of the last case drawn"


@pytest.mark.parametrize("workers", ["plain", "spawned"])
def test_what_holds_code_back_changes_no_result(plain, wrong, workers):
    assert judged([wrong], "one", workers=workers) == plain


def digests(folders, seed="one"):
    with Engine(Order(folders=folders, seed=seed)) as engine:
        return {name: facts.digest for name, facts in engine.items.items()}


@pytest.fixture(scope="module")
def before():
    return digests(tiny()[0])


def test_a_changed_test_makes_only_its_own_item_stale(before, tmp_path):
    root = copy_of_the_assignment(tmp_path / "assignments")
    suite = root / "test_suites" / "tiny"
    edit(suite / "test_tiny.py", 'Each rate should be smaller than the one before.")', 'Each rate should be smaller.")')
    edit(
        suite / "probes.py",
        'return {"out": modules["layers"].softmax(scores)}',
        'out = modules["layers"].softmax(scores)\n    return {"out": out}',
    )
    edit(suite / "cases.py", "low=-1, high=self.classes", "low=0, high=self.classes")
    edit(
        suite / "cases.py", "scorer_cases():\n    return", "scorer_cases():\n    # the same cases as before\n    return"
    )
    after = digests(tiny(root)[0])
    stale = {name for name in before if before[name] != after[name]}
    assert stale == {"rates.decrease", "softmax.values", "softmax.stable", "count.right"}


def test_other_sizes_make_an_item_stale(before, tmp_path):
    root = copy_of_the_assignment(tmp_path / "assignments")
    edit(root / "test_suites" / "tiny" / "cases.py", "batch=sizes(1, 9)", "batch=sizes(1, 8)")
    after = digests(tiny(root)[0])
    assert {name for name in before if before[name] != after[name]} == {"count.right"}
