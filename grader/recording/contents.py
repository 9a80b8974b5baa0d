"""What a recording holds, as frames of the wire and back.

facts        the number of items, preloaded modules, the template, the account of the suite's run, known mistakes
fingerprint  what the machine computed from fixed inputs
suite        the suite's files as they were
calls        of each call: probe, case, options, seed
item         one for each: routes, sentence, digest, cases, the numbers of its calls
arguments, answer      one frame each per call: what is sent to a worker, and what the reference answered
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from grader.recording.values import Classes, from_tree, to_tree
from grader.wire.frames import Caps, Encoded, Sealed, WireError, checked, encode, packed, restore, unpacked

CAPS = Caps(header=16 << 20, body=1 << 30, tensors=1 << 14, text=4 << 20)


@dataclass(frozen=True, kw_only=True)
class StoredCall:
    """One call of a probe. `options` is their digest, `case` a case or the digest of plain inputs."""

    probe: str
    case: object
    options: str
    seed: int
    arguments: Encoded
    answer: Encoded


@dataclass(frozen=True, kw_only=True)
class StoredItem:
    """What the reference run fixed for one item; `account` is pytest-json-report's entry of its test, as JSON."""

    id: str
    routes: tuple[str, ...]
    sentence: str
    digest: str
    cases: Sequence[dict[str, object]]
    calls: tuple[int, ...]
    account: str


@dataclass(frozen=True, kw_only=True)
class StoredMistake:
    """A known mistake: the items that it fails, its own first, the student's hint, and the digest of its edits.

    `follows` are those among them that charge nothing where the first one has charged the mistake.
    """

    name: str
    fails: tuple[str, ...]
    follows: tuple[str, ...] = ()
    hint: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Everything."""

    fingerprint: Mapping[str, object]
    preload: tuple[str, ...]
    template: Mapping[str, str]
    account: str
    mistakes: tuple[StoredMistake, ...]
    suite: Mapping[str, bytes]
    calls: Sequence[StoredCall]
    items: Sequence[StoredItem]


def pack(contents: Contents) -> Iterator[bytes | memoryview]:
    """The frames in pieces. Raises WireError when a case holds what has no place there."""
    mistakes = [
        {**vars(entry), "fails": list(entry.fails), "follows": list(entry.follows)} for entry in contents.mistakes
    ]
    facts = {
        "items": len(contents.items),
        "preload": list(contents.preload),
        "template": dict(contents.template),
        "account": contents.account,
    }
    yield from _frame("facts", {**facts, "mistakes": mistakes})
    yield from _frame("fingerprint", contents.fingerprint)
    yield from _frame("suite", {path: bytes_as_tensor(content) for path, content in contents.suite.items()})
    yield from _frame("calls", {"calls": [_call_tree(call) for call in contents.calls]})
    for item in contents.items:
        yield from _frame("item", _item_tree(item))
    for call in contents.calls:
        yield from packed("", "arguments", call.arguments, aligned=True)
        yield from packed("", "answer", call.answer, aligned=True)


def unpack(raw: bytearray, classes: Classes) -> Contents:
    """Rebuild everything; tensors share the memory of `raw`. Raises WireError for anything unexpected."""
    frames = _frames(raw)
    trees = {kind: _tree(frames, kind) for kind in ("facts", "fingerprint", "suite", "calls")}
    try:
        return _contents(trees, frames, classes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise WireError(f"it is not of the known form ({type(error).__name__}: {str(error)[:80]})") from None


def suite_of(raw: bytearray) -> dict[str, bytes]:
    """The suite's files alone; paths that climb are refused. Raises WireError."""
    frames = _frames(raw)
    trees = {kind: _tree(frames, kind) for kind in ("facts", "fingerprint", "suite")}
    return _suite(trees["suite"])


def outlines(raw: bytearray) -> dict[str, frozenset[str]]:
    """Of each item, its cases and its calls as text; needs none of the suite's classes. Raises WireError."""
    frames = _frames(raw)
    facts, _, _, described = (_tree(frames, kind) for kind in ("facts", "fingerprint", "suite", "calls"))
    calls = [json.dumps(call, sort_keys=True) for call in described["calls"]]
    items = [_tree(frames, "item") for _ in range(facts["items"])]
    return {
        item["id"]: frozenset(
            [
                *(json.dumps(case, sort_keys=True) for case in item["cases"] if case),
                *(calls[at] for at in item["calls"]),
            ]
        )
        for item in items
    }


def bytes_as_tensor(content: bytes) -> torch.Tensor:
    """uint8, 1-D."""
    return torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.empty(0, dtype=torch.uint8)


def _frame(kind: str, tree: Mapping[str, object]) -> list[bytes | memoryview]:
    return packed("", kind, encode(tree), aligned=True)


def _frames(raw: bytearray) -> Iterator[Sealed]:
    view, offset = memoryview(raw), 0
    while offset < len(view):
        frame, length = unpacked(view[offset:], CAPS)
        offset += length
        yield frame


def _next(frames: Iterator[Sealed], kind: str) -> Encoded:
    frame = next(frames, None)
    if frame is None or frame.kind != kind:
        raise WireError(f"a frame of kind {kind!r} was expected")
    return frame.content


def _tree(frames: Iterator[Sealed], kind: str) -> Any:
    return restore(_next(frames, kind), CAPS)


def _call_tree(call: StoredCall) -> dict[str, object]:
    return {"probe": call.probe, "case": to_tree(call.case), "options": call.options, "seed": call.seed}


def _item_tree(item: StoredItem) -> dict[str, object]:
    cases = [{name: to_tree(value) for name, value in case.items()} for case in item.cases]
    return {**vars(item), "routes": list(item.routes), "calls": list(item.calls), "cases": cases}


def _contents(trees: Mapping[str, Any], frames: Iterator[Sealed], classes: Classes) -> Contents:
    facts = trees["facts"]
    described = trees["calls"]["calls"]
    items = [_item(_tree(frames, "item"), len(described), classes) for _ in range(facts["items"])]
    calls = [_call(tree, frames, classes) for tree in described]
    if next(frames, None) is not None:
        raise WireError("there are more frames than calls")
    return Contents(
        fingerprint=trees["fingerprint"],
        preload=_texts(facts["preload"]),
        template={_text(name): _text(text) for name, text in facts["template"].items()},
        account=_text(facts["account"]),
        mistakes=tuple(_mistake(tree) for tree in facts["mistakes"]),
        suite=_suite(trees["suite"]),
        calls=calls,
        items=items,
    )


def _call(tree: Any, frames: Iterator[Sealed], classes: Classes) -> StoredCall:
    arguments, answer = _next(frames, "arguments"), _next(frames, "answer")
    given = checked(arguments, CAPS)
    if not isinstance(given, dict) or set(given) != {"inputs", "options"}:
        raise WireError("a call has no inputs or no options")
    if not all(isinstance(value, dict) for value in (*given.values(), checked(answer, CAPS))):
        raise WireError("inputs, options and answers have names")
    case, seed = from_tree(tree["case"], classes), tree["seed"]
    if type(seed) is not int:
        raise WireError("a call has no seed")
    probe, options = _text(tree["probe"]), _text(tree["options"])
    return StoredCall(probe=probe, case=case, options=options, seed=seed, arguments=arguments, answer=answer)


def _item(tree: Any, calls: int, classes: Classes) -> StoredItem:
    cases = [{_text(name): from_tree(value, classes) for name, value in case.items()} for case in tree["cases"]]
    if not all(type(number) is int and 0 <= number < calls for number in tree["calls"]):
        raise WireError("an item names a call that is not there")
    return StoredItem(
        id=_text(tree["id"]),
        routes=_texts(tree["routes"]),
        sentence=_text(tree["sentence"]),
        digest=_text(tree["digest"]),
        cases=cases,
        calls=tuple(tree["calls"]),
        account=_text(tree["account"]),
    )


def _mistake(tree: Any) -> StoredMistake:
    texts = {name: _text(tree[name]) for name in ("name", "hint", "digest")}
    return StoredMistake(**texts, fails=_texts(tree["fails"]), follows=_texts(tree["follows"]))


def _suite(tree: Mapping[str, Any]) -> dict[str, bytes]:
    for path, content in tree.items():
        if not path or path.startswith("/") or set("\\:\0") & set(path) or {"..", "."} & set(path.split("/")):
            raise WireError(f"a file of the suite would lie outside of it: {path[:80]!r}")
        if not isinstance(content, torch.Tensor) or content.dtype != torch.uint8 or content.dim() != 1:
            raise WireError("a file of the suite is not a run of bytes")
    return {path: content.numpy().tobytes() for path, content in tree.items()}


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise WireError(f"a text was expected, found {type(value).__name__}")
    return value


def _texts(values: Any) -> tuple[str, ...]:
    return tuple(_text(value) for value in values)
