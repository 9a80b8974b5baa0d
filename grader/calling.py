"""What the probes of short checks use: results by name, weights that are drawn, gradients that are pulled back.

Weights and upstream gradients are drawn in the probe from a seed that the case carries, by role and shape, so that both
sides have equal ones and nobody has to say how large a result is.
"""

from __future__ import annotations

import inspect
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn, Protocol

import numpy
import torch
from torch import Tensor, nn

from grader.probing import Bound, Candidate, Chooser, bind, bind_layers, bind_names, candidates_by_shape, gradient


class Room(Chooser, Protocol):
    """The part of `modules` that answers need."""

    def __getitem__(self, file_id: str) -> Any: ...
    def not_attempted(self, what: str) -> NoReturn: ...


def takes(function: Callable[..., object], name: str) -> bool:
    """Whether a function or the constructor of a class may be given an argument of that name.

    Signatures tell the semesters of a course apart. A constructor that passes all keyword arguments on takes what the
    class above it takes; a function that does so, and one whose signature cannot be read, takes everything.
    """
    own: list[Callable[..., object]] = [function]
    if isinstance(function, type):
        own = [vars(kind)["__init__"] for kind in function.__mro__ if "__init__" in vars(kind)]
    for each in own:
        try:
            parameters = inspect.signature(each).parameters
        except (TypeError, ValueError):
            return True
        if name in parameters:
            return True
        if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
            return False
    return not isinstance(function, type)


def named(result: object, *names: str) -> dict[str, object]:
    """{"out": result}, or each of several results (a tuple, list or dict) by its name. Raises TypeError, ValueError."""
    if not names:
        return {"out": plain(result)}
    if isinstance(result, Mapping):
        return {name: plain(result[name]) for name in names}
    parts: Any = result
    return {name: plain(part) for name, part in zip(names, parts, strict=True)}


def plain(value: object) -> object:
    """A value that may be sent: sets become sorted lists, bytes their text, keys that are no words a list of pairs."""
    if isinstance(value, Mapping):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: plain(entry) for key, entry in value.items()}
        return [[plain(key), plain(entry)] for key, entry in sorted(value.items(), key=repr)]
    if isinstance(value, (set, frozenset)):
        return [plain(entry) for entry in sorted(value, key=repr)]
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return repr(bytes(value)) if isinstance(value, (bytes, bytearray)) else value


def array(value: object) -> Any:
    """A NumPy copy of drawn tensors, in lists and dicts as well: student code may write into it."""
    if isinstance(value, Tensor):
        return value.detach().numpy().copy()
    if isinstance(value, Mapping):
        return {name: array(entry) for name, entry in value.items()}
    return [array(entry) for entry in value] if isinstance(value, (list, tuple)) else value


# --- weights and gradients ------------------------------------------------------------------------------------


def drawn_weights(modules: Chooser, net: object, seed: int, how: str = "by name") -> Bound | None:
    """Fill every parameter of a module from the seed; None for what has no parameters.

    "by name": equal names and shapes get equal values. "by order": layers of torch by type, shape and order of
    declaration, other parameters by shape and order; another order is a candidate. Raises BindingError.
    """
    if not isinstance(net, nn.Module) or not list(net.parameters()):
        return None
    if how == "by name":
        return bind_names(modules, net, {name: _drawn(seed, name, own) for name, own in net.named_parameters()})
    modules = _AsDeclared(modules, net)
    layers = _layers(net)
    inside = {id(own) for _, layer in layers.values() for own in layer.parameters(recurse=False)}
    others = [own for own in net.parameters() if id(own) not in inside]
    roles = _numbered([f"parameter {tuple(own.shape)}" for own in others])
    values = {role: _drawn(seed, role, own) for role, own in zip(roles, others, strict=True)}
    by_layer = bind_layers(
        modules,
        net,
        {
            role: (kind, {leaf: _drawn(seed, f"{role}.{leaf}", own) for leaf, own in layer.named_parameters()})
            for role, (kind, layer) in layers.items()
        },
    )
    if not others:
        return by_layer
    found = [
        one for one in candidates_by_shape(net, {role: values[role].shape for role in roles}) if _apart(one, inside)
    ]
    return _Both(by_layer, bind(modules, found, values))


def given_weights(modules: Chooser, net: nn.Module, values: Mapping[str, Tensor]) -> Bound:
    """Write drawn weights by name where the module has these names, else by shape and order. Raises BindingError."""
    if set(values) <= {name for name, _ in net.named_parameters()}:
        return bind_names(modules, net, values)
    return bind(modules, candidates_by_shape(net, {role: value.shape for role, value in values.items()}), values)


def pulled_back(result: object, seed: int, bound: Bound | None = None, **inputs: Tensor) -> dict[str, Tensor | None]:
    """{name: gradient or None} of inputs and weights, where every result is given an upstream gradient from the seed.

    Drawn, because a plain sum hides what cancels: behind a batch norm its gradient is zero.
    """
    outputs = [leaf for leaf in tensors_in(result) if leaf.requires_grad]
    if outputs:
        upstream = [_drawn(seed, f"upstream {number}", output, 1.0) for number, output in enumerate(outputs)]
        torch.autograd.backward(outputs, upstream)
    weights = {} if bound is None else bound.gradients()
    return {**{name: gradient(value) for name, value in inputs.items()}, **weights}


def numeric_gradient(function: Callable[..., object], *arguments: numpy.ndarray, upstream: object = 1.0) -> Any:
    """Gradients of sum(upstream * function(*arguments)) by central differences in float64, one array per argument.

    Their own noise is about 1e-9 of the function's values: compare with `rtol=1e-6`.
    """
    points = [numpy.array(argument, dtype=numpy.float64) for argument in arguments]
    found = []
    for point in points:
        slope = numpy.zeros_like(point)
        for index in numpy.ndindex(*point.shape):
            here = float(point[index])
            step = 1e-5 * max(1.0, abs(here))
            ends = []
            for sign in (1, -1):
                point[index] = here + sign * step
                ends.append(float(numpy.sum(numpy.asarray(upstream) * function(*(each.copy() for each in points)))))
            point[index] = here
            slope[index] = (ends[0] - ends[1]) / (2 * step)
        found.append(slope)
    return tuple(found)


# --- answers --------------------------------------------------------------------------------------------------


def answer(modules: Room, file_id: str, name: str) -> object:
    """The value of a variable, numbers as floats, texts in small letters; None ends the probe as not attempted."""
    file = modules[file_id]
    value: Any = None
    with suppress(AttributeError):  # it is no notebook, or no cell assigns the name
        value = file.run_cells(name)
    value = getattr(file, name) if value is None else value
    if value is None or value is ...:
        modules.not_attempted(f"{name} still holds {value!r}")
    return _comparable(value)


def _comparable(value: Any) -> object:
    if isinstance(value, (Tensor, numpy.ndarray, numpy.generic)):
        return _comparable(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_comparable(entry) for entry in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value.strip().lower() if isinstance(value, str) else plain(value)


# --- details --------------------------------------------------------------------------------------------------


class _AsDeclared:
    """Calls candidates by what they exchange of the declared order: shapes in a name would make every case another."""

    def __init__(self, modules: Chooser, net: nn.Module) -> None:
        self._modules = modules
        self._names = {id(own): name.rpartition(".")[0] or name for name, own in net.named_parameters()}

    def choose_binding(self, candidates: Sequence[tuple[str, Any]]) -> Any:
        declared = candidates[0][1]
        return self._modules.choose_binding([(self._name(declared, one), one) for _, one in candidates])

    def _name(self, declared: Candidate, one: Candidate) -> str:
        pairs = [
            tuple(self._names[id(slot.parameter)] for slot in both)
            for both in zip(one.slots, declared.slots, strict=True)
        ]
        moved = dict.fromkeys(f"{here} for {there}" for here, there in pairs if here != there)
        return ", ".join(moved) or "as declared"


class _Both(Bound):
    """Layers and other parameters, bound one after the other."""

    def __init__(self, first: Bound, second: Bound) -> None:
        self._parts = (first, second)

    def gradients(self) -> dict[str, Tensor | None]:
        return {role: value for part in self._parts for role, value in part.gradients().items()}


def _drawn(seed: int, role: str, like: Tensor, scale: float | None = None) -> Tensor:
    """Noise of that shape; weights are scaled as layers would draw them."""
    noise = torch.from_numpy(_noise(seed, role, like.numel())).reshape(like.shape).to(like.device, like.dtype)
    return noise * (scale or (1 / math.sqrt(max(like[0].numel(), 1)) if like.dim() > 1 else 0.5))


def _noise(seed: int, role: str, count: int) -> Any:
    """About normal, float32, from whole numbers alone (SplitMix64), so that all machines and versions have the same."""
    start = numpy.uint64((seed << 32 | zlib.crc32(role.encode())) % 2**64)
    z = start + numpy.arange(1, 4 * count + 1, dtype=numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ (z >> numpy.uint64(shift))) * numpy.uint64(factor)
    uniform = (z >> numpy.uint64(40)).astype(numpy.float64) / 2**24
    return ((uniform.reshape(count, 4).sum(1) - 2) * math.sqrt(3)).astype(numpy.float32)


def tensors_in(value: object) -> Iterator[Tensor]:
    """The tensors of a tree of dicts and lists, in order."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from (leaf for entry in value.values() for leaf in tensors_in(entry))
    elif isinstance(value, (list, tuple)):
        yield from (leaf for entry in value for leaf in tensors_in(entry))


def _layers(net: nn.Module) -> dict[str, tuple[type[nn.Module], nn.Module]]:
    """{role: (type, layer)} of torch's own layers with parameters, subclasses as well, in order of declaration."""
    own = [
        (kind, layer)
        for layer in net.modules()
        if list(layer.parameters(recurse=False)) and (kind := _kind(layer)) is not None
    ]
    shapes = [tuple(next(layer.parameters(recurse=False)).shape) for _, layer in own]
    roles = _numbered([f"{kind.__name__} {shape}" for (kind, _), shape in zip(own, shapes, strict=True)])
    return dict(zip(roles, own, strict=True))


def _kind(layer: nn.Module) -> type[nn.Module] | None:
    """The layer of torch that it is; None for what only is a module."""
    torchs = (kind for kind in type(layer).__mro__ if kind.__module__.startswith("torch.nn.") and kind is not nn.Module)
    return next((kind for kind in torchs if not issubclass(nn.Sequential, kind) and kind is not nn.ModuleList), None)


def _numbered(names: list[str]) -> list[str]:
    """Names that occur several times get a number."""
    return [
        name if names.count(name) == 1 else f"{name} no. {names[:place].count(name) + 1}"
        for place, name in enumerate(names)
    ]


def _apart(candidate: Candidate, taken: set[int]) -> bool:
    return all(id(slot.parameter) not in taken for slot in candidate.slots)
