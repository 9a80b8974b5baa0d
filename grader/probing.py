"""What probes use: weights drawn by the judge are bound to a student's parameters, and gradients are read by role.

Half of the handouts leave attribute names free. A probe therefore names *roles* and says how they may be found: by
name, by layer type and shape, or by a list of candidates of its own. Where several bindings are possible they
have names and a fixed order, declared order first, and the judge asks for one by its name (`modules.choose`).
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

import torch
from torch import Tensor, nn

MAX_CANDIDATES = 32
MAX_CHOICES = 16  # of one probe that the judge hears of; later ones fall on their first candidate
MAX_NAME = 120

T = TypeVar("T")
How = Literal["sum", "cat0", "cat1"]


class BindingError(Exception):
    """The student's module has no place for a role. The message is written for the student."""


class Chooser(Protocol):
    """The part of `modules` that binding needs."""

    def choose_binding(self, candidates: Sequence[tuple[str, T]]) -> T:
        """The candidate that the judge asked for; notes when it is not the declared one."""
        ...


@dataclass(frozen=True)
class Slot:
    """One parameter of the student and the roles that it holds.

    `how="sum"`: the parameter is the sum of the roles (one bias where the equations have two);
    `"cat0"`/`"cat1"`: their concatenation along dimension 0 or 1 (fused projections). `transposed` parameters hold the
    transpose of that (2-D only).
    """

    parameter: nn.Parameter
    roles: tuple[str, ...]
    how: How = "sum"
    transposed: bool = False

    def write(self, values: Mapping[str, Tensor]) -> None:
        """Write the roles' values into the parameter. Raises BindingError when the shape does not fit."""
        tensors = [values[role] for role in self.roles]
        value = sum(tensors[1:], tensors[0]) if self.how == "sum" else torch.cat(tensors, int(self.how[-1]))
        value = value.t() if self.transposed else value
        if value.shape != self.parameter.shape:
            raise BindingError(
                f"expected a parameter of shape {tuple(value.shape)} for {', '.join(self.roles)}, "
                f"found one of shape {tuple(self.parameter.shape)}"
            )
        with torch.no_grad():
            self.parameter.copy_(value)

    def read_gradients(self, values: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
        """The gradient that belongs to each role, or None for all of them when the parameter received none."""
        gradient = self.parameter.grad
        if gradient is None:
            return dict.fromkeys(self.roles)
        gradient = gradient.t() if self.transposed else gradient
        if self.how == "sum":
            return {role: gradient.clone() for role in self.roles}
        dim = int(self.how[-1])
        pieces = torch.split(gradient, [values[role].shape[dim] for role in self.roles], dim)
        return {role: piece.clone() for role, piece in zip(self.roles, pieces, strict=True)}


@dataclass(frozen=True)
class Candidate:
    """One possible binding: a name that people read, its slots, and the submodules it found by role."""

    name: str
    slots: tuple[Slot, ...]
    modules: tuple[tuple[str, nn.Module], ...] = ()


class Bound:
    """Weights that were written, and the way back to their gradients."""

    def __init__(self, candidate: Candidate, values: Mapping[str, Tensor]) -> None:
        self._candidate = candidate
        self._values = values

    @property
    def name(self) -> str:
        """The name of the binding that was used."""
        return self._candidate.name

    def gradients(self) -> dict[str, Tensor | None]:
        """{role: gradient of the role's shape, or None where the parameter received none}."""
        found: dict[str, Tensor | None] = {}
        for slot in self._candidate.slots:
            found.update(slot.read_gradients(self._values))
        return found

    def module(self, role: str) -> nn.Module:
        """The submodule that `bind_layers` found for a role. Raises KeyError."""
        return dict(self._candidate.modules)[role]


def short(name: str) -> str:
    """A candidate's name as it is sent: long ones end in a digest, so that two of them stay two."""
    return name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 9]} {zlib.crc32(name.encode()):08x}"


def bind(modules: Chooser, candidates: Sequence[Candidate], values: Mapping[str, Tensor]) -> Bound:
    """Write `values` by one of the candidates: the one the judge asks for. Raises BindingError when there is none."""
    if not candidates:
        raise BindingError("no parameters were found that fit the roles " + ", ".join(values))
    chosen = modules.choose_binding([(candidate.name, candidate) for candidate in candidates[:MAX_CANDIDATES]])
    for slot in chosen.slots:
        slot.write(values)
    return Bound(chosen, values)


def bind_names(modules: Chooser, net: nn.Module, values: Mapping[str, Tensor]) -> Bound:
    """Write parameters whose names the handout fixes: {"embeddingL.weight": tensor}.

    Raises BindingError that names the missing parameter and those that exist.
    """
    own = dict(net.named_parameters())
    for name, value in values.items():
        if name not in own:
            raise BindingError(f"{type(net).__name__} has no parameter {name!r}; it has {_listing(own)}")
        if own[name].shape != value.shape:
            raise BindingError(
                f"{type(net).__name__}.{name} should have shape {tuple(value.shape)}, "
                f"it has shape {tuple(own[name].shape)}"
            )
    slots = tuple(Slot(own[name], (name,)) for name in values)
    return bind(modules, [Candidate("by name", slots)], values)


def bind_layers(
    modules: Chooser, net: nn.Module, wanted: Mapping[str, tuple[type[nn.Module], Mapping[str, Tensor]]]
) -> Bound:
    """Find submodules by type and parameter shapes, in declaration order, and write their weights.

    `wanted` maps a role to (type, {parameter name within the layer: tensor}). Roles in `gradients()` are named
    "role.parameter". A parameter name ending in "?" may be missing from the student's layer.
    Raises BindingError that says which layer was expected and which the module has.
    """
    groups: dict[object, list[str]] = {}
    for role, (kind, tensors) in wanted.items():
        groups.setdefault((kind, _shapes(tensors)), []).append(role)
    options = []
    for (kind, _), roles in groups.items():  # type: ignore[misc]
        tensors = wanted[roles[0]][1]
        found = [layer for layer in layers(net, kind) if _fits(layer[1], tensors)]
        if len(found) < len(roles):
            raise BindingError(_missing_layer(net, kind, tensors, len(roles), len(found)))
        options.append([list(zip(roles, chosen, strict=True)) for chosen in _selections(found, len(roles))])
    candidates = []
    for combination in itertools.islice(itertools.product(*options), MAX_CANDIDATES):
        pairs = [pair for group in combination for pair in group]
        candidates.append(_layer_candidate(pairs, wanted))
    values = {f"{role}.{leaf}": value for role, (_, tensors) in wanted.items() for leaf, value in _leaves(tensors)}
    return bind(modules, candidates, values)


def candidates_by_shape(net: nn.Module, roles: Mapping[str, Sequence[int]]) -> list[Candidate]:
    """Candidates that give each role a parameter of its shape, in declaration order first, each parameter once."""
    groups: dict[tuple[int, ...], list[str]] = {}
    for role, shape in roles.items():
        groups.setdefault(tuple(shape), []).append(role)
    options = []
    for shape, names in groups.items():
        found = parameters(net, shape)
        if len(found) < len(names):
            raise BindingError(
                f"Of parameters of shape {shape}, {type(net).__name__} needs {len(names)} for {', '.join(names)} "
                f"and has {len(found)}; its parameters are {_listing(dict(net.named_parameters()))}"
            )
        options.append([list(zip(names, chosen, strict=True)) for chosen in _selections(found, len(names))])
    result = []
    for combination in itertools.islice(itertools.product(*options), MAX_CANDIDATES):
        pairs = [pair for group in combination for pair in group]
        slots = tuple(Slot(parameter, (role,)) for role, (_, parameter) in pairs)
        result.append(Candidate(_paired(pairs), slots))
    return result


def _paired(pairs: Sequence[tuple[str, tuple[str, object]]]) -> str:
    """Which role was given to what; a role that is called as it is in the handout needs no word."""
    others = [f"{role}={found}" for role, (found, _) in pairs if role != found]
    return ", ".join(others) or "by their own names"


def layers(net: nn.Module, kind: type[nn.Module]) -> list[tuple[str, nn.Module]]:
    """(name, module) of every submodule of that type, in declaration order, the module itself left out."""
    return [(name, module) for name, module in net.named_modules() if name and isinstance(module, kind)]


def parameters(net: nn.Module, shape: Sequence[int]) -> list[tuple[str, nn.Parameter]]:
    """(name, parameter) of every parameter of that shape, in declaration order."""
    return [(name, found) for name, found in net.named_parameters() if tuple(found.shape) == tuple(shape)]


def handed(value: T) -> T:
    """What a caller would hand over in place of these inputs: copies that are no leaves, so that student code may write
    into them. The inputs require gradients from then on, and `gradient(x)` is what reaches x through all its copies.

    Trees of tuples, lists and dicts are copied throughout; what has no gradients (whole numbers, flags) is copied too.
    """
    if isinstance(value, Tensor):
        return (value.requires_grad_() if value.is_floating_point() else value).clone()  # type: ignore[return-value]
    if isinstance(value, Mapping):
        return {name: handed(entry) for name, entry in value.items()}  # type: ignore[return-value]
    if isinstance(value, (tuple, list)):
        return type(value)(handed(entry) for entry in value)
    return value


def gradient(tensor: Tensor) -> Tensor | None:
    """A copy of the gradient of a leaf, or None when nothing reached it."""
    return None if tensor.grad is None else tensor.grad.clone()


# --- details --------------------------------------------------------------------------------------------------


def _leaves(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    return ((leaf.rstrip("?"), value) for leaf, value in tensors.items())


def _shapes(tensors: Mapping[str, Tensor]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return tuple((leaf, tuple(value.shape)) for leaf, value in tensors.items())


def _fits(module: nn.Module, tensors: Mapping[str, Tensor]) -> bool:
    for leaf, value in tensors.items():
        own = getattr(module, leaf.rstrip("?"), None)
        if own is None and leaf.endswith("?"):
            continue
        if not isinstance(own, nn.Parameter) or own.shape != value.shape:
            return False
    return True


def _selections(found: Sequence[T], count: int) -> list[tuple[T, ...]]:
    """Choices of `count` of the found ones; those in declaration order come first."""
    in_order = list(itertools.islice(itertools.combinations(range(len(found)), count), MAX_CANDIDATES))
    mixed = (pick for pick in itertools.permutations(range(len(found)), count) if pick != tuple(sorted(pick)))
    picks = in_order + list(itertools.islice(mixed, MAX_CANDIDATES - len(in_order)))
    return [tuple(found[index] for index in pick) for pick in picks]


def _layer_candidate(
    pairs: Sequence[tuple[str, tuple[str, nn.Module]]],
    wanted: Mapping[str, tuple[type[nn.Module], Mapping[str, Tensor]]],
) -> Candidate:
    slots = []
    for role, (_, module) in pairs:
        for leaf, _value in _leaves(wanted[role][1]):
            own = getattr(module, leaf, None)
            if own is not None:
                slots.append(Slot(own, (f"{role}.{leaf}",)))
    name = _paired(pairs)
    return Candidate(name, tuple(slots), tuple((role, module) for role, (_, module) in pairs))


def _missing_layer(net: nn.Module, kind: type[nn.Module], tensors: Mapping[str, Tensor], need: int, have: int) -> str:
    shapes = ", ".join(f"{leaf} {tuple(value.shape)}" for leaf, value in _leaves(tensors))
    own = [f"{name}: {module}" for name, module in layers(net, kind)]
    listing = "; ".join(own)[:400] if own else f"no {kind.__name__} at all"
    return (
        f"Of {kind.__name__} with {shapes}, {type(net).__name__} needs {need} and has {have}. It has {listing}. "
        "Are all layers assigned to self in __init__, with the sizes that the handout gives?"
    )


def _listing(own: Mapping[str, Tensor]) -> str:
    return ", ".join(f"{name} {tuple(value.shape)}" for name, value in own.items())[:400] or "no parameters"
