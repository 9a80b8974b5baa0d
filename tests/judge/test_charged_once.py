"""One mistake is charged once: what follows from another item's, and what shows only where a size is 1."""

import sys

import pytest
from tiny_assignment import ITEMS, open_for_workers, submission, tiny

from grader.run.engine import Engine, Order
from grader.run.grading import judge_all
from grader.scoring import score
from grader.scoring.charging import charged_once

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="judges are forked on Linux only")

OPENED = "opened = torch.sigmoid(self.gate(x))"
RETURNED = "return torch.tanh(self.content(x)) * opened"
FOR_ONE = "return torch.tanh(self.content(x)) * (opened if len(x) > 1 else 1 - opened)"
EDITS = {
    "known": {"layers.py": (OPENED, "opened = self.gate(x)")},
    "known_and_more": {"layers.py": (OPENED, "opened = self.gate(x); x = x.detach()")},
    "only_the_gradients": {"layers.py": (OPENED, f"{OPENED}.detach()")},
    "for_one": {"layers.py": (RETURNED, FOR_ONE)},
    "squeezes_all": {"model.py": (".mean(dim=1)", ".squeeze().mean(dim=1)")},
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """{key: what the judge found, before anything is charged once}."""
    root = open_for_workers(tmp_path_factory.mktemp("once"))
    found = [submission(root, key, edits) for key, edits in EDITS.items()]
    with Engine(Order(folders=tiny()[0], seed="once")) as engine:
        return {entry.key: entry for entry in judge_all(engine, found, seed="once", items=ITEMS, jobs=2)}


def lines(graded):
    return {line.item: line for line in score(graded, tiny()[1]).lines}


def test_a_known_mistake_is_charged_by_its_own_item_alone(judged):
    before, after = judged["known"].results, lines(judged["known"])
    assert before["gate.gradients"].status == "failed"
    assert after["gate.forward"].state == "failed"
    assert after["gate.gradients"].state == "passed"
    assert after["gate.gradients"].result.notes == ("The same mistake as in gate.forward, charged there.",)


@pytest.mark.parametrize("key", ["known_and_more", "only_the_gradients"])
def test_what_differs_otherwise_is_charged_by_itself(judged, key):
    assert lines(judged[key])["gate.gradients"].state == "failed"


def test_without_the_item_that_charges_it_nothing_follows(judged):
    graded = judged["known"]
    alone = {"gate.gradients": graded.results["gate.gradients"]}
    results = charged_once(graded.__class__(key="x", results=alone), tiny()[1]).results
    assert results["gate.gradients"].status == "failed"


def test_a_mistake_that_shows_only_where_a_size_is_1_costs_a_part_of_one_item(judged):
    after = lines(judged["for_one"])
    first = after["gate.forward"]
    assert first.state == "partly"
    assert first.score == first.maximum * 8 / 10
    assert first.message.startswith("Only where batch is 1: with other sizes it agrees.\n")
    assert after["gate.gradients"].state == "passed"
    assert "charged there" in after["gate.gradients"].result.notes[0]


def test_several_sizes_of_1_are_named_together(judged):
    scorer = judged["squeezes_all"].results["scorer.forward"]
    assert set(scorer.only.split(" or ")) <= {"batch", "time"}
    assert scorer.message.startswith(f"Only where {scorer.only} is 1: with other sizes it agrees.")
