"""A call with its inputs and both sides' answers as text, for whoever looks into an appeal. It is for staff only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch

from grader.judge.calls import Call
from grader.judge.sides import Desk
from grader.model import Values
from grader.suite.agreement import kind_of
from grader.text import clean, one_line

_CALLS = 4
_ELEMENTS = 24  # of a tensor
_LIMIT = 12_000


def shown(desk: Desk, case: str) -> str:
    """The calls of the reported case (else the last ones): what went in, what reference and submission answered."""
    own = [entry for entry in desk.seen if str(entry[0].key.case) in case]
    seen = (own or desk.seen)[-_CALLS:]
    lines: list[str] = []
    for call, actual in seen:
        lines += _call(call, actual)
    if desk.last is not None and not isinstance(desk.last[1], Values):
        lines += _call(desk.last[0], None)
    return clean("\n".join(lines), _LIMIT)


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
