"""Where the projections of a student's attention lie: separate, fused, one per head, layers or bare parameters.

Roles are drawn per head: query, key and value weights (h, d, E) and biases (h, d), output weight (E, h, d) and bias
(E,). A `Place` is a view of a student's parameter in the form of its role; writing and reading gradients use it alike.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from grader.probing import MAX_CANDIDATES, BindingError, layers

View = Callable[[Tensor], Tensor]
INPUTS = ("query", "key", "value")
OUTPUT = ("output.weight", "output.bias")
OPTIONAL = ("query.bias", "key.bias", "value.bias", "output.weight", "output.bias")


@dataclass(frozen=True)
class Place:
    """A role (or one head of it) and the parameter that holds it."""

    role: str
    parameter: Tensor
    view: View
    head: int | None = None

    def write(self, roles: Mapping[str, Tensor]) -> None:
        """Copy the role into the parameter."""
        value = roles[self.role]
        with torch.no_grad():
            self.view(self.parameter).copy_(value if self.head is None else value[self.head])


@dataclass(frozen=True)
class Projection:
    """A layer or bare parameter that maps `columns` inputs to `rows` outputs; `weight` is read as (rows, columns)."""

    name: str
    parameter: Tensor
    bias: Tensor | None
    turned: bool = False

    @property
    def rows(self) -> int:
        """The number of outputs."""
        return int(self.parameter.shape[1 if self.turned else 0])

    def weight(self, tensor: Tensor) -> Tensor:
        """A tensor of the parameter's shape as (rows, columns)."""
        return tensor.t() if self.turned else tensor


@dataclass(frozen=True)
class Layout:
    """One way to read a student's attention."""

    name: str
    places: tuple[Place, ...]
    has_output: bool


def projections(net: nn.Module) -> list[Projection]:
    """Linear layers in declaration order; without any, the square or fused bare parameters (read as x @ W)."""
    found = [Projection(name, layer.weight, layer.bias) for name, layer in layers(net, nn.Linear)]  # type: ignore[arg-type]
    if found:
        return found
    bare = [(name, value) for name, value in net.named_parameters() if value.dim() == 2 and min(value.shape) > 1]
    return [Projection(name, value, None, turned=True) for name, value in bare]


def layouts(net: nn.Module, dim: int, heads: int) -> list[Layout]:
    """All readings, the usual ones first. Raises BindingError when the projections are of no known kind."""
    found = projections(net)
    sizes = [projection.rows for projection in found]
    ways = list(_ways(found, sizes, dim, heads))
    if not ways:
        shown = ", ".join(f"{projection.name} ({projection.rows} outputs)" for projection in found) or "none"
        raise BindingError(
            f"Attention needs projections for queries, keys and values of {dim} entries each (three layers, one fused "
            f"layer of {3 * dim}, or {dim // heads} per head) and may have one for the output; it has {shown}"
        )
    return ways[:MAX_CANDIDATES]


def _ways(found: Sequence[Projection], sizes: Sequence[int], dim: int, heads: int) -> Iterator[Layout]:
    per_head = dim // heads
    if sizes in ([3 * dim], [3 * dim, dim]):
        yield from _fused(found, heads, per_head)
    elif sizes in ([dim, 2 * dim], [dim, 2 * dim, dim], [2 * dim, dim], [2 * dim, dim, dim]):
        yield from _keys_with_values(found, sizes, dim, heads, per_head)
    elif sizes in ([dim] * 3, [dim] * 4):
        yield from _separate(found, heads, per_head)
    elif sizes[: 3 * heads] == [per_head] * (3 * heads) and sizes[3 * heads :] in ([], [dim]):
        yield from _one_per_head(found, heads)


def _separate(found: Sequence[Projection], heads: int, per_head: int) -> Iterator[Layout]:
    split, merge = _head_views(heads, per_head)
    orders = list(itertools.permutations(range(len(found))))
    for order, (inner, split_view), (outer, merge_view) in [
        *((orders[0], one, two) for one, two in itertools.product(split, merge)),
        *((order, split[0], merge[0]) for order in orders[1:]),
    ]:
        picked = [found[index] for index in order]
        places = [place for role, own in zip(INPUTS, picked, strict=False) for place in _in(role, own, split_view)]
        output = picked[3] if len(picked) == 4 else None
        names = ", ".join(f"{role}={own.name}" for role, own in zip((*INPUTS, "output"), picked, strict=False))
        yield Layout(f"{names}{inner}{outer}", (*places, *_out(output, merge_view)), output is not None)


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
    places = [Place(f"{role}.weight", own.parameter, lambda t: view(own.weight(t)), head)]
    return places if own.bias is None else [*places, Place(f"{role}.bias", own.bias, view, head)]


def _out(own: Projection | None, view: View) -> list[Place]:
    if own is None:
        return []
    places = [Place("output.weight", own.parameter, lambda t: view(own.weight(t)))]
    return places if own.bias is None else [*places, Place("output.bias", own.bias, lambda t: t)]


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
