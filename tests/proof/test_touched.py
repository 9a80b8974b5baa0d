"""A proof runs of a mistake the items that run what it changes: no other item can have another verdict."""

import pytest
from tiny_assignment import tiny

from grader.commands.verify import items_of, plain_items
from grader.proof.demands import Claim
from grader.proof.kept import edited_sources, read_kept
from grader.proof.touched import changed_in, touched
from grader.run.engine import Engine, Order
from grader.run.grading import PUBLIC_SEED


@pytest.fixture(scope="module")
def examined():
    folders, assignment = tiny()
    with Engine(Order(folders=folders, seed=PUBLIC_SEED, items=plain_items(assignment))) as engine:
        return engine.examine()


def test_what_runs_for_an_item_is_known_by_name(examined):
    assert examined["gate.forward"].runs == ("Gate.__init__", "Gate.forward")
    assert examined["softmax.values"].runs == ("softmax",)
    assert {"Scorer.forward", "Gate.forward"} <= set(examined["scorer.forward"].runs)


def test_every_mistake_runs_what_it_fails_and_few_others(examined):
    _, assignment = tiny()
    every = plain_items(assignment)
    shares = []
    for kept in read_kept(assignment.suite):
        if kept.edits:
            run = items_of(Claim(key=kept.name, title="", kept=kept), assignment, examined)
            changed = changed_in(assignment.reference, edited_sources(kept, assignment.reference))
            if kept.kind == "wrong" and not kept.breaks:
                assert set(kept.fails) & set(every) <= {*touched(changed, every, examined)}, kept.name
            assert set(kept.charged) <= set(run)
            shares.append(len(run) / len(every))
    assert min(shares) < 0.5


def test_where_more_than_bodies_differs_everything_runs(examined):
    _, assignment = tiny()
    every = plain_items(assignment)
    assert touched(None, every, examined) == every
    text = (assignment.reference / "layers.py").read_text()
    assert changed_in(assignment.reference, {"layers.py": "LIMIT = 3\n" + text}) is None


def test_where_nothing_is_known_everything_runs(examined):
    _, assignment = tiny()
    every = plain_items(assignment)
    assert touched(frozenset({"softmax"}), ("gate.forward", "a training"), examined) == ("a training",)
    assert touched(frozenset({"softmax", "while_loading"}), every, examined) == every
