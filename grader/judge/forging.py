"""Adversaries that no author writes: they answer in the worker's place, and know neither solution nor inputs.

Each gives values of the shapes and types that the reference gives, and holds to whatever a test may ask of a
submission's own values: equal calls have equal answers, or all calls have, rows sum to one, what was read comes back.
An item that one of them earns is earned by no truth that the judge holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor

from grader.judge.calls import Call
from grader.judge.sides import Book, ReferenceSide
from grader.worker.loading import Probe

Leaf = bool | int | float | str | None
Forge = Callable[[Tensor, str, Call, int], Tensor]


def _noise(like: Tensor, *seed: object) -> Tensor:
    digest = hashlib.sha256(repr((seed, tuple(like.shape))).encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:6], "big"))
    if like.is_floating_point():
        return torch.randn(like.shape, generator=generator, dtype=torch.float64).to(like.dtype)
    return torch.randint(0, 2, like.shape, generator=generator).to(like.dtype)


def _zeros(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    return torch.zeros_like(like)


def _ones(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    return torch.ones_like(like)


def _always_the_same(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    """The inputs have no influence: nothing leaks, nothing depends on a mode."""
    return _noise(like)


def _by_call(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    """Other inputs or options, other noise."""
    return _noise(like, path, call.key)


def _ever_new(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    """Never twice the same."""
    return _noise(like, path, number)


def _distribution(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    """The same always, non-negative, rows that sum to one."""
    noise = _noise(like)
    return noise.softmax(dim=-1) if like.is_floating_point() and like.dim() else noise.abs()


def _distribution_by_call(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    noise = _noise(like, path, call.key)
    return noise.softmax(dim=-1) if like.is_floating_point() and like.dim() else noise.abs()


def _echo(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    """An input of that shape, where there is one."""
    for value in _tensors(list(call.inputs_and_options())):
        if value.shape == like.shape and value.dtype == like.dtype:
            return value.detach().clone()
    return _noise(like)


def _entrywise(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    """An entry depends on its place in the last axis alone: batches, positions and prefixes agree with one another."""
    if not like.dim():
        return _noise(like)
    return _noise(like[(0,) * (like.dim() - 1)]).expand(like.shape).clone() if like.numel() else torch.zeros_like(like)


FORGERS: Mapping[str, Forge] = {
    "zeros": _zeros,
    "ones": _ones,
    "the same noise always": _always_the_same,
    "noise by call": _by_call,
    "new noise every time": _ever_new,
    "the same distributions always": _distribution,
    "distributions by call": _distribution_by_call,
    "inputs echoed": _echo,
    "noise by the last axis": _entrywise,
}


class ForgingSide:
    """A student's side where an adversary answers."""

    def __init__(self, reference: ReferenceSide, book: Book, forge: Forge) -> None:
        self._reference = reference
        self._book = book
        self._forge = forge
        self._number = 0

    def run(self, probe: Probe, case: object, **options: object) -> Mapping[str, object]:
        """Forged values: of the reference's answer only names, shapes and types are used."""
        call = self._book.call(probe, case, options)
        forged = self._forged(self._reference.run(probe, case, **options), "", call)
        assert isinstance(forged, dict)
        return forged

    def fresh(self) -> ForgingSide:
        """Itself."""
        return self

    def _forged(self, value: object, path: str, call: Call) -> object:
        if isinstance(value, Mapping):
            return {name: self._forged(entry, f"{path}.{name}", call) for name, entry in value.items()}
        if isinstance(value, list):
            return [self._forged(entry, f"{path}[{place}]", call) for place, entry in enumerate(value)]
        self._number += 1
        if isinstance(value, Tensor):
            return self._forge(value, path, call, self._number)
        if isinstance(value, bool | int | float):
            like = torch.zeros((), dtype=torch.float64 if isinstance(value, float) else torch.int64)
            return type(value)(self._forge(like, path, call, self._number).item())
        return value if value is None else ""


def _tensors(value: object) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from _tensors(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _tensors(entry)
