"""Frames: what is sent arrives exactly, and no byte of a hostile sender does more than raise WireError."""

import contextlib
import json
import math
import pickle
import resource
import socket
import struct
import threading
import time
from pathlib import Path

import numpy
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.wire.frames import (
    DTYPES,
    JUDGE_CAPS,
    PREFIX,
    Caps,
    Channel,
    ChannelClosed,
    Encoded,
    FrameTimeout,
    WireError,
    checked,
    decode,
    encode,
    packed,
    padded,
    restore,
    unpacked,
)

SMALL = Caps(header=4096, body=1 << 16, tensors=8, text=200)

names = st.text(min_size=1, max_size=8).filter(lambda text: not text.startswith("$") and _is_utf8(text))
texts = st.text(max_size=30).filter(lambda text: _is_utf8(text))


def _is_utf8(text):
    return not any(0xD800 <= ord(character) < 0xE000 for character in text)


@st.composite
def tensors(draw):
    dtype = DTYPES[draw(st.sampled_from(sorted(DTYPES)))]
    shape = draw(st.lists(st.integers(0, 3), max_size=4))
    values = torch.randint(0, 2, shape, generator=torch.Generator().manual_seed(draw(st.integers(0, 99))))
    return values.to(dtype)


leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | texts | tensors()
trees = st.dictionaries(
    names,
    st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=8
    ),
    max_size=4,
)


def equal(first, second):
    if isinstance(first, torch.Tensor):
        return first.dtype == second.dtype and first.shape == second.shape and torch.equal(first, second)
    if isinstance(first, dict):
        return list(first) == list(second) and all(equal(first[name], second[name]) for name in first)
    if isinstance(first, list):
        return len(first) == len(second) and all(map(equal, first, second))
    if isinstance(first, float):
        both_nan = math.isnan(first) and math.isnan(second)
        return type(second) is float and (both_nan or struct.pack("d", first) == struct.pack("d", second))
    return type(first) is type(second) and first == second


@pytest.fixture
def ends():
    left, right = socket.socketpair()
    yield Channel(left, SMALL), right
    left.close()
    right.close()


def frame(header, body=b"", *, magic=b"GRD1", header_length=None, body_length=None):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    lengths = (len(raw) if header_length is None else header_length, len(body) if body_length is None else body_length)
    return PREFIX.pack(magic, *lengths) + raw + body


def header(tree=None, tensors=(), **more):
    return {"id": "1", "kind": "answer", "tree": {} if tree is None else tree, "tensors": list(tensors), **more}


def soon(seconds=5.0):
    return time.monotonic() + seconds


# --- round trips ----------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None, database=None)
@given(tree=trees)
def test_what_is_sent_arrives_exactly(tree):
    left, right = socket.socketpair()
    with left, right:
        Channel(left).send("7", "answer", encode(tree), soon())
        received = Channel(right).receive(soon())
    assert (received.id, received.kind) == ("7", "answer")
    assert equal(tree, received.tree)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.arange(12.0).reshape(3, 4).t(),
        lambda: torch.arange(10)[::3],
        lambda: torch.ones(2, requires_grad=True) * 2,
        lambda: torch.tensor(3.5),
        lambda: torch.zeros(1).expand(5, 4),
        lambda: torch.nn.Parameter(torch.ones(2, 2)),
        lambda: torch.ones(2, dtype=torch.complex64).mul(1j).conj().imag,
    ],
)
def test_views_and_graphs_arrive_as_plain_values(make):
    value = make()
    encoded = encode({"t": value})
    body = bytearray(b"".join(bytes(b) + bytes(padded(len(b)) - len(b)) for b in encoded.buffers))
    result = decode(encoded.tree, list(encoded.tensors), body)["t"]
    assert type(result) is torch.Tensor
    assert not result.requires_grad
    assert torch.equal(result, value.detach())


class AlwaysAgrees(torch.Tensor):
    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return (
            torch.ones(()) if func is torch.Tensor.sub else super().__torch_function__(func, types, args, kwargs or {})
        )


def test_a_tensor_subclass_leaves_its_methods_behind():
    value = torch.zeros(3).as_subclass(AlwaysAgrees)
    encoded = encode({"t": value})
    assert bytes(encoded.buffers[0]) == bytes(12)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object(), "got object"),
        ({1: 2}, "a name must be a string"),
        ({"$t": 0}, "does not start with '$'"),
        (2**63, "64 bits"),
        (iter([1]), "got list_iterator"),
        (1j, "got complex"),
        (numpy.array(["a"]), "an array of <U1 has no place here"),
        (numpy.complex128(1j), "got complex"),
        (torch.ones(2, dtype=torch.complex64), "dtype torch.complex64"),
        (torch.ones(2, 2).to_sparse(), "dense"),
        (torch.empty(2, device="meta"), "meta"),
        (torch.zeros(1).expand(10**12), "too large"),
    ],
)
def test_what_has_no_place_on_the_wire_is_refused_by_the_sender(value, words):
    with pytest.raises(WireError, match=words.replace("$", r"\$")):
        encode({"v": value})


@pytest.mark.parametrize(
    ("value", "arrives"),
    [
        (numpy.float64(0.1), 0.1),
        (numpy.int32(-3), -3),
        (numpy.bool_(True), True),
        (numpy.arange(6.0).reshape(2, 3)[:, ::-1], torch.tensor([[2.0, 1, 0], [5, 4, 3]], dtype=torch.float64)),
        (numpy.array(2, dtype=">i4"), torch.tensor(2, dtype=torch.int32)),
        (numpy.zeros((0, 3), dtype=numpy.float32), torch.zeros(0, 3)),
    ],
)
def test_arrays_arrive_as_tensors_and_their_scalars_as_numbers(value, arrives):
    got = restore(encode({"v": value}))["v"]
    assert type(got) is type(arrives)
    assert torch.equal(got, arrives) and got.dtype == arrives.dtype if isinstance(got, torch.Tensor) else got == arrives


def test_nesting_is_limited_when_sending():
    value = []
    for _ in range(20):
        value = [value]
    with pytest.raises(WireError, match="nested"):
        encode({"v": value})


# --- hostile frames -------------------------------------------------------------------------------------------

DEEP = b'{"id":"1","kind":"answer","tensors":[],"tree":{"a":' + b"[" * 1500 + b"]" * 1500 + b"}}"
DEEPER = {"a": None}
for _ in range(16):
    DEEPER = {"a": DEEPER}

BAD_FRAMES = {
    "another magic": frame(header(), magic=b"GRD2"),
    "header of 2^32-1": frame(b"", header_length=2**32 - 1),
    "header beyond the cap": frame(b"", header_length=SMALL.header + 1),
    "body beyond the cap": frame(header(), body_length=SMALL.body + 1),
    "body of 2^64-1": frame(header(), body_length=2**64 - 1),
    "empty header": frame(b""),
    "a pickle": frame(pickle.dumps({"status": "values"})),
    "gzip bytes": frame(b"\x1f\x8b\x08" + bytes(40)),
    "UTF-16": frame(json.dumps(header()).encode("utf-16")),
    "not an object": frame(b"[]"),
    "a key too many": frame(header(more=1)),
    "a key missing": frame({"id": "1", "kind": "answer", "tree": {}}),
    "a name twice": frame(b'{"id":"1","id":"2","kind":"answer","tree":{},"tensors":[]}'),
    "a name twice inside": frame(b'{"id":"1","kind":"answer","tree":{"a":1,"a":2},"tensors":[]}'),
    "NaN": frame(b'{"id":"1","kind":"answer","tree":{"a":NaN},"tensors":[]}'),
    "infinity": frame(b'{"id":"1","kind":"answer","tree":{"a":-Infinity},"tensors":[]}'),
    "a plain fraction": frame(header({"a": 0.5})),
    "an integer of 70 bits": frame(header({"a": 2**70})),
    "an integer of 10^4 digits": frame(b'{"id":"1","kind":"x","tree":{"a":' + b"9" * 3000 + b'},"tensors":[]}'),
    "a lone surrogate": frame(b'{"id":"1","kind":"answer","tree":{"a":"\\ud800"},"tensors":[]}'),
    "a surrogate as a name": frame(b'{"id":"1","kind":"answer","tree":{"\\udfff":1},"tensors":[]}'),
    "a long string": frame(header({"a": "x" * (SMALL.text + 1)})),
    "nested beyond the reader": frame(DEEP),
    "nested beyond the rule": frame(header(DEEPER)),
    "an id that is no string": frame({**header(), "id": 1}),
    "a tree that is a list": frame({**header(), "tree": []}),
    "a float as a number": frame(header({"a": {"$f": 1}})),
    "a float that is none": frame(header({"a": {"$f": "0xzz"}})),
    "a float too long": frame(header({"a": {"$f": "0x" + "1" * 60}})),
    "an unknown escape": frame(header({"a": {"$x": 1}})),
    "a tensor that is not there": frame(header({"a": {"$t": 0}})),
    "a tensor index below zero": frame(header({"a": {"$t": -1}}, [{"d": "bool", "s": [64]}]), bytes(64)),
    "a tensor named by a flag": frame(header({"a": {"$t": False}}, [{"d": "bool", "s": [64]}]), bytes(64)),
    "a tensor used twice": frame(header({"a": {"$t": 0}, "b": {"$t": 0}}, [{"d": "bool", "s": [64]}]), bytes(64)),
    "a tensor that nobody names": frame(header({}, [{"d": "bool", "s": [64]}]), bytes(64)),
    "too many tensors": frame(header({}, [{"d": "bool", "s": [0]}] * 9)),
    "tensors that are no list": frame({**header(), "tensors": {}}),
    "a body too short": frame(header({"a": {"$t": 0}}, [{"d": "float32", "s": [32]}]), bytes(64)),
    "nothing but a float": frame(header({"$f": "0x0p+0"})),
    "nothing but a tensor": frame(header({"$t": 0}, [{"d": "bool", "s": [64]}]), bytes(64)),
    "a body too long": frame(header({"a": {"$t": 0}}, [{"d": "float32", "s": [1]}]), bytes(128)),
}
BAD_SHAPES = {
    "product wraps to 16 in 64 bits": [2**31, 2**31, 4, 16],
    "product wraps to nothing": [2**31, 2**31, 2**31],
    "negative": [-1, -64],
    "a fraction": [16.0],
    "a flag": [True],
    "a string": ["16"],
    "nine dimensions": [1] * 9,
    "empty and huge": [0, 2**31],
    "empty, strides overflow": [2**20] * 7 + [0],
    "empty, strides overflow behind": [0, 2**20, 2**20, 2**20, 2**20],
    "no list": 16,
}
for label, shape in BAD_SHAPES.items():
    BAD_FRAMES[f"shape: {label}"] = frame(header({"a": {"$t": 0}}, [{"d": "float32", "s": shape}]), bytes(64))
    BAD_FRAMES[f"shape without body: {label}"] = frame(header({"a": {"$t": 0}}, [{"d": "float32", "s": shape}]))
for dtype in ("O", "object", "V8", "datetime64", "complex64", "float128", "", 5, None, ["float32"]):
    BAD_FRAMES[f"dtype {dtype!r}"] = frame(header({"a": {"$t": 0}}, [{"d": dtype, "s": [16]}]), bytes(64))


@pytest.mark.parametrize("label", BAD_FRAMES)
def test_a_hostile_frame_is_a_wire_error(ends, label):
    channel, hostile = ends
    hostile.sendall(BAD_FRAMES[label])
    with pytest.raises(WireError):
        channel.receive(soon())


@settings(max_examples=300, deadline=None, database=None)
@given(data=st.binary(max_size=200), position=st.integers(0, 60), valid=st.booleans())
def test_arbitrary_bytes_never_raise_anything_else(data, position, valid):
    good = frame(header({"a": {"$t": 0}, "b": [1, {"$f": "0x1p0"}]}, [{"d": "int32", "s": [4, 4]}]), bytes(64))
    raw = good[:position] + data + good[position + len(data) :] if valid else data
    left, right = socket.socketpair()
    with left, right:
        right.sendall(raw)
        right.shutdown(socket.SHUT_WR)
        with contextlib.suppress(WireError, ChannelClosed):
            Channel(left, SMALL).receive(soon())


def test_a_huge_length_allocates_nothing(ends):
    channel, hostile = ends
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for lengths in ((2**32 - 1, 0), (10, 2**63)):
        hostile.sendall(PREFIX.pack(b"GRD1", *lengths))
        with pytest.raises(WireError, match="at most"):
            channel.receive(soon())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10, "KiB of resident memory"


def test_half_a_header_then_silence_ends_at_the_deadline(ends):
    channel, hostile = ends
    raw = frame(header({"a": 1}))
    hostile.sendall(raw[: len(raw) // 2])
    started = time.monotonic()
    with pytest.raises(FrameTimeout):
        channel.receive(started + 0.3)
    assert 0.25 < time.monotonic() - started < 20


def test_half_a_header_then_the_end_is_a_closed_channel(ends):
    channel, hostile = ends
    hostile.sendall(frame(header())[:-5])
    hostile.close()
    with pytest.raises(ChannelClosed):
        channel.receive(soon())


def test_a_slow_sender_cannot_extend_the_deadline(ends):
    channel, hostile = ends
    raw = frame(header({"a": 1}))
    stop = threading.Event()

    def trickle():
        for byte in raw:
            if stop.wait(0.1):
                return
            hostile.sendall(bytes([byte]))

    sender = threading.Thread(target=trickle)
    sender.start()
    started = time.monotonic()
    with pytest.raises(FrameTimeout):
        channel.receive(started + 0.5)
    assert time.monotonic() - started < 20
    stop.set()
    sender.join()


def test_a_reader_that_does_not_read_cannot_block_the_sender(ends):
    channel, _ = ends
    started = time.monotonic()
    with pytest.raises(FrameTimeout):
        channel.send("1", "run", encode({"x": torch.zeros(1 << 20)}), started + 0.3)
    assert time.monotonic() - started < 20


def test_a_second_frame_shows_as_not_idle(ends):
    channel, hostile = ends
    hostile.sendall(frame(header()))
    assert channel.receive(soon()).id == "1"
    assert channel.idle()
    hostile.sendall(frame(header()) + frame(header()))
    channel.receive(soon())
    assert not channel.idle()


def test_descriptors_sent_along_are_dropped(ends):
    channel, hostile = ends
    with Path("/dev/null").open() as file:
        raw = frame(header())
        for start in range(0, len(raw), 8):
            socket.send_fds(hostile, [raw[start : start + 8]], [file.fileno()] * 10)
    before = _open_descriptors()
    assert channel.receive(soon()).id == "1"
    assert _open_descriptors() == before


def _open_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_the_judge_reads_less_than_the_worker_may_be_sent():
    assert JUDGE_CAPS.header <= 1 << 16
    assert JUDGE_CAPS.body <= 64 << 20


# --- how a tensor lies in memory --------------------------------------------------------------------------------


@st.composite
def views(draw):
    """Tensors as indexing, transposing, expanding and the like leave them: any strides, offsets and sizes."""
    dtype = DTYPES[draw(st.sampled_from(sorted(DTYPES)))]
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    strides = [draw(st.integers(0, 7)) for _ in shape]
    offset = draw(st.integers(0, 5))
    size = 1 + offset + sum((extent - 1) * stride for extent, stride in zip(shape, strides, strict=True) if extent)
    base = torch.randint(
        0, 2, (max(size, 1 + offset),), generator=torch.Generator().manual_seed(draw(st.integers(0, 9)))
    )
    view = base.to(dtype).as_strided(shape, strides, offset)
    if draw(st.booleans()) and view.dim():
        view = view.flip(0)[:: draw(st.integers(1, 3))]
    return view._neg_view() if view.is_floating_point() and draw(st.booleans()) else view


@settings(max_examples=400, deadline=None)
@given(views())
def test_every_layout_crosses_the_wire_in_both_directions(view):
    with contextlib.ExitStack() as stack:
        left, right = (Channel(stack.enter_context(end)) for end in socket.socketpair())
        for sender, receiver in ((left, right), (right, left)):
            sender.send("1", "answer", encode({"view": view}))
            found = receiver.receive(time.monotonic() + 5).tree["view"]
            assert found.dtype == view.dtype
            assert found.shape == view.shape
            assert torch.equal(found, view.resolve_neg())


COLUMN = torch.arange(12.0).reshape(3, 4)


@pytest.mark.parametrize(
    "view",
    [
        COLUMN[0:1, 2],
        COLUMN.t()[2:3, 0],
        COLUMN[:, 1],
        COLUMN[1, 2],
        COLUMN[::2, ::3],
        torch.ones(3).expand(4, 3),
        torch.ones(()).expand(2, 2),
        torch.complex(torch.ones(3), torch.ones(3)).conj().imag,
        torch.view_as_real(torch.complex(torch.ones(3), torch.ones(3)))[1:2, 1],
        torch.zeros(3, 0).t(),
        torch.arange(6)[1:2].as_strided((1,), (0,)),
    ],
)
def test_views_that_students_return(view):
    encoded = encode([view])
    body = bytearray(b"".join(bytes(buffer) + bytes(padded(len(buffer)) - len(buffer)) for buffer in encoded.buffers))
    [found] = decode(encoded.tree, list(encoded.tensors), body)
    assert torch.equal(found, view)


ODD = [{"$t": 0}, {"$t": 1}, {"$f": "0x1p0"}, {"$f": "one"}, {"$x": 1}, 0.5, 1 << 70, "t" * 300, [{"$t": 0}, {"$t": 0}]]


@given(tree=st.dictionaries(names, st.sampled_from(ODD), max_size=3), count=st.integers(0, 2))
def test_what_is_only_checked_is_refused_for_what_it_could_not_be_restored_for(tree, count):
    body = encode([torch.ones(2)] * count)
    raw = bytearray(b"".join(packed("", "answer", Encoded(tree, body.tensors, body.buffers))))
    frame, _ = unpacked(memoryview(raw), SMALL)
    told = []
    for read in (restore, checked):
        try:
            told.append(list(read(frame.content, SMALL)))
        except WireError as error:
            told.append(str(error))
    assert told[0] == told[1]
