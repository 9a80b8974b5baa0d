"""Relations between a wrong tensor and the expected one."""

import pytest
import torch

from grader.suite.diagnose import relation

X = torch.tensor([[0.3, -1.2, 2.5, 0.7], [1.1, 0.4, -0.6, 3.0], [-2.2, 0.9, 1.7, -0.1]], dtype=torch.float64)
SQUARE = X[:, :3]


def changed(change):
    value = X.clone()
    change(value)
    return value


CASES = [
    (torch.full_like(X, 2.0), "Every entry is 2."),
    (torch.zeros_like(X), "Every entry is 0."),
    (X * 2, "It equals the expected tensor times 2."),
    (-X, "It equals the expected tensor times -1."),
    (X / 3**0.5, "It equals the expected tensor times 0.57735."),
    (X + 1, "It equals the expected tensor plus 1."),
    (X.flip(0), "It equals the expected tensor in reverse order along dimension 0."),
    (X.roll(1, 1), "It is the expected tensor, one step late along dimension 1."),
    (X.roll(-1, 0), "It is the expected tensor, one step early along dimension 0."),
    (changed(lambda v: v[2].add_(torch.arange(4.0))), "Only index 2 of dimension 0 is wrong (its size is 3)."),
    (changed(lambda v: v[:, 1:].mul_(v[:, 1:])), "Only index 0 of dimension 1 is right (its size is 4)."),
    (X * X, None),
]


@pytest.mark.parametrize(("actual", "sentence"), CASES, ids=[str(sentence) for _, sentence in CASES])
def test_relations(actual, sentence):
    assert relation(actual, X, 1e-9) == sentence


def test_exchanged_dimensions():
    sentence = "It equals the expected tensor with dimensions 0 and 1 exchanged."
    assert relation(SQUARE.t(), SQUARE, 1e-9) == sentence


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_nothing_is_said_about_tensors_that_are_not_finite(bad):
    assert relation(torch.full_like(X, bad), X, 1e-9) is None
    assert relation(X, torch.full_like(X, bad), 1e-9) is None


@pytest.mark.parametrize("shape", [(), (1,), (1, 1), (2,)])
def test_small_shapes_do_not_break_it(shape):
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    relation(first, second, 1e-9)
