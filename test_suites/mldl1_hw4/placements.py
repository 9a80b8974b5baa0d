"""Where the projections of a student's attention lie: separate, fused, one per head, layers or bare parameters.

Roles are drawn per head: query, key and value weights (h, d, E) and biases (h, d), output weight (E, h, d) and bias
(E,). A `Place` is a view of a student's parameter in the form of its role; writing and reading gradients use it alike.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from grader.probing import MAX_CANDIDATES, BindingError

View = Callable[[Tensor], Tensor]
INPUTS = ("query", "key", "value")
OUTPUT = ("output.weight", "output.bias")
OPTIONAL = ("query.bias", "key.bias", "value.bias", "output.weight", "output.bias")

# How bare parameters are multiplied: which of the axes that are as long as an embedding is the input of queries, keys
# and values, and which the output of the output projection.
PRODUCTS = {"x @ W": (0, -1), "W @ x": (-1, 0), "first axes": (0, 0), "last axes": (-1, -1)}
LEAST_WEIGHT = 5  # rows; what has fewer is a bias, of four roles at most. Heads of the cases are that large.
AFFIXES = "w|b|fc|lin|linear|proj|weights?|bias|layer|mat"
WORDS = {"query": r"q|quer\w*", "key": r"k|keys?", "value": r"v|val|values?", "output": r"o|out|outputs?"}


@dataclass(frozen=True)
class Place:
    """A role (or one head of it) and the parameter that holds it."""

    role: str
    parameter: Tensor
    view: View
    head: int | None = None

    def write(self, roles: Mapping[str, Tensor]) -> None:
        """Copy the role into the parameter."""
        value = roles[self.role] if self.head is None else roles[self.role][self.head]
        own = self.parameter.detach().flatten().clone()
        places = torch.arange(own.numel()).reshape(self.parameter.shape)
        own[self.view(places).flatten()] = value.flatten()
        with torch.no_grad():
            self.parameter.copy_(own.reshape(self.parameter.shape))


@dataclass(frozen=True)
class Bias:
    """A bias, and where its entries are in the parameter."""

    name: str
    parameter: Tensor
    view: View
    rows: int


@dataclass(frozen=True)
class Projection:
    """A layer or bare parameter with `rows` outputs.

    Its parameter is read as (rows, columns) by `inward` where it gives queries, keys or values, whose rows fall into
    heads, and by `outward` where it gives the output, whose columns do.
    """

    name: str
    parameter: Tensor
    inward: View
    outward: View
    rows: int
    bias: Bias | None = None


@dataclass(frozen=True)
class Layout:
    """One way to read a student's attention."""

    name: str
    places: tuple[Place, ...]
    has_output: bool


def projections(net: nn.Module, dim: int, axes: tuple[int, int]) -> list[Projection]:
    """Linear layers and bare parameters, which are multiplied as these axes say, in declaration order."""
    found = []
    for name, module in net.named_modules():
        if isinstance(module, nn.Linear):
            bias = None if module.bias is None else Bias(f"{name}.bias", module.bias, _same, module.out_features)
            found.append(Projection(name, module.weight, _same, _same, module.out_features, bias))
        elif _may_hold_bare_ones(module):
            own = [(f"{name}.{leaf}".strip("."), value) for leaf, value in module.named_parameters(recurse=False)]
            found += _bare([part for entry in own for part in _apart(*entry, dim)], dim, axes)
    return found


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _may_hold_bare_ones(module: nn.Module) -> bool:
    own = not type(module).__module__.startswith("torch.")
    return own or isinstance(module, (nn.ParameterList, nn.ParameterDict))


def _apart(name: str, value: Tensor, dim: int) -> list[tuple[str, Tensor, View]]:
    """A parameter, or the four that are one behind the other in it."""
    if value.shape[:1] == (4,) and value.numel() in (4 * dim * dim, 4 * dim):
        return [(f"{name}[{index}]", value, lambda t, index=index: t[index]) for index in range(4)]  # type: ignore[misc]
    return [(name, value, _same)]


def _bare(parts: Sequence[tuple[str, Tensor, View]], dim: int, axes: tuple[int, int]) -> list[Projection]:
    found, biases = [], []
    for name, value, part in parts:
        shape = part(value).shape
        rows, long = math.prod(shape) // dim, [axis for axis, extent in enumerate(shape) if extent == dim]
        if rows < LEAST_WEIGHT:
            biases.append(Bias(name, value, part, math.prod(shape)))
        elif long:
            first, last = long[axes[0]], long[axes[1]]
            inward = lambda t, part=part, axis=first: part(t).movedim(axis, -1).reshape(-1, dim)  # noqa: E731
            outward = lambda t, part=part, axis=last: part(t).movedim(axis, 0).reshape(dim, -1)  # noqa: E731
            found.append(Projection(name, value, inward, outward, rows))
    # From the end, because what has no bias is seldom the output.
    return [replace(own, bias=_taken(own, biases)) for own in reversed(found)][::-1]


def _taken(own: Projection, biases: list[Bias]) -> Bias | None:
    """The last bias that is left for a projection: of its size and its role, as far as names tell."""
    role = role_of(own.name)
    fitting = [bias for bias in biases if bias.rows == own.rows]
    named = [bias for bias in fitting if role_of(bias.name) == role]
    unnamed = [bias for bias in fitting if role in (None, "output") and role_of(bias.name) is None]
    found = next(iter([*named[::-1], *unnamed[::-1]]), None)
    if found is not None:
        biases.remove(found)
    return found


def role_of(name: str) -> str | None:
    """The role that a name tells (W_Q, key_proj, values.weight …), or None when it tells none."""
    words = re.findall(r"[a-z]+", name.lower())
    for role, word in WORDS.items():
        if any(re.fullmatch(rf"({AFFIXES})?({word})({AFFIXES})?", part) for part in words):
            return role
    return None


def layouts(net: nn.Module, dim: int, heads: int) -> list[Layout]:
    """All readings, the usual ones first. Raises BindingError when the projections are of no known kind."""
    found = {name: projections(net, dim, axes) for name, axes in PRODUCTS.items()}
    usual = found["x @ W"]
    if all(own.inward is _same for own in usual):
        found = {"": usual}
    several = [list(_ways(own, dim, heads)) for own in found.values()]
    mixed = [
        replace(way, name=f"{way.name}, {name}" if name else way.name)
        for ways in itertools.zip_longest(*several)
        for name, way in zip(found, ways, strict=True)
        if way is not None
    ]
    if not mixed:
        shown = ", ".join(f"{own.name} ({own.rows} outputs)" for own in usual) or "none"
        raise BindingError(
            f"Attention needs projections for queries, keys and values of {dim} entries each (three layers, one fused "
            f"layer of {3 * dim}, or {dim // heads} per head) and may have one for the output; it has {shown}"
        )
    return mixed[:MAX_CANDIDATES]


def _ways(found: Sequence[Projection], dim: int, heads: int) -> Iterator[Layout]:
    per_head = dim // heads
    by_size = sorted(found, key=lambda own: own.rows == dim)  # bare parameters come before layers, the output too
    sizes = [own.rows for own in found]
    fused = [own.rows for own in by_size]
    if fused in ([3 * dim], [3 * dim, dim]):
        yield from _fused(by_size, heads, per_head)
    elif sizes in ([dim, 2 * dim], [dim, 2 * dim, dim], [2 * dim, dim], [2 * dim, dim, dim]):
        yield from _keys_with_values(found, sizes, dim, heads, per_head)
    elif sizes in ([dim] * 3, [dim] * 4):
        yield from _separate(found, heads, per_head)
    elif fused in ([per_head] * (3 * heads), [*[per_head] * (3 * heads), dim]):
        yield from _one_per_head(by_size, heads)


def _separate(found: Sequence[Projection], heads: int, per_head: int) -> Iterator[Layout]:
    split, merge = _head_views(heads, per_head)
    orders = _orders(found)
    for order, (inner, split_view), (outer, merge_view) in [
        *((orders[0], one, two) for one, two in itertools.product(split, merge)),
        *((order, split[0], merge[0]) for order in orders[1:]),
    ]:
        picked = [found[index] for index in order]
        places = [place for role, own in zip(INPUTS, picked, strict=False) for place in _in(role, own, split_view)]
        output = picked[3] if len(picked) == 4 else None
        names = ", ".join(f"{role}={own.name}" for role, own in zip((*INPUTS, "output"), picked, strict=False))
        yield Layout(f"{names}{inner}{outer}", (*places, *_out(output, merge_view)), output is not None)


def _orders(found: Sequence[Projection]) -> list[tuple[int, ...]]:
    """Which projection is query, key, value and output: by name, as declared, with the output last, or anyhow."""
    told = [role_of(own.name) for own in found]
    roles = [*INPUTS, "output"][: len(found)]
    named = [tuple(told.index(role) for role in roles)] if set(told) == set(roles) else []
    last = len(found) - 1
    orders = sorted(itertools.permutations(range(len(found))), key=lambda order: order[-1] != last)
    return list(dict.fromkeys([*named, *orders]))


def _fused(found: Sequence[Projection], heads: int, per_head: int) -> Iterator[Layout]:
    _, merge = _head_views(heads, per_head)
    output = found[1] if len(found) == 2 else None
    forms: list[tuple[str, Callable[[int], View]]] = [
        ("3, heads, size", lambda i: lambda t: t.reshape(3, heads, per_head, *t.shape[1:])[i]),
        ("heads, 3, size", lambda i: lambda t: t.reshape(heads, 3, per_head, *t.shape[1:])[:, i]),
        ("heads, size, 3", lambda i: lambda t: t.reshape(heads, per_head, 3, *t.shape[1:])[:, :, i]),
    ]
    for order in itertools.permutations(range(3)):
        for name, form in forms:
            places = [
                place for role, index in zip(INPUTS, order, strict=True) for place in _in(role, found[0], form(index))
            ]
            text = f"{found[0].name} as ({name}), order {order}"
            yield Layout(text, (*places, *_out(output, merge[0][1])), output is not None)


def _keys_with_values(
    found: Sequence[Projection], sizes: Sequence[int], dim: int, heads: int, per_head: int
) -> Iterator[Layout]:
    split, merge = _head_views(heads, per_head)
    both = sizes.index(2 * dim)
    query = 1 - both
    output = found[2] if len(found) == 3 else None
    forms: list[tuple[str, Callable[[int], View]]] = [
        ("2, heads, size", lambda i: lambda t: t.reshape(2, heads, per_head, *t.shape[1:])[i]),
        ("heads, 2, size", lambda i: lambda t: t.reshape(heads, 2, per_head, *t.shape[1:])[:, i]),
    ]
    for order in ((0, 1), (1, 0)):
        for name, form in forms:
            places = [
                *_in("query", found[query], split[0][1]),
                *_in("key", found[both], form(order[0])),
                *_in("value", found[both], form(order[1])),
            ]
            text = f"query={found[query].name}, {found[both].name} as ({name}), order {order}"
            yield Layout(text, (*places, *_out(output, merge[0][1])), output is not None)


def _one_per_head(found: Sequence[Projection], heads: int) -> Iterator[Layout]:
    _, merge = _head_views(heads, found[0].rows)
    output = found[3 * heads] if len(found) > 3 * heads else None
    grouped = [found[index * heads : (index + 1) * heads] for index in range(3)]
    woven = [found[index : 3 * heads : 3] for index in range(3)]
    for name, groups in (("query, key, value lists", grouped), ("query, key, value of each head", woven)):
        for order in itertools.permutations(range(3)):
            places = [
                place
                for role, index in zip(INPUTS, order, strict=True)
                for head, own in enumerate(groups[index])
                for place in _in(role, own, lambda t: t, head)
            ]
            yield Layout(f"{name}, order {order}", (*places, *_out(output, merge[0][1])), output is not None)


def _head_views(heads: int, per_head: int) -> tuple[list[tuple[str, View]], list[tuple[str, View]]]:
    """How the rows of a projection may fall into heads, and how the columns of the output projection may."""
    split: list[tuple[str, View]] = [
        ("", lambda t: t.reshape(heads, per_head, *t.shape[1:])),
        (", split as (size, heads)", lambda t: t.reshape(per_head, heads, *t.shape[1:]).transpose(0, 1)),
    ]
    merge: list[tuple[str, View]] = [
        ("", lambda t: t.reshape(len(t), heads, per_head)),
        (", merged as (size, heads)", lambda t: t.reshape(len(t), per_head, heads).transpose(1, 2)),
    ]
    return split, merge


def _in(role: str, own: Projection, view: View, head: int | None = None) -> list[Place]:
    places = [Place(f"{role}.weight", own.parameter, lambda t: view(own.inward(t)), head)]
    return [*places, *_bias(role, own.bias, view, head)]


def _out(own: Projection | None, view: View) -> list[Place]:
    if own is None:
        return []
    places = [Place("output.weight", own.parameter, lambda t: view(own.outward(t)))]
    return [*places, *_bias("output", own.bias, _same)]


def _bias(role: str, own: Bias | None, view: View, head: int | None = None) -> list[Place]:
    if own is None:
        return []
    return [Place(f"{role}.bias", own.parameter, lambda t: view(own.view(t).reshape(-1)), head)]


def bind_attention(modules: Any, net: nn.Module, heads: int, roles: Mapping[str, Tensor]) -> Layout:
    """Write the roles by the layout that the judge asks for. Biases that the student lacks are left out."""
    dim = roles["output.bias"].shape[0]
    layout: Layout = modules.choose([(entry.name, entry) for entry in layouts(net, dim, heads)])
    for place in layout.places:
        place.write(roles)
    return layout


def convention(layout: Layout) -> str:
    """Which of the optional roles the student has, for the reference to leave out the others."""
    held = {place.role for place in layout.places}
    return ",".join(role for role in OPTIONAL if role in held)


def conventions(*outputs: tuple[str, ...]) -> dict[str, dict[str, object]]:
    """Readings of which optional roles there are, the output projection having one of these sets of them.

    A bias of the keys moves all scores of a row alike: nothing shows whether there is one.
    """
    found: dict[str, dict[str, object]] = {}
    for output, biases in itertools.product(
        outputs, (("query.bias", "value.bias"), ("query.bias",), ("value.bias",), ())
    ):
        held = {*output, *biases, "key.bias"}
        lacking = [role for role in OPTIONAL if role not in held]
        name = f"without {', '.join(lacking)}" if lacking else "with all biases"
        found[name] = {"held": ",".join(sorted(held))} if lacking else {}
    return found


def without(roles: Mapping[str, Tensor], held: str) -> dict[str, Tensor]:
    """The roles with those that a convention lacks made neutral: no bias, and an output projection that hands on."""
    kept = dict(roles)
    for role in set(OPTIONAL) - set(held.split(",")):
        kept[role] = torch.zeros_like(roles[role])
        if role == "output.weight":
            kept[role] = torch.eye(len(roles[role])).reshape(roles[role].shape)
    return kept


def gradients(layout: Layout, roles: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
    """The gradients of the query, key and value weights, in the form of their roles."""
    found: dict[str, Tensor | None] = {}
    for role in (f"{name}.weight" for name in INPUTS):
        places = [place for place in layout.places if place.role == role]
        if any(place.parameter.grad is None for place in places):
            found[role] = None
            continue
        read = [place.view(place.parameter.grad) for place in places]  # type: ignore[arg-type]
        whole = read[0] if places[0].head is None else torch.stack(read)
        found[role] = whole.reshape(roles[role].shape).clone()
    return found
