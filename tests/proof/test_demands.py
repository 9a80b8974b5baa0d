"""What a kept submission must earn: a known mistake's hint is that of a failing item, not words in its message."""

from pathlib import Path

import pytest
from tiny_assignment import tiny

from grader.model import CheckResult, Graded
from grader.proof.demands import Claim, judge_claim
from grader.proof.kept import Kept

HINT = "equals the sum"


@pytest.mark.parametrize(("message", "accepted"), [("out differs: equals the sum", True), ("out differs", False)])
def test_a_sentence_of_the_test_is_looked_for_in_the_messages(message, accepted):
    _, assignment = tiny()
    results = {entry.id: CheckResult(item=entry.id, status="passed", credit=1.0) for entry in assignment.items}
    results["scorer.forward"] = CheckResult(item="scorer.forward", status="failed", message=message, hint=HINT)
    kept = Kept(name="one", kind="wrong", path=Path("one.yaml"), title="one", fails=("scorer.forward",), message=HINT)
    finding = judge_claim(Claim(key="one", title="one", kept=kept), Graded(key="one", results=results), assignment)
    assert (finding.problems == ()) == accepted


@pytest.mark.parametrize(
    ("item", "message", "hint", "accepted"),
    [
        ("scorer.forward", "out differs", "equals the sum over time instead of the mean", True),
        ("scorer.forward", "ValueError: equals the sum", "", False),
        ("scorer.forward", "ValueError: equals the sum", "equals another mistake", False),
        ("gate.forward", "out differs", "equals the sum over time instead of the mean", False),
    ],
)
def test_the_hint_is_that_of_an_item_that_fails(item, message, hint, accepted):
    _, assignment = tiny()
    passed = {entry.id: CheckResult(item=entry.id, status="passed", credit=1.0) for entry in assignment.items}
    failed = CheckResult(item="scorer.forward", status="failed", message=message)
    results = {**passed, "scorer.forward": failed}
    results[item] = CheckResult(item=item, status=results[item].status, message=message, hint=hint)
    kept = Kept(name="one", kind="wrong", path=Path("one.yaml"), title="one", fails=("scorer.forward",), hint=HINT)
    graded = Graded(key="one", results=results, violations=())
    problems = judge_claim(Claim(key="one", title="one", kept=kept), graded, assignment).problems
    assert bool([line for line in problems if "hint" in line]) != accepted


@pytest.mark.parametrize(
    ("message", "clear"),
    [
        ("AttributeError: 'NoneType' object has no attribute 'requires_grad'", False),
        ("KeyError: 'W_h'", False),
        ("hw.ipynb: Expecting value: line 1 column 1 (char 0)", False),
        ("out should be a tensor, it is <object object at 0x7f00>", False),
        ("out should be a tensor of shape (2, 3), it is None.", True),
        ("KeyError: 'W_h' (there is no entry of that name; print the names that are there)", True),
        ("ValueError: too wide", True),
    ],
)
def test_no_message_names_an_inside_of_python_without_words(message, clear):
    _, assignment = tiny()
    results = {entry.id: CheckResult(item=entry.id, status="passed", credit=1.0) for entry in assignment.items}
    results["scorer.forward"] = CheckResult(item="scorer.forward", status="failed", message=message)
    kept = Kept(name="one", kind="wrong", path=Path("one.yaml"), title="one", fails=("scorer.forward",))
    problems = judge_claim(Claim(key="one", title="one", kept=kept), Graded(key="one", results=results), assignment)
    assert (problems.problems == ()) == clear
