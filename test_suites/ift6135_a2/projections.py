"""Binding the four projections of multi-head attention, whose form the handout leaves free.

With E = m * d, queries, keys, values and output need four weights of E * E entries and four biases of E. A submission
may keep them in four layers, fuse several into one, have a layer for each head, or hold raw parameters that multiply
from either side. A layout says how one parameter is cut into roles; it is written with einops-like letters: r role,
m head, d entry of a head, e input. The layers of the heads count as one parameter, whose first axis is m.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from grader.probing import MAX_CANDIDATES, BindingError

LINEAR_LAYOUTS = ("rmde", "mrde", "mdre")
AFFIXES = "w|fc|lin|linear|proj|weights?|layer|mat"
OF_EACH_HEAD = "each head"  # (m, E, d) for queries, keys and values, (m, d, E) for the output
RAW_LAYOUTS = ("ermd", "rmde", "remd", "emrd", "rmed", "mred", "mrde", "mdre", OF_EACH_HEAD)


@dataclass(frozen=True)
class Held:
    """What counts as one parameter: its name with * for numbers, and the parameter, or those of all heads in order.

    `added`: the layers of the heads are those of the output, which give all E entries each and are added up.
    """

    name: str
    parts: tuple[str, ...]
    shape: tuple[int, ...]
    added: bool = False

    @property
    def entries(self) -> int:
        """How many numbers it holds. A bias of the output that the layers of all heads have is one bias."""
        own = math.prod(self.shape)
        return own if len(self.shape) == 1 and self.added else own * len(self.parts)

    def is_bias(self, size: int) -> bool:
        """Whether it is a bias and no weight."""
        return len(self.shape) == 1 or self.entries < size * size


@dataclass(frozen=True)
class Place:
    """One parameter and the roles that it holds, in their order inside it; a layout without e is a bias's."""

    held: Held
    roles: str
    layout: str


@dataclass(frozen=True)
class Arrangement:
    """One way to read a module's parameters. Names are those of `named_parameters()`."""

    places: tuple[Place, ...]

    def title(self) -> str:
        """What people read: which parameter holds which roles."""
        return ", ".join(f"{place.held.name}={place.roles}({place.layout})" for place in self.places)

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
                if place.held.added:
                    ordered = stacked[0].unflatten(1, (heads, -1)).transpose(0, 1) if kind == "w" else stacked / heads
                for part, value in zip(place.held.parts, _for_heads(ordered, place.held), strict=True):
                    own[part].copy_(value.reshape(own[part].shape))


def _for_heads(value: Tensor, held: Held) -> Sequence[Tensor]:
    """The part of every head, along the first axis; a bias that all of them have is the same for each."""
    heads = len(held.parts)
    flat = value.reshape(-1)
    return flat.chunk(heads) if len(flat) == heads * math.prod(held.shape) else [flat] * heads


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
    linear = {f"{name}.weight" for name, layer in net.named_modules() if isinstance(layer, nn.Linear)}
    size = net.num_heads * net.head_size
    result: dict[Arrangement, None] = {}
    for held in (_held(net, linear, size, lists=False), _held(net, linear, size, lists=True)):
        for arrangement in _arrangements(held, linear, size):
            result.setdefault(arrangement)
            if len(result) == MAX_CANDIDATES:
                return list(result)
    return list(result)


def _arrangements(held: Sequence[Held], linear: set[str], size: int) -> Iterator[Arrangement]:
    matrices = [each for each in held if not each.is_bias(size)]
    vectors = [each for each in held if each.is_bias(size)]
    counts = _blocks([each.entries for each in matrices], size * size)
    if counts is None or _blocks([each.entries for each in vectors], size) not in ([], counts):
        return
    names = [each.name for each in matrices]
    for order, layouts in itertools.product(_orders(names, counts), list(_layouts(matrices, linear))):
        yield _arranged(order, counts, matrices, vectors, layouts)


def _held(net: nn.Module, linear: set[str], size: int, *, lists: bool) -> list[Held]:
    """The parameters in declared order, those of equal layers of all heads as one.

    `lists`: also where each layer is large enough for a whole projection, as of three heads with three roles each.
    """
    own = dict(net.named_parameters())
    families: dict[str, list[str]] = {}
    for name in own:
        families.setdefault(re.sub(r"\.\d+(?=\.)", ".*", name), []).append(name)
    found = []
    for title, members in families.items():
        weights = [f"{name.rpartition('.')[0]}.weight" for name in members]
        by_head = len(members) == net.num_heads > 1 and linear.issuperset(weights)
        by_head = by_head and len({own[name].shape for name in weights}) == 1
        by_head = by_head and (lists or own[weights[0]].numel() < size * size)
        added = by_head and own[weights[0]].shape == (size, net.head_size)
        groups = [members] if by_head else [[member] for member in members]
        found += [Held(title, tuple(group), tuple(own[group[0]].shape), added) for group in groups]
    return found


def _blocks(entries: Sequence[int], unit: int) -> list[int] | None:
    """How many roles each parameter holds; None unless they hold four together."""
    whole = all(count % unit == 0 for count in entries)
    counts = [count // unit for count in entries]
    return counts if whole and (sum(counts) == 4 or not counts) else None


def _arranged(
    order: Sequence[str],
    counts: Sequence[int],
    matrices: Sequence[Held],
    vectors: Sequence[Held],
    layouts: Sequence[str],
) -> Arrangement:
    places, start = [], 0
    for index, (count, layout) in enumerate(zip(counts, layouts, strict=True)):
        roles = "".join(order[start : start + count])
        if layout == OF_EACH_HEAD:
            layout = "ermd" if roles == "o" else "rmed"
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


def _layouts(matrices: Sequence[Held], linear: set[str]) -> Iterator[tuple[str, ...]]:
    """A layout for each matrix: all layers alike, all raw parameters alike."""
    kinds = [each.parts[0] in linear for each in matrices]
    by_head = any(len(each.parts) > 1 for each in matrices)
    for layer in LINEAR_LAYOUTS[by_head:] if any(kinds) else ("",):
        for raw in RAW_LAYOUTS if not all(kinds) else ("",):
            yield tuple(layer if kind else raw for kind in kinds)
