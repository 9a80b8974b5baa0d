"""One call of a probe, by value: its key, its seed, its encoded request, and the reference's answer to it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from grader.assignment.assignment import Limits
from grader.sandbox.base import request_tree
from grader.suite.cases import Case
from grader.wire.frames import Encoded, encode
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
    """A call with its inputs and, once the reference has run, the expected tree."""

    key: Key
    inputs: Mapping[str, object]
    options: Mapping[str, object]
    expected: Mapping[str, object] | None = None
    requests: dict[float, Encoded] = field(default_factory=dict)

    def request(self, binding: int, trace: bool, limits: Limits) -> Encoded:
        """The `run` request; the usual one is encoded once and replayed for every submission."""
        usual = binding == 0 and not trace
        found = self.requests.get(limits.cpu_seconds) if usual else None
        if found is None:
            found = request_tree(
                probe=self.key.probe,
                inputs=self.inputs,
                options=self.options,
                binding=binding,
                seed=self.key.seed,
                trace=trace,
                limits=limits,
            )
            if usual:
                self.requests[limits.cpu_seconds] = found
        return found

    def fresh_arguments(self) -> dict[str, object]:
        """Inputs and options as new leaf tensors, for a run in this process."""
        copy = cloned({**self.inputs, **self.options})
        assert isinstance(copy, dict)
        return copy


def make_call(probe: Probe, case: object, options: Mapping[str, object]) -> Call:
    """A call of `probe` on a case or on plain inputs."""
    name = getattr(probe, "__name__", "")
    if isinstance(case, Case):
        return Call(Key(name, case, digest_of(options)), case.inputs(), options)
    if not isinstance(case, Mapping):
        raise TypeError(f"{name}: expected a Case or a dict of inputs, got {type(case).__name__}")
    return Call(Key(name, digest_of(case), digest_of(options)), case, options)


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
    """A tree as it would arrive over the wire: plain tensors without a graph, lists for tuples."""
    if isinstance(value, torch.Tensor):
        return value.detach().as_subclass(torch.Tensor).clone()
    if isinstance(value, Mapping):
        return {name: detached(entry) for name, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [detached(entry) for entry in value]
    return value
