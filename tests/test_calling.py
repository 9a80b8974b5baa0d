"""What generated probes use: results by name, drawn weights, gradients under drawn upstream gradients, answers."""

import numpy
import pytest
import torch
from torch import nn

from grader.calling import (
    _noise,
    answer,
    array,
    drawn_weights,
    given_weights,
    named,
    numeric_gradient,
    plain,
    pulled_back,
    takes,
)
from grader.probing import BindingError, handed


class FirstFits:
    """Modules that ask for the first candidate."""

    def __init__(self):
        self.seen = []

    def choose_binding(self, candidates):
        self.seen.append([name for name, _ in candidates])
        return candidates[0][1]


class Block(nn.Module):
    def __init__(self, first="a", second="b"):
        super().__init__()
        self.own = nn.Parameter(torch.zeros(3))
        setattr(self, first, nn.Linear(3, 3))
        setattr(self, second, nn.Linear(3, 5))
        self.norm = nn.LayerNorm(3)

    def forward(self, x):
        layers = [layer for layer in self.children() if isinstance(layer, nn.Linear)]
        return layers[1](self.norm(layers[0](x)) * self.own)


def test_results_are_named():
    assert named(3) == {"out": 3}
    assert named((1, 2), "a", "b") == {"a": 1, "b": 2}
    assert named({"a": 1, "b": 2, "c": 3}, "a", "b") == {"a": 1, "b": 2}
    with pytest.raises(ValueError, match="zip"):
        named((1, 2, 3), "a", "b")


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        ({("b", "a"): 1, ("a", "b"): 2}, [[["a", "b"], 2], [["b", "a"], 1]]),
        ({3, 1}, [1, 3]),
        (b"ab", "b'ab'"),
        ({"a": (1, {2})}, {"a": [1, [2]]}),
    ],
)
def test_values_that_the_wire_does_not_know(value, sent):
    assert plain(value) == sent


def test_weights_by_name_are_equal_where_names_and_shapes_are():
    first, second = Block(), Block()
    assert drawn_weights(FirstFits(), first, 7) is not None
    drawn_weights(FirstFits(), second, 7)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert all(bool(each.abs().max() > 0) for each in first.parameters()), "norms and single parameters too"
    drawn_weights(FirstFits(), second, 8)
    assert not torch.equal(first.own, second.own)


def test_weights_by_order_do_not_ask_for_names():
    first, second, x = Block(), Block("up", "down"), torch.randn(4, 3)
    roles = []
    for net in (first, second):
        bound = drawn_weights(FirstFits(), net, 7, "by order")
        out = net(handed(x))
        roles.append(pulled_back(out, 7, bound, x=x))
        x.grad = None
    assert torch.equal(first(x), second(x))
    assert list(roles[0]) == list(roles[1])
    assert {"x", "parameter (3,)", "Linear (3, 3).weight", "LayerNorm (3,).bias"} <= set(roles[0])


class Pair(nn.Module):
    def __init__(self, width, layer=nn.Linear):
        super().__init__()
        self.first, self.second = layer(width, width), layer(width, width)


def test_an_order_has_the_same_name_for_every_size():
    seen = []
    for width in (3, 5):
        modules = FirstFits()
        drawn_weights(modules, Pair(width), 7, "by order")
        seen += modules.seen
    assert seen == [["as declared", "second for first, first for second"]] * 2


def test_a_layer_under_a_name_of_its_own_is_the_layer():
    class OwnLinear(nn.Linear):
        pass

    class Own(nn.Module):
        def __init__(self, width, features):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(features, width))

    roles = [
        list(drawn_weights(FirstFits(), Pair(3, layer), 7, "by order").gradients())
        for layer in (nn.Linear, OwnLinear, Own)
    ]
    assert roles[0] == roles[1]
    assert roles[2] == ["parameter (3, 3) no. 1", "parameter (3, 3) no. 2"]


def test_given_weights_go_by_name_or_else_by_shape():
    values = {"a.weight": torch.ones(3, 3), "own": torch.full((3,), 2.0)}
    net = Block()
    given_weights(FirstFits(), net, values)
    assert net.own[0].item() == 2
    given_weights(FirstFits(), net, {"scale and norm": torch.full((3, 3), 5.0)})
    assert net.a.weight[0, 0].item() == 5
    with pytest.raises(BindingError, match=r"Of parameters of shape \(9,\), Block needs 1 for w and has 0"):
        given_weights(FirstFits(), net, {"w": torch.ones(9)})


def test_what_has_no_parameters_needs_no_weights():
    assert drawn_weights(FirstFits(), nn.ReLU(), 1) is None
    assert drawn_weights(FirstFits(), [], 1) is None


def test_a_drawn_upstream_gradient_shows_what_a_sum_hides():
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    norm = nn.BatchNorm1d(3)
    summed = torch.autograd.grad(norm(x.requires_grad_()).square().sum(), x)[0]
    drawn = pulled_back(norm(handed(x)), 3, x=x)["x"]
    assert float(summed.abs().max()) < 1e-3 * float(drawn.abs().max())


def test_several_results_are_all_pulled_back_and_detached_ones_give_none():
    x, y = torch.randn(3), torch.randn(3)
    found = pulled_back((handed(x) * 2, [handed(x).sum()]), 1, x=x, y=y)
    assert found["y"] is None
    alone = torch.randn(3)
    assert not torch.equal(found["x"], pulled_back(handed(alone) * 2, 1, x=alone)["x"])
    assert pulled_back(torch.ones(2), 1, x=y) == {"x": None}


def test_numeric_gradients_agree_with_autograd():
    def function(x, w):
        return numpy.tanh(x @ w)

    x, w, upstream = (numpy.random.RandomState(0).randn(*shape) for shape in ((4, 3), (3, 2), (4, 2)))
    tx, tw = (torch.tensor(each, requires_grad=True) for each in (x, w))
    torch.tanh(tx @ tw).backward(torch.tensor(upstream))
    for numeric, exact in zip(numeric_gradient(function, x, w, upstream=upstream), (tx.grad, tw.grad), strict=True):
        assert numpy.allclose(numeric, exact.numpy(), rtol=1e-6, atol=1e-8)


def test_arrays_are_copies():
    x = torch.zeros(2, dtype=torch.float64)
    found = array({"a": [x]})["a"][0]
    found += 1
    assert found.dtype == numpy.float64
    assert float(x.sum()) == 0


class Answers:
    """Modules whose one file has these variables."""

    def __init__(self, **values):
        self.__dict__.update(values)

    def __getitem__(self, file_id):
        return self

    def run_cells(self, name):
        raise AttributeError("not a notebook")

    def not_attempted(self, what):
        raise LookupError(what)


@pytest.mark.parametrize(
    ("value", "sent"),
    [(9, 9.0), (numpy.float32(0.5), 0.5), (torch.tensor([1, 2]), [1.0, 2.0]), (" ReLU ", "relu"), (True, True)],
)
def test_answers(value, sent):
    assert answer(Answers(size=value), "file", "size") == sent


@pytest.mark.parametrize("value", [None, ...])
def test_what_was_not_answered(value):
    with pytest.raises(LookupError, match="size still holds"):
        answer(Answers(size=value), "file", "size")


def test_noise_is_about_normal_and_the_same_on_every_machine():
    noise = _noise(7, "w", 20_000)
    assert abs(noise.mean()) < 0.03
    assert abs(noise.std() - 1) < 0.03
    assert numpy.array_equal(noise[:3], _noise(7, "w", 3))
    assert not numpy.array_equal(noise[:3], _noise(7, "v", 3))
    assert not numpy.array_equal(noise[:3], _noise(8, "w", 3))
    assert [round(float(each), 4) for each in _noise(7, "w", 3)] == [0.8078, -0.0639, -1.1614]


class Plain(nn.Module):
    def __init__(self, size, attention=False):
        super().__init__()


class Passing(Plain):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)


class Open(nn.Module):
    def __init__(self, size, **kwargs):
        super().__init__()


@pytest.mark.parametrize(
    ("function", "name", "taken"),
    [
        (Plain, "attention", True),
        (Plain, "other", False),
        (Passing, "attention", True),
        (Passing, "other", False),
        (Open, "attention", False),
        (lambda x, **more: x, "attention", True),
        (lambda *x: x, "attention", False),
        (Passing(3).forward, "attention", False),
    ],
)
def test_signatures_tell_semesters_apart(function, name, taken):
    assert takes(function, name) is taken
