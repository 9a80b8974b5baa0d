"""One call of a probe, by value: its key, its seed, its encoded request, and the reference's answer to it."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy
import torch

from grader.suite.cases import Case
from grader.wire.frames import WORKER_CAPS, Encoded, WireError, encode, restore, tensor_of
from grader.worker.loading import Probe


@dataclass(frozen=True)
class Key:
    """What a call is: probe, case (or the digest of plain inputs), options."""

    probe: str
    case: object
    options: str

    @property
    def seed(self) -> int:
        """The seed of the random numbers on both sides; equal keys have equal seeds."""
        return int.from_bytes(hashlib.sha256(repr(self).encode()).digest()[:4], "big")

    @property
    def weight(self) -> int:
        """How large the case is; the smallest one of a part is traced."""
        return self.case.weight() if isinstance(self.case, Case) else 1 << 30


@dataclass
class Call:
    """A call: its inputs and options as they are sent, and once the reference has run, its answer in that form.

    What is recorded is what was encoded: a run that reads a recording and one that makes it see the same bits.
    """

    key: Key
    arguments: Encoded
    answer: Encoded | None = None
    kept: bool = False  # it is part of the recording

    @functools.cached_property
    def expected(self) -> Mapping[str, object] | None:
        """The reference's values as they would arrive over the wire. Raises WireError."""
        return None if self.answer is None else as_mapping(restore(self.answer, WORKER_CAPS))

    def learn(self, values: Mapping[str, object]) -> None:
        """The reference has answered."""
        self.answer = encode(values)
        self.__dict__.pop("expected", None)

    @functools.cached_property
    def plain_request(self) -> Encoded:
        """The request as it is nearly always sent, in one form for all submissions."""
        return self._request((), trace=False)

    def request(self, binding: Sequence[str] = (), *, trace: bool = False) -> Encoded:
        """The `run` request; its inputs are encoded once and replayed for every submission."""
        return self._request(binding, trace=trace) if binding or trace else self.plain_request

    def _request(self, binding: Sequence[str], *, trace: bool) -> Encoded:
        arguments = self.arguments
        assert isinstance(arguments.tree, dict)
        settings = {"binding": list(binding), "seed": self.key.seed, "trace": trace}
        rest = encode({"probe": self.key.probe, **settings})
        assert isinstance(rest.tree, dict)
        return Encoded({**rest.tree, **arguments.tree}, arguments.tensors, arguments.buffers)

    def inputs_and_options(self) -> tuple[dict[str, object], dict[str, object]]:
        """Both as new leaf tensors, for a run in this process. Raises WireError."""
        tree = as_mapping(cloned(restore(self.arguments, WORKER_CAPS)))
        return as_mapping(tree["inputs"]), as_mapping(tree["options"])


def as_mapping(value: object) -> dict[str, object]:
    """The value, which must be a dict. Raises WireError."""
    if not isinstance(value, dict):
        raise WireError(f"expected named values, got {type(value).__name__}")
    return value


def make_call(probe: Probe, case: object, options: Mapping[str, object]) -> Call:
    """A call of `probe` on a case or on plain inputs."""
    key = key_of(probe, case, options)
    inputs = case.inputs() if isinstance(case, Case) else case
    if not isinstance(inputs, Mapping):
        raise TypeError(f"{key.probe}: expected a Case or a dict of inputs, got {type(case).__name__}")
    return Call(key, encode({"inputs": inputs, "options": options}))


def key_of(probe: Probe, case: object, options: Mapping[str, object]) -> Key:
    """The key of a call, without drawing its inputs."""
    return Key(getattr(probe, "__name__", ""), case if isinstance(case, Case) else digest_of(case), digest_of(options))


def digest_of(value: object) -> str:
    """A short digest of a tree; readable where the tree is a small dict of plain values."""
    if value == {}:
        return ""
    encoded = encode(value)
    digest = hashlib.sha256(repr(encoded.tree).encode() + repr(encoded.tensors).encode())
    for buffer in encoded.buffers:
        digest.update(buffer)
    return digest.hexdigest()[:24]


def cloned(value: object) -> object:
    """A copy of a tree with fresh tensors."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone()
    if isinstance(value, Mapping):
        return {name: cloned(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [cloned(entry) for entry in value]
    return value


def detached(value: object) -> object:
    """A tree as it would arrive over the wire: plain tensors without a graph or for arrays, lists for tuples."""
    if isinstance(value, numpy.generic):
        return value.item()
    if isinstance(value, numpy.ndarray):
        return tensor_of(value)
    if isinstance(value, torch.Tensor):
        return value.detach().as_subclass(torch.Tensor).clone()
    if isinstance(value, Mapping):
        return {name: detached(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [detached(entry) for entry in value]
    return value
