"""Binding the four projections of multi-head attention, whose form the handout leaves free.

With E = m * d, queries, keys, values and output need four weights of E * E entries and four biases of E. A submission
may keep them in four layers, fuse several into one, or hold raw parameters that multiply from either side. A layout
says how one parameter is cut into roles; it is written with einops-like letters: r role, m head, d entry of a head,
e input.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from grader.probing import MAX_CANDIDATES, BindingError

LINEAR_LAYOUTS = ("rmde", "mrde", "mdre")
AFFIXES = "w|fc|lin|linear|proj|weights?|layer|mat"
RAW_LAYOUTS = ("ermd", "rmde", "remd", "emrd", "rmed", "mred", "mrde", "mdre")


@dataclass(frozen=True)
class Place:
    """One parameter and the roles that it holds, in their order inside it; a layout without e is a bias's."""

    name: str
    roles: str
    layout: str


@dataclass(frozen=True)
class Arrangement:
    """One way to read a module's parameters. Names are those of `named_parameters()`."""

    places: tuple[Place, ...]

    def title(self) -> str:
        """What people read: which parameter holds which roles."""
        return ", ".join(f"{place.name}={place.roles}({place.layout})" for place in self.places)

    def write(self, net: nn.Module, weights: Mapping[str, Tensor], heads: int) -> None:
        """Write weights (out, in) and biases (out,) into the parameters."""
        own = dict(net.named_parameters())
        with torch.no_grad():
            for place in self.places:
                kind = "w" if "e" in place.layout else "b"
                stacked = torch.stack([weights[f"{kind}_{role}"] for role in place.roles])
                apart = stacked.unflatten(1, (heads, -1))  # (r, m, d, e) or (r, m, d)
                axes = "rmde" if kind == "w" else "rmd"
                ordered = apart.permute([axes.index(axis) for axis in place.layout])
                own[place.name].copy_(ordered.reshape(own[place.name].shape))


def bind_projections(modules: Any, nets: Sequence[nn.Module], weights: Sequence[Mapping[str, Tensor]]) -> None:
    """Write the judge's weights into attention modules of one class; the judge asks for one arrangement by number.

    Raises BindingError when the parameters cannot be four projections.
    """
    found = arrangements(nets[0])
    if not found:
        own = ", ".join(f"{name} {tuple(value.shape)}" for name, value in nets[0].named_parameters())
        raise BindingError(f"expected the parameters of four projections, found {own[:400] or 'none'}")
    chosen = modules.choose([(arrangement.title(), arrangement) for arrangement in found])
    for net, values in zip(nets, weights, strict=True):
        chosen.write(net, values, net.num_heads)


def arrangements(net: nn.Module) -> list[Arrangement]:
    """The possible ways to read the parameters: by their names first, then in declared order, at most 32."""
    size = net.num_heads * net.head_size
    matrices = [(name, value) for name, value in net.named_parameters() if value.numel() >= size * size]
    vectors = [(name, value) for name, value in net.named_parameters() if value.numel() < size * size]
    if _blocks(matrices, size * size) is None or _blocks(vectors, size) not in ([], _blocks(matrices, size * size)):
        return []
    counts = [value.numel() // (size * size) for _, value in matrices]
    linear = {f"{name}.weight" for name, layer in net.named_modules() if isinstance(layer, nn.Linear)}
    names, biases = [name for name, _ in matrices], [name for name, _ in vectors]
    result: dict[Arrangement, None] = {}
    for order, layouts in itertools.product(_orders(names, counts), list(_layouts(matrices, linear))):
        result.setdefault(_arranged(order, counts, names, biases, layouts))
        if len(result) == MAX_CANDIDATES:
            break
    return list(result)


def _blocks(entries: Sequence[tuple[str, Tensor]], unit: int) -> list[int] | None:
    """How many roles each parameter holds; None unless they hold four together."""
    counts = [value.numel() // unit for _, value in entries]
    whole = all(value.numel() == count * unit for count, (_, value) in zip(counts, entries, strict=True))
    return counts if whole and (sum(counts) == 4 or not counts) else None


def _arranged(
    order: Sequence[str], counts: Sequence[int], matrices: Sequence[str], vectors: Sequence[str], layouts: Sequence[str]
) -> Arrangement:
    places, start = [], 0
    for index, (count, layout) in enumerate(zip(counts, layouts, strict=True)):
        roles = "".join(order[start : start + count])
        # With one role its axis has size one: layouts that differ only in its place are the same.
        layout = layout if count > 1 else "r" + layout.replace("r", "")
        places.append(Place(matrices[index], roles, layout))
        if vectors:
            places.append(Place(vectors[index], roles, layout.replace("e", "")))
        start += count
    return Arrangement(tuple(places))


def _orders(names: Sequence[str], counts: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """Orders of the roles over the parameters: by name, then the output last, then first, then anywhere."""
    named = _roles_by_name(names) if len(counts) == 4 else None
    if named is not None:
        yield named
    yield from sorted(itertools.permutations("qkvo"), key=lambda order: (order[3] != "o", order[0] != "o"))


def _roles_by_name(names: Sequence[str]) -> tuple[str, ...] | None:
    """The order that the names tell (W_Q, key_proj, linear_values …), or None when they tell none."""
    found: dict[int, str] = {}
    for role, word in (("q", r"q|quer\w*"), ("k", r"k|keys?"), ("v", r"v|val|values?")):
        pattern = re.compile(rf"({AFFIXES})?({word})({AFFIXES})?")
        hits = [index for index, name in enumerate(names) if any(map(pattern.fullmatch, _words(name)))]
        if len(hits) != 1 or hits[0] in found:
            return None
        found[hits[0]] = role
    return tuple(found.get(index, "o") for index in range(len(names)))


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+", name.lower())


def _layouts(matrices: Sequence[tuple[str, Tensor]], linear: set[str]) -> Iterator[tuple[str, ...]]:
    """A layout for each matrix: all layers alike, all raw parameters alike."""
    kinds = [name in linear for name, _ in matrices]
    for layer in LINEAR_LAYOUTS if any(kinds) else ("",):
        for raw in RAW_LAYOUTS if not all(kinds) else ("",):
            yield tuple(layer if kind else raw for kind in kinds)
