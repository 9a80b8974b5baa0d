"""What students must not see runs where their code is held back, or where it was asked for by name."""

from decimal import Decimal
from types import SimpleNamespace

import pytest

from grader.assignment.assignment import Item
from grader.judge.submissions import SubmissionJudge

STRICT = {"back end": "confined process", "system calls": "a list of what is allowed", "files": "x", "memory": "9 MiB"}
NONE = {"back end": "plain process", "files": "not confined"}


def judged(visibility, protections, *, anywhere=False, started=True):
    """What is said of an item, and whether a worker had to be started to know that."""
    said, sandbox = [], SimpleNamespace(protections=protections if started else {})
    workers = SimpleNamespace(present=lambda: setattr(sandbox, "protections", protections))
    judge = SimpleNamespace(
        _trial=SimpleNamespace(device="cpu", hidden_anywhere=anywhere), _job=SimpleNamespace(files={}), _training=None,
        _emit=said.append, _sandbox=sandbox, _workers=workers,
    )  # fmt: skip
    judge._holds_back = lambda: SubmissionJudge._holds_back(judge)
    item = Item(id="a", question="1", points=Decimal(1), part="1", visibility=visibility)
    assert SubmissionJudge._skipped(judge, item) is bool(said)
    return said


@pytest.mark.parametrize("visibility", ["hidden", "after_due_date", "after_published"])
def test_hidden_items_stay_open_where_nothing_holds_code_back(visibility):
    (result,) = judged(visibility, NONE)
    assert (result.status, result.credit) == ("skipped", 0.0)
    assert "--only" in result.message
    assert "The points stay open." in result.message
    assert judged(visibility, NONE, anywhere=True) == []
    assert judged(visibility, STRICT) == []


def test_what_everybody_may_see_runs_anywhere():
    assert judged("visible", NONE) == []


def test_a_worker_is_started_to_know():
    assert judged("hidden", STRICT, started=False) == []
    assert len(judged("hidden", NONE, started=False)) == 1
