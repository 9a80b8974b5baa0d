"""Recordings as bytes: what goes in comes out, and a reader of anything else says so and does nothing worse."""

import json
import struct
from dataclasses import dataclass, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.recording.contents import (
    Contents,
    StoredCall,
    StoredItem,
    StoredMistake,
    bytes_as_tensor,
    pack,
    suite_of,
    unpack,
)
from grader.recording.values import from_tree, to_tree
from grader.suite import Case
from grader.wire.frames import PREFIX, WireError, encode, restore


@dataclass(frozen=True)
class Sizes(Case):
    width: int
    share: float
    name: str
    padded: bool
    shape: tuple
    seed: int = 0


@dataclass(frozen=True)
class Pair(Case):
    first: Sizes
    rest: list


CLASSES = {f"{kind.__module__}:{kind.__qualname__}": kind for kind in (Sizes, Pair)}
CASE = Sizes(3, 0.1, "a", True, (2, (1,)))


def contents(**changes):
    arguments = encode({"inputs": {"x": torch.arange(6.0).reshape(2, 3)}, "options": {"route": "own"}})
    answer = encode({"out": torch.tensor([float("nan"), -0.0]), "empty": torch.empty(0, 4), "count": 2, "half": 0.5})
    call = StoredCall(probe="probe", case=CASE, options="", seed=5, arguments=arguments, answer=answer)
    item = StoredItem(
        id="a.b", routes=("own", ""), sentence="It is right.", digest="d", cases=[{"case": CASE}, {}], calls=(0, 0),
        account="{}",
    )  # fmt: skip
    whole = Contents(
        fingerprint={"exp": torch.ones(2)}, preload=("torch.fft",), template={"a.py": "x = 1\n"}, account="{}",
        mistakes=(StoredMistake(name="m", fails=("a.b",), hint="It is the sum.", digest="e"),),
        suite={"cases.py": b"x", "deep/empty": b""}, calls=[call], items=[item],
    )  # fmt: skip
    return replace(whole, **changes)


def raw(**changes):
    return bytearray(b"".join(pack(contents(**changes))))


def test_what_goes_in_comes_out():
    before, after = contents(), unpack(raw(), CLASSES)
    assert after.items == before.items
    assert (after.preload, after.template, after.mistakes) == (before.preload, before.template, before.mistakes)
    assert after.suite == before.suite == suite_of(raw())
    [call], [given_call] = after.calls, before.calls
    assert (call.probe, call.case, call.options, call.seed) == ("probe", CASE, "", 5)
    assert repr(call.case) == repr(CASE), "the seeds of calls are made of this"
    assert call.arguments == given_call.arguments
    assert call.answer == given_call.answer, "to the last bit, NaN and -0.0 as well"
    assert restore(call.answer)["half"] == 0.5


def test_bodies_are_aligned():
    whole, offset = raw(), 0
    while offset < len(whole):
        _, header, body = PREFIX.unpack(whole[offset : offset + PREFIX.size])
        assert (offset + PREFIX.size + header) % 64 == 0
        offset += PREFIX.size + header + body


plain = (
    st.none() | st.booleans() | st.integers(-(1 << 130), 1 << 130) | st.floats(allow_nan=False) | st.text(max_size=9)
)
sizes = st.builds(Sizes, st.integers(0, 9), st.floats(allow_nan=False), st.text(max_size=3), st.booleans(), st.just(()))


def nested(inner):
    few = st.lists(inner, max_size=3)
    named = st.dictionaries(st.text(max_size=3) | st.integers(0, 9), inner, max_size=3)
    return few | few.map(tuple) | named | st.builds(Pair, sizes, st.lists(inner, max_size=2))


values = st.recursive(plain | sizes, nested, max_leaves=6)


@given(values)
@settings(deadline=None)
def test_cases_survive(value):
    try:
        encoded = encode({"value": to_tree(value)})
    except WireError:
        return  # nested too deep
    again = from_tree(restore(encoded)["value"], CLASSES)
    assert again == value
    assert repr(again) == repr(value)


@pytest.mark.parametrize("value", [{1, 2}, torch.ones(1), object(), b"x", 1 + 2j, Sizes])
def test_values_without_a_plain_form_are_refused(value):
    with pytest.raises(WireError, match="which a recording cannot"):
        to_tree(value)


@pytest.mark.parametrize(
    "tree",
    [
        [1],
        {"case": "os:system", "fields": {}},
        {"case": f"{__name__}:Sizes", "fields": {"width": 1}},
        {"case": f"{__name__}:Sizes", "fields": 3},
        {"case": 7, "fields": {}},
        {"case": f"{__name__}:contents", "fields": {}},
        {"tuple": 1},
        {"set": [1]},
        {"dict": [[1]]},
        {"dict": [[{"list": []}, 1]]},
        {"tuple": [], "list": []},
        {},
    ],
)
def test_trees_of_another_form_are_refused(tree):
    with pytest.raises(WireError):
        from_tree(tree, CLASSES)


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_a_reader_survives_any_change(data):
    whole = raw()
    at = data.draw(st.integers(0, len(whole) - 1))
    kind = data.draw(st.sampled_from(["flip", "cut", "insert", "number"]))
    if kind == "flip":
        whole[at] ^= 1 << data.draw(st.integers(0, 7))
    elif kind == "cut":
        del whole[at:]
    elif kind == "insert":
        whole[at:at] = data.draw(st.binary(min_size=1, max_size=70))
    else:
        whole[at : at + 8] = struct.pack("<Q", data.draw(st.sampled_from([1 << 60, (1 << 64) - 1, 1 << 31, 0])))
    try:
        found = unpack(whole, CLASSES)
    except WireError:
        return
    assert isinstance(found, Contents)


def changed_header(change):
    """A recording whose frames carry what `change(kind, tree)` makes of their trees."""
    whole, pieces, offset = raw(), [], 0
    while offset < len(whole):
        _, length, body = PREFIX.unpack(whole[offset : offset + PREFIX.size])
        begin = offset + PREFIX.size
        header = json.loads(whole[begin : begin + length])
        header["tree"] = change(header["kind"], header["tree"])
        text = json.dumps(header).encode()
        end = begin + length + body
        pieces.append(PREFIX.pack(b"GRD1", len(text), body) + text + whole[begin + length : end])
        offset = end
    return bytearray(b"".join(pieces))


junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 1 << 70)
    | st.text(max_size=5)
    | st.just({"$t": 0})
    | st.just({"$f": "x"}),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_a_reader_survives_any_tree(data):
    wanted = data.draw(st.sampled_from(["facts", "fingerprint", "suite", "calls", "item", "arguments", "answer"]))

    def change(kind, tree):
        if kind != wanted:
            return tree
        place = tree
        while True:
            name = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
            deeper = isinstance(place[name], (dict, list)) and place[name] and data.draw(st.booleans())
            if not deeper:
                place[name] = data.draw(junk)
                return tree
            place = place[name]

    try:
        found = unpack(changed_header(change), CLASSES)
    except WireError:
        return
    assert all(isinstance(call.probe, str) for call in found.calls)
    assert all(isinstance(restore(call.answer), dict) for call in found.calls)


@pytest.mark.parametrize("path", ["../up", "a/../../up", "/etc/passwd", "", "a\\b", "C:up", "./a", "a/./b", "a/.."])
def test_a_suite_that_climbs_is_refused(path):
    whole = raw(suite={path: b"x"})
    for read in (suite_of, lambda found: unpack(found, CLASSES)):
        with pytest.raises(WireError, match="outside"):
            read(whole)


def test_an_item_that_names_a_call_that_is_not_there_is_refused():
    [item] = contents().items
    with pytest.raises(WireError, match="call that is not there"):
        unpack(raw(items=[replace(item, calls=(1,))]), CLASSES)


def test_more_frames_than_calls_are_refused():
    [call] = contents().calls
    whole = raw(calls=[call, call])
    with pytest.raises(WireError):
        unpack(whole + raw(), CLASSES)


def test_bytes_become_tensors():
    assert bytes_as_tensor(b"ab").tolist() == [97, 98]
    assert bytes_as_tensor(b"").shape == (0,)
