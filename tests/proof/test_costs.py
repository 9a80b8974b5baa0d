"""What known mistakes cost, and that one mistake takes points of one item."""

from pathlib import Path

import pytest
from tiny_assignment import tiny

from grader.errors import AuthorError
from grader.model import CheckResult, Graded
from grader.proof.costs import cost_lines, cost_of, holds_one_mistake, summary, too_many_charged
from grader.proof.demands import Claim, judge_claim
from grader.proof.kept import Edit, Kept, read_kept

EDITS = (Edit(file="layers.py", find="a", replace="b"),)
NOTHING_MORE = "nothing else of it runs"


def kept(**more):
    values = {"name": "one", "kind": "wrong", "path": Path("one.yaml"), "title": "one", "edits": EDITS}
    return Kept(**{**values, "fails": ("gate.forward",), **more})


def graded(*failed, **results):
    _, assignment = tiny()
    passed = {entry.id: CheckResult(item=entry.id, status="passed", credit=1.0) for entry in assignment.items}
    wrong = {name: CheckResult(item=name, status="failed") for name in failed}
    return Graded(key="one", results={**passed, **wrong, **results}), assignment


def test_the_share_is_what_is_lost_of_all_points():
    found, assignment = graded("gate.forward")
    cost = cost_of(kept(), found, assignment)
    assert cost.points == assignment.item("gate.forward").points
    assert cost.share == float(cost.points / assignment.total)


@pytest.mark.parametrize(
    ("more", "complaints"),
    [
        ({}, 0),
        ({"fails": ("gate.forward", "gate.gradients")}, 1),
        ({"also": {"gate.gradients": NOTHING_MORE}}, 0),
        ({"fails": ("gate.forward", "gate.gradients"), "several": True}, 0),
    ],
)
def test_more_than_its_own_item_has_to_be_explained(more, complaints):
    assert len(too_many_charged(kept(**more), tiny()[1])) == complaints


def test_what_is_explained_has_to_fail_and_what_follows_to_follow():
    found, assignment = graded("gate.forward")
    entry = kept(also={"gate.gradients": NOTHING_MORE})
    [problem] = judge_claim(Claim(key="one", title="one", kept=entry), found, assignment).problems
    assert problem == "passes gate.gradients, which it must fail"
    entry = kept(follows=("gate.gradients",), hint="")
    [problem] = judge_claim(Claim(key="one", title="one", kept=entry), found, assignment).problems
    assert problem.startswith("gate.gradients does not differ as the known mistake does")


def test_submissions_of_their_own_and_right_ones_hold_no_single_mistake():
    assert holds_one_mistake(kept())
    for more in ({"edits": ()}, {"equivalent": "names are free"}, {"several": True}, {"kind": "correct"}):
        assert not holds_one_mistake(kept(**more))


def test_the_table_has_a_row_for_each_item_and_the_reasons():
    found, assignment = graded("gate.forward")
    entries = [kept(), kept(name="two"), kept(name="three", also={"gate.gradients": NOTHING_MORE})]
    costs = [(entry, cost_of(entry, found, assignment)) for entry in entries]
    *_, last, more = cost_lines("tiny", costs)
    assert last.startswith("| gate.forward |")
    assert last.endswith("| one, two |")
    assert more.endswith(f"| three ({NOTHING_MORE}) |")
    assert "1 take more than their own item and say why: three" in summary(costs)


@pytest.mark.parametrize(
    "text", ["also: [a]", "also: {a: ''}", "also: {a: 1}", "follows: [a]"], ids=["list", "empty", "number", "no hint"]
)
def test_an_explanation_without_a_reason_is_refused(tmp_path, text):
    folder = tmp_path / "submissions" / "wrong"
    folder.mkdir(parents=True)
    (folder / "one.yaml").write_text(f"title: t\nedits: [{{file: m.py, find: a, replace: b}}]\nfails: [x]\n{text}\n")
    with pytest.raises(AuthorError, match=r"also:|follows:"):
        read_kept(tmp_path)
