"""Adversaries: what they hold to, and that items of the tiny assignment are not theirs."""

import sys
from pathlib import Path

import pytest
import torch

from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.judge.calls import make_call
from grader.judge.forging import FORGERS, ForgingSide, mixtures
from grader.judge.sides import Book
from grader.model import Examination
from grader.proof.demands import forgery_of, forgery_problems
from grader.run.engine import Engine, Order

ASSIGNMENTS = Path(__file__).parents[1] / "fixtures" / "assignments"


def probe(modules, x):
    """Only its name is used."""


LIKE = torch.zeros(2, 3, 4)
FIRST, SECOND = (make_call(probe, {"x": torch.full((2, 3, 4), value)}, {}) for value in (1.0, 2.0))


def forged(name, call=FIRST, number=1, like=LIKE):
    return FORGERS[name](like, ".out", call, number)


@pytest.mark.parametrize("name", FORGERS)
@pytest.mark.parametrize("like", [LIKE, torch.zeros(()), torch.zeros(0, 3), torch.zeros(3, dtype=torch.int64)])
def test_forgeries_have_shape_and_type(name, like):
    value = forged(name, like=like)
    assert (value.shape, value.dtype) == (like.shape, like.dtype)


def test_each_holds_to_what_its_name_says():
    assert torch.equal(forged("the same noise always"), forged("the same noise always", SECOND, 2))
    assert torch.equal(forged("noise by call"), forged("noise by call", number=2))
    assert not torch.equal(forged("noise by call"), forged("noise by call", SECOND))
    assert not torch.equal(forged("new noise every time"), forged("new noise every time", number=2))
    for name in ("the same distributions always", "distributions by call"):
        assert torch.allclose(forged(name).sum(-1), torch.ones(2, 3))
    assert torch.equal(forged("inputs echoed"), torch.ones(2, 3, 4))
    rows = forged("noise by the last axis")
    assert torch.equal(rows, rows[:1, :1].expand(2, 3, 4))


def test_adversaries_that_heed_what_a_property_asks_for():
    x = torch.arange(24.0).reshape(2, 3, 4)
    later, other_row = x.clone(), x.clone()
    later[:, 2], other_row[1] = -1.0, -1.0
    of = {name: make_call(probe, {"x": value}, {}) for name, value in
          (("x", x), ("later", later), ("other_row", other_row))}  # fmt: skip
    past = {name: forged("noise by the past", call) for name, call in of.items()}
    assert torch.equal(past["x"][:, :2], past["later"][:, :2])
    assert not torch.equal(past["x"][:, 2], past["later"][:, 2])
    rows = {name: forged("noise by row", call) for name, call in of.items()}
    assert torch.equal(rows["x"][0], rows["other_row"][0])
    assert not torch.equal(rows["x"][1], rows["other_row"][1])
    mask = torch.tensor([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    heeding = forged("distributions that heed masks", make_call(probe, {"mask": mask}, {}), like=torch.zeros(2, 2, 3))
    assert torch.allclose(heeding.sum(-1), torch.ones(2, 2))
    assert heeding[1, :, 1:].abs().sum() == 0
    causal = forged("distributions that heed masks", like=torch.zeros(2, 3, 3))
    assert torch.equal(causal, causal.tril())
    distances = forged("symmetric noise", like=torch.zeros(2, 3, 3))
    assert torch.equal(distances, distances.mT)
    assert not distances.diagonal(dim1=1, dim2=2).any()
    echoed = forged("inputs echoed", make_call(probe, {"mask": mask, "out": mask.int()}, {}), like=torch.zeros(2, 3))
    assert torch.equal(echoed, mask), "by name, whatever its type"


class Answers:
    """A reference that answers the same to everything."""

    def __init__(self, answer):
        self._answer = answer

    def run(self, probe, case, **options):
        return self._answer


@pytest.mark.parametrize(
    ("inputs", "answer", "echoed"),
    [
        ({"text": "a b", "more": "c"}, {"text": "other"}, {"text": "a b"}),
        ({"words": ["a", "b"], "more": "c"}, {"out": "x"}, {"out": "a"}),
        ({"ids": [3, 4], "size": 7}, {"ids": [1, 2, 5], "count": 2}, {"ids": [3, 4], "count": 3}),
        ({"ids": [3, 4], "size": 7}, {"size": 2, "out": [0, 0]}, {"size": 7, "out": [3, 4]}),
        ({"rate": 0.5, "flag": True}, {"out": 0.25, "right": False}, {"out": 0.5, "right": True}),
        ({"x": torch.ones(2)}, {"out": "x", "empty": None, "more": ["y"]}, {"out": "", "empty": None, "more": [""]}),
    ],
)
def test_texts_numbers_and_lists_are_echoed(inputs, answer, echoed):
    side = ForgingSide(Answers(answer), Book(), FORGERS["inputs echoed"])
    assert side.run(probe, inputs) == echoed


def test_adversaries_tell_modes_from_inputs():
    off, on = (make_call(probe, {"x": LIKE}, {"training": training}) for training in (False, True))
    assert torch.equal(forged("noise by inputs", off), forged("noise by inputs", on))
    assert not torch.equal(forged("noise by options", off), forged("noise by options", on))
    assert torch.equal(forged("noise by options", FIRST), forged("noise by options", SECOND))
    plain, dropped = (forged("noise that drops entries where an option is on", call) for call in (off, on))
    kept = dropped != 0
    assert torch.equal(dropped[kept], 2 * plain[kept])
    assert 0 < int(kept.sum()) < kept.numel()


def test_mixtures_share_out_what_is_always_the_same():
    shares = [tuple(bool(mix(LIKE, name, FIRST, 1).equal(mix(LIKE, name, FIRST, 2))) for name in "ab")
              for mix in mixtures(["a", "b", "a"])]  # fmt: skip
    assert sorted(shares) == [(False, True), (True, False)]
    assert list(mixtures(["a"])) == list(mixtures(list("abcdefgh"))) == []


def tiny():
    folders = folders_below(ASSIGNMENTS, "tiny")
    return folders, load(folders)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the judge forks")
def test_no_adversary_earns_what_is_compared_with_the_reference():
    folders, _ = tiny()
    with Engine(Order(folders=folders, seed="forging", items=("gate.forward", "softmax.values"))) as engine:
        found = engine.examine()
    assert {name: entry.earned_by for name, entry in found.items()} == {"gate.forward": (), "softmax.values": ()}


def examined(*earned_by):
    return {"gate.forward": Examination(noise=0.0, bound=1e-5, lets_pass=(), earned_by=earned_by)}


def test_what_adversaries_earn_is_a_problem_that_says_what_to_do():
    _, assignment = tiny()
    (problem,) = forgery_problems(assignment, examined("zeros", "ones"))
    assert "gate.forward" in problem
    assert "zeros, ones" in problem
    assert "unanchored" in problem
    assert forgery_of(assignment, examined("zeros")).anchored == assignment.item("gate.forward").points
    assert forgery_problems(assignment, examined()) == []
