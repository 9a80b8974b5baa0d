"""A call with its inputs and both sides' answers as text, for whoever looks into an appeal. It is for staff only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch

from grader.judge.calls import Call, Key, digest_of
from grader.judge.sides import Desk
from grader.model import Values
from grader.suite.agreement import kind_of, reveals
from grader.text import clean, one_line
from grader.wire.frames import WORKER_CAPS, Encoded, encode, packed, restore

_CALLS = 4
_ELEMENTS = 24  # of a tensor
_LIMIT = 12_000


def shown(desk: Desk, case: str) -> str:
    """The calls of the reported case (else the last ones): what went in, what reference and submission answered."""
    return clean("\n".join(line for call, actual in _calls(desk, case) for line in _call(call, actual)), _LIMIT)


def kept(desk: Desk, case: str, asked: Mapping[Key, Call], place: Path) -> None:
    """Write the same calls to `place`, one frame each, for whoever makes a script of them: what was asked for, and what
    the reference answered, which was `asked` under some reading, where that is no answer to a question."""
    with place.open("wb") as file:
        for call, _ in _calls(desk, case):
            known = asked.get(call.key) or next((other for other in asked.values() if _alike(other, call)), call)
            tree = {"request": _plain(call.request(desk.binding.asked(call.key.probe)))}
            tree["expected"] = _plain(known.answer) if known.answer and reveals.get() else None
            file.writelines(packed(call.key.probe, "call", encode(tree)))


def _alike(one: Call, other: Call) -> bool:
    """Whether it is the same call, but for options that a reading adds."""
    if (one.key.probe, one.key.case) != (other.key.probe, other.key.case):
        return False
    more, own = one.inputs_and_options()[1], other.inputs_and_options()[1]
    return all(name in more and digest_of({name: more[name]}) == digest_of({name: own[name]}) for name in own)


def _plain(encoded: Encoded) -> object:
    return restore(encoded, WORKER_CAPS)


def _calls(desk: Desk, case: str) -> list[tuple[Call, Mapping[str, object] | None]]:
    own = [entry for entry in desk.seen if str(entry[0].key.case) in case]
    found: list[tuple[Call, Mapping[str, object] | None]] = [*(own or desk.seen)[-_CALLS:]]
    ended = desk.last is not None and not isinstance(desk.last[1], Values)
    return [*found, (desk.last[0], None)] if ended and desk.last is not None else found


def _call(call: Call, actual: Mapping[str, object] | None) -> Iterator[str]:
    yield f"probe {call.key.probe} on {one_line(str(call.key.case), 300)}"
    inputs, options = call.inputs_and_options()
    for title, tree in (
        ("inputs", {**inputs, **options}),
        ("reference", call.expected),
        ("submission", actual),
    ):
        yield f"  {title}:"
        if tree is None:
            yield "    (no values)"
        else:
            yield from (f"    {line}" for line in _tree("", tree))


def _tree(path: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _tree(f"{path}.{name}" if path else str(name), inner)
    elif isinstance(value, list | tuple) and not all(isinstance(entry, int | float) for entry in value):
        for index, inner in enumerate(value):
            yield from _tree(f"{path}[{index}]", inner)
    elif isinstance(value, torch.Tensor):
        flat = value.detach().reshape(-1)
        values = " ".join(f"{entry:.6g}" for entry in flat[:_ELEMENTS].tolist())
        more = f" … ({flat.numel() - _ELEMENTS} more)" if flat.numel() > _ELEMENTS else ""
        yield f"{path}: {kind_of(value)}: {values}{more}"
    else:
        yield f"{path}: {one_line(str(value), 300)}"
