"""Binding the judge's weights to a student's parameters: by name, by layer, by shape; and gradients by role."""

import pytest
import torch
from torch import nn

from grader.probing import (
    MAX_CANDIDATES,
    BindingError,
    Candidate,
    Slot,
    bind,
    bind_layers,
    bind_names,
    candidates_by_shape,
    gradient,
    handed,
    layers,
    parameters,
)
from grader.worker.loading import Modules


@pytest.fixture
def modules(tmp_path):
    return Modules(tmp_path, [])


def filled(*shape, start=0.0):
    """Distinct numbers of that shape."""
    count = int(torch.Size(shape).numel())
    return torch.arange(start, start + count).reshape(shape)


class Two(nn.Module):
    """Two layers of one shape and one of another, declared in that order."""

    def __init__(self):
        super().__init__()
        self.later_named_first = nn.Linear(3, 2)
        self.b = nn.Linear(3, 2)
        self.out = nn.Linear(2, 5, bias=False)

    def forward(self, x):
        return self.out(self.later_named_first(x) - self.b(x))


def two_roles():
    return {
        "out": (nn.Linear, {"weight": filled(5, 2)}),
        "first": (nn.Linear, {"weight": filled(2, 3), "bias": filled(2)}),
        "second": (nn.Linear, {"weight": filled(2, 3, start=10), "bias": filled(2, start=10)}),
    }


# --- by layer -------------------------------------------------------------------------------------------------


def test_layers_are_found_by_type_and_shape_in_declared_order(modules):
    net = Two()
    bound = bind_layers(modules, net, two_roles())
    assert torch.equal(net.later_named_first.weight, filled(2, 3))
    assert torch.equal(net.b.bias, filled(2, start=10))
    assert torch.equal(net.out.weight, filled(5, 2))
    assert bound.module("second") is net.b
    assert len(modules.choices[0][1]) == 2, "the two equal layers can be exchanged"


def test_the_second_candidate_exchanges_equal_layers(modules):
    modules.ask(["first=b, second=later_named_first"])
    net = Two()
    bound = bind_layers(modules, net, two_roles())
    assert torch.equal(net.b.weight, filled(2, 3))
    assert bound.name == "first=b, second=later_named_first"
    assert modules.binding == bound.name
    assert modules.undeclared


def test_gradients_come_back_under_the_roles_names(modules):
    net = Two()
    bound = bind_layers(modules, net, two_roles())
    x = filled(1, 3)
    net(x).sum().backward()
    found = bound.gradients()
    assert set(found) == {"out.weight", "first.weight", "first.bias", "second.weight", "second.bias"}
    assert torch.equal(found["first.bias"], -found["second.bias"])
    assert torch.equal(found["first.weight"], net.later_named_first.weight.grad)


def test_a_layer_that_takes_no_part_has_no_gradient(modules):
    net = Two()
    bound = bind_layers(modules, net, two_roles())
    net.out(torch.ones(1, 2)).sum().backward()
    found = bound.gradients()
    assert found["first.weight"] is None
    assert found["out.weight"] is not None


def test_gradients_are_copies(modules):
    net = Two()
    bound = bind_layers(modules, net, two_roles())
    net(filled(1, 3)).sum().backward()
    found = bound.gradients()["out.weight"]
    net.zero_grad(set_to_none=False)
    assert found.abs().sum() > 0


def test_an_optional_bias_may_be_missing_and_then_has_no_role(modules):
    net = nn.Sequential(nn.Linear(3, 2, bias=False))
    bound = bind_layers(modules, net, {"l": (nn.Linear, {"weight": filled(2, 3), "bias?": filled(2)})})
    net(torch.ones(1, 3)).sum().backward()
    assert set(bound.gradients()) == {"l.weight"}


def test_subclasses_of_a_layer_are_found(modules):
    class Mine(nn.Linear):
        pass

    net = nn.Sequential(Mine(3, 2))
    bind_layers(modules, net, {"l": (nn.Linear, {"weight": filled(2, 3)})})
    assert torch.equal(net[0].weight, filled(2, 3))


@pytest.mark.parametrize(
    ("net", "words"),
    [
        (nn.Sequential(nn.ReLU()),
         "Of Linear with weight (2, 3), bias (2,), Sequential needs 1 and has 0. It has no Linear at all."),
        (nn.Sequential(nn.Linear(2, 3)), "It has 0: Linear(in_features=2, out_features=3, bias=True)."),
        (nn.Sequential(nn.Linear(3, 2, bias=False)), "needs 1 and has 0"),
    ],
)  # fmt: skip
def test_a_missing_layer_is_named_with_what_is_there(modules, net, words):
    with pytest.raises(BindingError) as caught:
        bind_layers(modules, net, {"l": (nn.Linear, {"weight": filled(2, 3), "bias": filled(2)})})
    assert words in str(caught.value)
    assert "assigned to self in __init__" in str(caught.value)


def test_more_layers_than_roles_give_candidates_and_the_first_ones_first(modules):
    net = nn.Sequential(*(nn.Linear(2, 2, bias=False) for _ in range(4)))
    wanted = {role: (nn.Linear, {"weight": filled(2, 2, start=10.0 * i)}) for i, role in enumerate("ab")}
    bind_layers(modules, net, wanted)
    names = list(modules.choices[0][1])
    for name in names:
        modules.ask([name])
        assert bind_layers(modules, net, wanted).name == name
    assert len(names) == 12
    assert names[0] == "a=0, b=1"
    assert len(set(names)) == 12
    in_order = [name for name in names if name[2] < name[-1]]
    assert names[: len(in_order)] == in_order, "orders as declared come before exchanged ones"


def test_the_number_of_candidates_is_capped(modules):
    net = nn.Sequential(*(nn.Linear(2, 2, bias=False) for _ in range(9)))
    wanted = {role: (nn.Linear, {"weight": filled(2, 2)}) for role in "abcde"}
    bind_layers(modules, net, wanted)
    assert len(modules.choices[0][1]) == MAX_CANDIDATES


# --- by name --------------------------------------------------------------------------------------------------


def test_names_are_written_and_read_back(modules):
    net = Two()
    bound = bind_names(modules, net, {"b.weight": filled(2, 3), "out.weight": filled(5, 2)})
    net(torch.ones(1, 3)).sum().backward()
    assert torch.equal(net.b.weight, filled(2, 3))
    assert set(bound.gradients()) == {"b.weight", "out.weight"}
    assert modules.binding == ""


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"c.weight": filled(2, 3)}, "Two has no parameter 'c.weight'; it has later_named_first.weight (2, 3)"),
        ({"b.weight": filled(3, 2)}, "Two.b.weight should have shape (3, 2), it has shape (2, 3)"),
    ],
)
def test_a_wrong_name_or_shape_says_what_is_there(modules, values, words):
    with pytest.raises(BindingError) as caught:
        bind_names(modules, Two(), values)
    assert words in str(caught.value)


# --- slots ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("slot", "roles", "written"),
    [
        ({}, {"a": filled(2, 3)}, filled(2, 3)),
        ({"transposed": True}, {"a": filled(3, 2)}, filled(3, 2).t()),
        ({}, {"a": filled(2, 3), "b": filled(2, 3, start=5)}, filled(2, 3) + filled(2, 3, start=5)),
        ({"how": "cat0"}, {"a": filled(1, 3), "b": filled(1, 3, start=3)}, filled(2, 3)),
        ({"how": "cat1"}, {"a": filled(2, 1), "b": filled(2, 2)}, torch.cat([filled(2, 1), filled(2, 2)], 1)),
        ({"how": "cat0", "transposed": True}, {"a": filled(1, 2), "b": filled(2, 2)},
         torch.cat([filled(1, 2), filled(2, 2)]).t()),
    ],
)  # fmt: skip
def test_a_slot_writes_its_roles_and_returns_a_gradient_of_each_roles_shape(modules, slot, roles, written):
    parameter = nn.Parameter(torch.zeros(2, 3))
    bound = bind(modules, [Candidate("x", (Slot(parameter, tuple(roles), **slot),))], roles)
    assert torch.equal(parameter, written)
    weights = filled(2, 3, start=1)
    (parameter * weights).sum().backward()
    found = bound.gradients()
    assert {role: tuple(g.shape) for role, g in found.items()} == {role: tuple(v.shape) for role, v in roles.items()}
    again = nn.Parameter(torch.zeros(2, 3))
    Slot(again, tuple(roles), **slot).write(found)
    count = len(roles) if slot.get("how", "sum") == "sum" else 1
    assert torch.equal(again, weights * count), "writing the gradients puts them where they came from"


def test_a_slot_of_another_shape_says_both(modules):
    slot = Slot(nn.Parameter(torch.zeros(2, 2)), ("a", "b"), how="cat0")
    with pytest.raises(
        BindingError, match=r"expected a parameter of shape \(2, 3\) for a, b, found one of shape \(2, 2\)"
    ):
        bind(modules, [Candidate("x", (slot,))], {"a": filled(1, 3), "b": filled(1, 3)})


def test_without_candidates_the_roles_are_named(modules):
    with pytest.raises(BindingError, match="fit the roles w_i, w_f"):
        bind(modules, [], {"w_i": filled(1), "w_f": filled(1)})


# --- by shape -------------------------------------------------------------------------------------------------


def test_roles_of_one_shape_are_exchanged_and_others_stay(modules):
    net = nn.ParameterDict(
        {"p": nn.Parameter(torch.zeros(2)), "q": nn.Parameter(torch.zeros(2)), "r": nn.Parameter(torch.zeros(3))}
    )
    found = candidates_by_shape(net, {"x": (2,), "y": (2,), "z": (3,)})
    assert [candidate.name for candidate in found] == ["x=p, y=q, z=r", "x=q, y=p, z=r"]
    modules.ask([found[1].name])
    bind(modules, found, {"x": filled(2), "y": filled(2, start=5), "z": filled(3)})
    assert torch.equal(net["q"], filled(2))


def test_too_few_parameters_of_a_shape_are_counted():
    with pytest.raises(BindingError) as caught:
        candidates_by_shape(nn.Linear(3, 2), {"a": (2, 3), "b": (2, 3)})
    assert str(caught.value) == (
        "Of parameters of shape (2, 3), Linear needs 2 for a, b and has 1; its parameters are weight (2, 3), bias (2,)"
    )


def test_each_parameter_is_used_once_per_candidate():
    net = nn.ParameterList([nn.Parameter(torch.zeros(2)) for _ in range(3)])
    for candidate in candidates_by_shape(net, {"a": (2,), "b": (2,)}):
        assert len({id(slot.parameter) for slot in candidate.slots}) == 2


# --- small things -----------------------------------------------------------------------------------------------


def test_listings_are_in_declared_order():
    assert [name for name, _ in layers(Two(), nn.Linear)] == ["later_named_first", "b", "out"]
    assert [name for name, _ in parameters(Two(), (2, 3))] == ["later_named_first.weight", "b.weight"]


def test_the_gradient_of_a_leaf_nothing_reached_is_none():
    assert gradient(torch.ones(2, requires_grad=True)) is None


# --- what a caller hands over -----------------------------------------------------------------------------------


def test_student_code_may_write_into_what_it_is_handed():
    def writes(x, state):
        hidden, cell = state
        hidden *= 2
        cell[0] = 0.0
        x.add_(1.0)
        return (x * hidden + cell).sum()

    x, hidden, cell = (filled(2, start=start) for start in (1.0, 3.0, 5.0))
    before = x.clone(), hidden.clone(), cell.clone()
    writes(*handed((x, (hidden, cell)))).backward()
    assert torch.equal(gradient(x), 2 * before[1])
    assert torch.equal(gradient(hidden), 2 * (before[0] + 1))
    assert torch.equal(gradient(cell), torch.tensor([0.0, 1.0]))
    for tensor, old in zip((x, hidden, cell), before, strict=True):
        assert torch.equal(tensor.detach(), old), "what is handed over twice is the same twice"


def test_all_copies_of_an_input_lead_back_to_it():
    x = filled(3)
    (handed(x).sum() + 2 * handed({"x": [x]})["x"][0].sum()).backward()
    assert torch.equal(gradient(x), torch.full((3,), 3.0))


def test_whole_numbers_and_views_are_handed_over_too():
    tokens, x = torch.arange(4), filled(4).requires_grad_()
    given, view = handed((tokens, x[None]))
    given[0] = 9
    view.mul_(2).sum().backward()
    assert tokens[0] == 0
    assert torch.equal(gradient(x), torch.full((4,), 2.0))
    assert handed("word") == "word"
