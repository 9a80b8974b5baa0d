"""Getting at a student's objects: chance made constant, free return values."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

DRAWS = frozenset(
    {"randn", "rand", "randn_like", "rand_like", "normal", "normal_", "uniform_", "bernoulli", "bernoulli_"}
)


class _ConstantRandomness(TorchFunctionMode):
    """Every float that torch draws inside is `value`: a random first state becomes zero, a coin falls on one side."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self._value = value

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if getattr(func, "__name__", "") in DRAWS and isinstance(result, Tensor) and result.is_floating_point():
            with torch.no_grad():
                result.fill_(self._value)
        return result


@contextmanager
def constant_randomness(value: float = 0.0) -> Iterator[None]:
    """No chance inside: torch, `random` and numpy draw `value` wherever they would draw a float."""
    import random

    import numpy

    saved = random.random, random.uniform, numpy.random.rand, numpy.random.random, numpy.random.uniform
    random.random = lambda: value  # type: ignore[method-assign]
    random.uniform = lambda low, high: low + (high - low) * value  # type: ignore[method-assign]
    numpy.random.rand = numpy.random.random = lambda *shape: numpy.full(shape, value) if shape else value
    numpy.random.uniform = lambda *_, **__: value
    try:
        with _ConstantRandomness(value):
            yield
    finally:
        random.random, random.uniform, numpy.random.rand, numpy.random.random, numpy.random.uniform = saved


# --- free return values -----------------------------------------------------------------------------------------


def leaves(value: object) -> list[Tensor]:
    """The tensors of a tree of tuples, lists, dicts and objects with attributes, in order."""
    if isinstance(value, Tensor):
        return [value]
    return [leaf for entry in _parts(value).values() for leaf in leaves(entry)]


def rebuilt(value: object, fill: Callable[[Tensor], object]) -> object:
    """The same tree with every tensor replaced."""
    if isinstance(value, Tensor):
        return fill(value)
    parts = {name: rebuilt(entry, fill) for name, entry in _parts(value).items()}
    if isinstance(value, Mapping):
        return parts
    if isinstance(value, tuple) and hasattr(value, "_make"):
        return value._make(parts.values())
    if isinstance(value, (tuple, list)):
        return type(value)(parts.values())
    twin = copy.copy(value) if parts else value
    for name, entry in parts.items():
        object.__setattr__(twin, str(name), entry)  # a dataclass may be frozen
    return twin


def _parts(value: object) -> dict[object, object]:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (tuple, list)):
        return dict(enumerate(value))
    if isinstance(value, (nn.Module, type)) or callable(value):
        return {}
    named = [field.name for field in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else ()
    return {name: getattr(value, name) for name in named} or dict(getattr(value, "__dict__", {}))


def batch_first(states: Tensor, batch: int, length: int, size: int) -> Tensor | None:
    """A tensor of all hidden states as (batch, length, size), from whatever order it has; None if it is none."""
    if states.dim() != 3:
        return None
    if tuple(states.shape) == (batch, length, size):
        return states
    if tuple(states.shape) == (length, batch, size):
        return states.transpose(0, 1)
    return states.transpose(1, 2) if tuple(states.shape) == (batch, size, length) else None


def flat(value: Tensor, batch: int, size: int) -> Tensor | None:
    """A tensor as (batch, size), single dimensions left out; None if it is none."""
    kept = [extent for extent in value.shape if extent != 1]
    wanted = [extent for extent in (batch, size) if extent != 1]
    return value.reshape(batch, size) if kept == wanted else None
