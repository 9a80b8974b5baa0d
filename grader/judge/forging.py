"""Adversaries that no author writes: they answer in the worker's place, and know neither solution nor inputs.

Each gives values of the shapes and types that the reference gives, and holds to whatever a test may ask of a
submission's own values: equal calls have equal answers, or all calls have, rows sum to one, what was read comes back.
An item that one of them earns is earned by no truth that the judge holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from grader.calling import tensors_in
from grader.judge.calls import Call, Key
from grader.judge.sides import Book, ReferenceSide
from grader.worker.loading import Probe

MOST_ROWS, MOST_NAMES = 400, 4
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
    """An input of that name or shape, where there is one."""
    given, options = call.inputs_and_options()
    named = given.get(path.rpartition(".")[2])
    for value in [*tensors_in(named), *tensors_in([given, options])]:
        if value.shape == like.shape:
            return value.detach().to(like.dtype)
    return _noise(like)


def _echoed(value: object, path: str, call: Call) -> object:
    """For a text, a number or a list of such: the input of that name, or the first alike; None if none is."""
    if any(True for _ in tensors_in(value)):
        return None
    given, options = call.inputs_and_options()
    named = given.get(path.rpartition(".")[2])
    if type(named) is type(value):
        return named
    length = len(value) if isinstance(value, list) else 0
    alike = (part for part in _parts([given, options]) if type(part) is type(value))
    return next((part for part in alike if not isinstance(part, list) or len(part) == length), None)


def _parts(value: object) -> Iterator[object]:
    """What a tree is made of: its lists, texts and numbers."""
    for entry in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield entry
        yield from _parts(entry)


def _entrywise(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    """An entry depends on its place in the last axis alone: batches, positions and prefixes agree with one another."""
    if not like.dim():
        return _noise(like)
    return _noise(like[(0,) * (like.dim() - 1)]).expand(like.shape).clone() if like.numel() else torch.zeros_like(like)


def _by_name(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    """The answer that was given before, each value its own."""
    return _noise(like, path)


def _by_inputs(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    """Modes and other options have no influence."""
    return _noise(like, path, repr(call.key.case))


def _by_options(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    """Only modes and other options have an influence."""
    return _noise(like, path, call.key.options)


def _dropping(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    """Where an option is on, entries are dropped and the others doubled, anew every time."""
    base = _noise(like, path, repr(call.key.case))
    on = any(value is True for value in call.inputs_and_options()[1].values())
    return base * (_noise(like, number) > 0) * 2 if on and like.is_floating_point() else base


def _by_row(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    """A row depends on its own inputs alone."""
    return _by_prefix(like, path, call, number, past=False)


def _by_prefix(like: Tensor, path: str, call: Call, number: int, *, past: bool = True) -> Tensor:
    """A row depends on its own inputs alone, and a place in it (`past`) on what stands up to there."""
    if like.dim() < 2 or not like.numel() or len(like) * like.shape[1] > MOST_ROWS:
        return _by_inputs(like, path, call, number)
    given = list(tensors_in(call.inputs_and_options()[0]))
    rows, length = like.shape[:2]
    places = range(length) if past else [slice(None)]
    made = like.clone()
    for row in range(rows):
        mine = [value[row] if value.dim() and len(value) == rows else value for value in given]
        for place in places:
            end = length if isinstance(place, slice) else place + 1
            seen = [value[:end] if value.dim() and len(value) == length else value for value in mine]
            known = hashlib.sha256(b"".join(value.contiguous().numpy().tobytes() for value in seen)).digest()
            made[row, place] = _noise(made[row, place], path, end, known)
    return made


def _heeding_masks(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    """Distributions over what a mask leaves, or the past where places are weighed; what is masked has no influence."""
    if not like.is_floating_point() or like.dim() < 2 or not like.numel():
        return _noise(like)
    rows, length = len(like), like.shape[-1]
    noise = _noise(like)
    for mask in tensors_in(call.inputs_and_options()[0]):
        if mask.shape == (rows, length) and bool(((mask == 0) | (mask == 1)).all()):
            shape = (rows, *[1] * (like.dim() - 2), length)
            return noise.masked_fill(mask.reshape(shape) == 0, -torch.inf).softmax(-1).nan_to_num()
    if like.shape[-2] == length:
        noise = noise.masked_fill(torch.ones(length, length).triu(1) > 0, -torch.inf)
    return noise.softmax(-1)


def _symmetric(like: Tensor, path: str, call: Call, number: int) -> Tensor:
    """As distances are: symmetric, non-negative, nothing between a place and itself."""
    if like.dim() < 2 or like.shape[-1] != like.shape[-2] or not like.is_floating_point():
        return _noise(like)
    noise = _noise(like).abs()
    return (noise + noise.mT) * (1 - torch.eye(like.shape[-1], dtype=like.dtype))


def mixtures(paths: Sequence[str]) -> Iterator[Forge]:
    """Some of the values are always the same, the others ever new: every way to share out a few names."""
    names = list(dict.fromkeys(paths))
    if not 2 <= len(names) <= MOST_NAMES:
        return
    for number in range(1, 2 ** len(names) - 1):
        new = {name for place, name in enumerate(names) if number >> place & 1}

        def mixed(like: Tensor, path: str, call: Call, count: int, new: set[str] = new) -> Tensor:
            return _ever_new(like, path, call, count) if path in new else _always_the_same(like, path, call, count)

        yield mixed


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
    "the same noise for each name": _by_name,
    "noise by inputs": _by_inputs,
    "noise by options": _by_options,
    "noise that drops entries where an option is on": _dropping,
    "noise by row": _by_row,
    "noise by the past": _by_prefix,
    "distributions that heed masks": _heeding_masks,
    "symmetric noise": _symmetric,
}
_STEADY = frozenset(FORGERS.values()) - {_ever_new, _dropping}


class ForgingSide:
    """A student's side where an adversary answers."""

    def __init__(self, reference: ReferenceSide, book: Book, forge: Forge) -> None:
        self._reference = reference
        self._book = book
        self._forge = forge
        self._number = 0
        self._known: dict[Key, Mapping[str, object]] = {}  # a test asks again under every reading
        self.paths: list[str] = []

    def run(self, probe: Probe, case: object, **options: object) -> Mapping[str, object]:
        """Forged values: of the reference's answer only names, shapes and types are used."""
        call = self._book.call(probe, case, options)
        if call.key not in self._known or self._forge not in _STEADY:
            forged = self._forged(self._reference.run(probe, case, **options), "", call)
            assert isinstance(forged, dict)
            self._known[call.key] = forged
        return self._known[call.key]

    def fresh(self) -> ForgingSide:
        """Itself."""
        return self

    def _forged(self, value: object, path: str, call: Call) -> object:
        if isinstance(value, Mapping):
            return {name: self._forged(entry, f"{path}.{name}", call) for name, entry in value.items()}
        if self._forge is _echo and (known := _echoed(value, path, call)) is not None:
            return known
        if isinstance(value, list):
            return [self._forged(entry, f"{path}[{place}]", call) for place, entry in enumerate(value)]
        self._number += 1
        self.paths.append(path)
        if isinstance(value, Tensor):
            return self._forge(value, path, call, self._number)
        if isinstance(value, bool | int | float):
            like = torch.zeros((), dtype=torch.float64 if isinstance(value, float) else torch.int64)
            return type(value)(self._forge(like, path, call, self._number).item())
        return value if value is None else ""
