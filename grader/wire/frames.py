"""Frames between judge and worker: a JSON header and raw buffers. Nothing is unpickled, everything is capped.

    b"GRD1"  u32 header length  u64 body length  header (UTF-8 JSON)  body (buffers, each padded to 64 bytes)

The header holds `id`, `kind`, `tree` and `tensors`. A tree is made of dicts, lists, strings, ints, bools and None;
a float is `{"$f": "0x1.8p+1"}` (exact, and the only way to write NaN), a tensor `{"$t": index}`.

Both ends use this module, but the judge trusts no byte: lengths are checked before anything is allocated, every read
has one deadline for the whole frame, and what does not follow the rules raises `WireError`.
"""

from __future__ import annotations

import functools
import json
import math
import select
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy
import torch

MAGIC = b"GRD1"
PREFIX = struct.Struct("<4sIQ")
ALIGNMENT = 64
DTYPES: dict[str, torch.dtype] = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
    "int32": torch.int32,
    "int64": torch.int64,
    "uint8": torch.uint8,
    "bool": torch.bool,
}
DTYPE_NAMES = {dtype: name for name, dtype in DTYPES.items()}
MAX_DEPTH = 12


class WireError(Exception):
    """A frame breaks the rules, or a value has no place on the wire."""


class FrameTimeout(Exception):
    """The deadline passed before the frame was complete."""


class ChannelClosed(Exception):
    """The other end is gone."""


@dataclass(frozen=True, kw_only=True)
class Caps:
    """The largest frame that this reader accepts. Bytes, counts."""

    header: int = 1 << 16
    body: int = 64 << 20
    tensors: int = 512
    text: int = 16_000


JUDGE_CAPS = Caps()
WORKER_CAPS = Caps(header=1 << 20, body=1 << 30, tensors=4096, text=1 << 20)


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One decoded frame."""

    id: str
    kind: str
    tree: dict[str, object]


# --- values to bytes ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Encoded:
    """A tree ready to be sent: the JSON form and the tensors' buffers. Can be sent any number of times."""

    tree: object
    tensors: tuple[dict[str, object], ...]
    buffers: tuple[memoryview, ...]

    @functools.cached_property
    def nbytes(self) -> int:
        """The length of the body, padding included."""
        return sum(padded(len(buffer)) for buffer in self.buffers)

    @functools.cached_property
    def header(self) -> str:
        """What a frame's header says of it, as JSON: written once, however often it is sent."""
        return f'"tree":{_json(self.tree)},"tensors":{_json(self.tensors)}'


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def padded(length: int) -> int:
    """The length rounded up to the alignment of buffers."""
    return -(-length // ALIGNMENT) * ALIGNMENT


def encode(value: object, max_bytes: int = 1 << 30) -> Encoded:
    """Turn a tree into its wire form. Raises WireError for a type, a size or a depth that has no place there."""
    tensors: list[dict[str, object]] = []
    buffers: list[memoryview] = []
    room = [max_bytes]
    tree = _encode(value, tensors, buffers, room, 0)
    return Encoded(tree, tuple(tensors), tuple(buffers))


def _encode(
    value: object, tensors: list[dict[str, object]], buffers: list[memoryview], room: list[int], depth: int
) -> object:
    if depth > MAX_DEPTH:
        raise WireError(f"the value is nested more than {MAX_DEPTH} deep")
    if isinstance(value, torch.Tensor):
        return _encode_tensor(value, tensors, buffers, room)
    if isinstance(value, numpy.generic):
        value = value.item()
    if isinstance(value, numpy.ndarray):
        return _encode_tensor(tensor_of(value), tensors, buffers, room)
    if value is None or type(value) in (bool, str):
        return value
    if isinstance(value, int):
        if not -(1 << 63) <= value < 1 << 63:
            raise WireError("an integer does not fit in 64 bits")
        return int(value)
    if isinstance(value, float):
        return {"$f": float(value).hex()}
    if isinstance(value, Mapping):
        return {_key(key): _encode(entry, tensors, buffers, room, depth + 1) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encode(entry, tensors, buffers, room, depth + 1) for entry in value]
    raise WireError(f"expected a tensor, a number, a flag, a string or None, got {type(value).__name__}")


def tensor_of(value: numpy.ndarray) -> torch.Tensor:
    """An array arrives as a tensor. Raises WireError for elements that no tensor has, such as texts and objects."""
    try:
        return torch.from_numpy(value.astype(value.dtype.newbyteorder("="), order="C"))
    except TypeError:
        raise WireError(f"an array of {value.dtype} has no place here: expected one of numbers or flags") from None


def _key(key: object) -> str:
    if not isinstance(key, str) or key.startswith("$"):
        raise WireError(f"a name must be a string that does not start with '$', got {str(key)[:40]!r}")
    return key


def _encode_tensor(
    value: torch.Tensor, tensors: list[dict[str, object]], buffers: list[memoryview], room: list[int]
) -> object:
    with torch._C.DisableTorchFunctionSubclass():
        plain = value.detach()
        if plain.layout != torch.strided or plain.is_quantized or plain.device.type == "meta" or plain.is_nested:
            raise WireError("expected a dense tensor with data, got a sparse, quantised, nested or meta tensor")
        if plain.dtype not in DTYPE_NAMES:
            raise WireError(f"a tensor of dtype {plain.dtype} is not expected here")
        room[0] -= plain.numel() * plain.element_size()
        if room[0] < 0:
            raise WireError(f"the tensors are too large to send (one has shape {tuple(plain.shape)})")
        flat = flat_of(plain)
        buffer = memoryview(b"") if flat.numel() == 0 else memoryview(flat.view(torch.uint8).numpy().data)
    tensors.append({"d": DTYPE_NAMES[plain.dtype], "s": list(plain.shape)})
    buffers.append(buffer)
    return {"$t": len(tensors) - 1}


def flat_of(plain: torch.Tensor) -> torch.Tensor:
    """The elements in order, one beside the other, on the CPU. Copies only what does not lie so already."""
    flat = plain.cpu().resolve_conj().resolve_neg().reshape(-1)
    # One element counts as contiguous whatever its stride is, and no other type can be seen through an odd one.
    return flat if flat.stride() == (1,) else flat.clone(memory_format=torch.contiguous_format)


# --- bytes to values ------------------------------------------------------------------------------------------


def decode(tree: object, specs: object, body: bytearray | memoryview, caps: Caps = JUDGE_CAPS) -> object:
    """Rebuild the tree; tensors share the memory of `body`. Raises WireError for anything unexpected."""
    plans = _plans(specs, caps)
    if sum(padded(nbytes) for _, _, nbytes in plans) != len(body):
        raise WireError("the tensors' sizes do not add up to the body's length")
    return _restored(tree, plans, _cut(memoryview(body), plans), caps)


def restore(encoded: Encoded, caps: Caps = JUDGE_CAPS) -> object:
    """The tree that was encoded, as it would arrive; tensors share the buffers' memory. Raises WireError."""
    plans = _plans(list(encoded.tensors), caps)
    if [nbytes for _, _, nbytes in plans] != [len(buffer) for buffer in encoded.buffers]:
        raise WireError("the tensors' sizes are not those of their buffers")
    return _restored(encoded.tree, plans, encoded.buffers, caps)


def checked(unpacked: Encoded, caps: Caps = JUDGE_CAPS) -> object:
    """What `restore` would give of a frame that was unpacked, with True for each tensor. Raises WireError.

    Making tensors takes most of the time, and their sizes have been looked at.
    """
    return _decoded(unpacked.tree, [True] * len(unpacked.tensors), caps)


Plan = tuple[torch.dtype, list[int], int]


def _plans(specs: object, caps: Caps) -> list[Plan]:
    if type(specs) is not list or len(specs) > caps.tensors:
        raise WireError("the list of tensors is missing or too long")
    return [_plan(spec) for spec in specs]


def _cut(body: memoryview, plans: Sequence[Plan]) -> tuple[memoryview, ...]:
    buffers, offset = [], 0
    for _, _, nbytes in plans:
        buffers.append(body[offset : offset + nbytes])
        offset += padded(nbytes)
    return tuple(buffers)


def _restored(tree: object, plans: Sequence[Plan], buffers: Sequence[memoryview], caps: Caps) -> object:
    tensors = [
        torch.frombuffer(buffer, dtype=dtype).reshape(shape) if nbytes else torch.empty(shape, dtype=dtype)
        for (dtype, shape, nbytes), buffer in zip(plans, buffers, strict=True)
    ]
    return _decoded(tree, tensors, caps)


def _decoded(tree: object, tensors: Sequence[object], caps: Caps) -> object:
    used: set[int] = set()
    value = _decode(tree, tensors, used, caps, 0)
    if len(used) != len(tensors):
        raise WireError("the frame carries tensors that it does not name")
    return value


def _plan(spec: object) -> Plan:
    if type(spec) is not dict or set(spec) != {"d", "s"}:
        raise WireError("a tensor's description needs exactly dtype and shape")
    name, shape = spec["d"], spec["s"]
    if type(name) is not str or name not in DTYPES:
        raise WireError("unknown dtype")
    if type(shape) is not list or len(shape) > 8:
        raise WireError("a shape must be a list of at most 8 sizes")
    if any(type(size) is not int or not 0 <= size <= 1 << 31 for size in shape):
        raise WireError("a size in a shape is not a whole number from 0 to 2^31")
    dtype = DTYPES[name]
    nbytes = math.prod(shape) * dtype.itemsize
    # An empty tensor costs nothing here, but its strides may overflow and a sum over its empty dimension is huge.
    if nbytes == 0 and math.prod(max(size, 1) for size in shape) > 1 << 20:
        raise WireError("an empty tensor of absurd shape")
    return dtype, shape, nbytes


def _decode(tree: object, tensors: Sequence[object], used: set[int], caps: Caps, depth: int) -> object:
    if depth > MAX_DEPTH + 2:
        raise WireError("the value is nested too deep")
    if tree is None or type(tree) is bool:
        return tree
    if type(tree) is int:
        if not -(1 << 63) <= tree < 1 << 63:
            raise WireError("an integer does not fit in 64 bits")
        return tree
    if type(tree) is str:
        return _text(tree, caps)
    if type(tree) is list:
        return [_decode(entry, tensors, used, caps, depth + 1) for entry in tree]
    if type(tree) is dict:
        return _decode_object(tree, tensors, used, caps, depth)
    raise WireError("a plain JSON number with a fraction has no place on the wire")


def _decode_object(
    tree: dict[str, object], tensors: Sequence[object], used: set[int], caps: Caps, depth: int
) -> object:
    if len(tree) == 1 and "$t" in tree:
        index = tree["$t"]
        if type(index) is not int or not 0 <= index < len(tensors) or index in used:
            raise WireError("a tensor's index is out of range or used twice")
        used.add(index)
        return tensors[index]
    if len(tree) == 1 and "$f" in tree:
        text = tree["$f"]
        if type(text) is not str or len(text) > 40:
            raise WireError("a float is not written as a short hexadecimal string")
        try:
            return float.fromhex(text)
        except (ValueError, OverflowError) as error:
            raise WireError("a float cannot be read") from error
    if any(key.startswith("$") for key in tree):
        raise WireError("a name starts with '$'")
    return {_text(key, caps): _decode(entry, tensors, used, caps, depth + 1) for key, entry in tree.items()}


def _text(text: str, caps: Caps) -> str:
    if len(text) > caps.text:
        raise WireError("a string is too long")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise WireError("a string holds a lone surrogate") from error
    return text


def _refuse_constant(name: str) -> object:
    raise WireError(f"{name} has no place in a header")


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise WireError("a name occurs twice in the header")
    return result


def parse_header(raw: bytes) -> dict[str, object]:
    """The header as a dict with exactly the known keys. Raises WireError."""
    try:
        header = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise WireError("the header is not valid JSON") from error
    if type(header) is not dict or set(header) != {"id", "kind", "tree", "tensors"}:
        raise WireError("the header's keys are not the expected ones")
    if type(header["id"]) is not str or type(header["kind"]) is not str or type(header["tree"]) is not dict:
        raise WireError("the header's id, kind or tree is of the wrong type")
    return header


# --- frames in memory -----------------------------------------------------------------------------------------


def packed(frame_id: str, kind: str, encoded: Encoded, *, aligned: bool = False) -> list[bytes | memoryview]:
    """A whole frame in pieces. `aligned`: the body begins at a multiple of the alignment, if the frame does."""
    header = f'{{"id":{_json(frame_id)},"kind":{_json(kind)},{encoded.header}}}'.encode()
    if aligned:
        header += b" " * (padded(PREFIX.size + len(header)) - PREFIX.size - len(header))
    parts: list[bytes | memoryview] = [PREFIX.pack(MAGIC, len(header), encoded.nbytes), header]
    for buffer in encoded.buffers:
        parts.append(buffer)
        if gap := padded(len(buffer)) - len(buffer):
            parts.append(bytes(gap))
    return parts


@dataclass(frozen=True)
class Sealed:
    """A frame that was read and not decoded: `content` can be restored, or sent on as it is."""

    id: str
    kind: str
    content: Encoded


def unpacked(raw: memoryview, caps: Caps) -> tuple[Sealed, int]:
    """The frame at the beginning of `raw`, and its length. Raises WireError, also for one that is cut short."""
    if len(raw) < PREFIX.size:
        raise WireError("a frame is cut short")
    magic, header_length, body_length = PREFIX.unpack(raw[: PREFIX.size])
    begin, end = PREFIX.size + header_length, PREFIX.size + header_length + body_length
    if magic != MAGIC or header_length > caps.header or body_length > caps.body or end > len(raw):
        raise WireError("a frame is cut short, too large or none")
    header = parse_header(bytes(raw[PREFIX.size : begin]))
    plans = _plans(header["tensors"], caps)
    if sum(padded(nbytes) for _, _, nbytes in plans) != body_length:
        raise WireError("the tensors' sizes do not add up to the body's length")
    specs: list[dict[str, object]] = header["tensors"]  # type: ignore[assignment]
    content = Encoded(header["tree"], tuple(specs), _cut(raw[begin:end], plans))
    return Sealed(str(header["id"]), str(header["kind"]), content), end


# --- sockets --------------------------------------------------------------------------------------------------


class Channel:
    """Frames over one connected stream socket. Not thread safe; owns the socket."""

    def __init__(self, sock: socket.socket, caps: Caps = JUDGE_CAPS) -> None:
        self.socket = sock
        self.caps = caps

    def send(self, frame_id: str, kind: str, encoded: Encoded, deadline: float | None = None) -> None:
        """Send one frame. Raises FrameTimeout when the reader does not keep up, ChannelClosed when it is gone."""
        self._send_all(packed(frame_id, kind, encoded), deadline)

    def _send_all(self, parts: list[bytes | memoryview], deadline: float | None) -> None:
        # Small frames go out in one call: a copy of a few kilobytes is cheaper than a system call per tensor.
        if sum(len(part) for part in parts) <= 1 << 18:
            parts = [b"".join(parts)]
        try:
            for part in parts:
                view = memoryview(part)
                while view:
                    self.socket.settimeout(_left(deadline))
                    view = view[self.socket.send(view) :]
        except TimeoutError as error:
            raise FrameTimeout from error
        except OSError as error:
            raise ChannelClosed(str(error)) from error

    def receive(self, deadline: float | None = None) -> Frame:
        """The next frame. `deadline` is a time.monotonic() for the whole frame.

        Raises FrameTimeout, ChannelClosed, or WireError when the frame breaks the rules or exceeds the caps.
        """
        magic, header_length, body_length = PREFIX.unpack(self._read(PREFIX.size, deadline))
        if magic != MAGIC:
            raise WireError("the frame does not start with the magic bytes")
        if header_length > self.caps.header:
            raise WireError(f"the header has {header_length} bytes, at most {self.caps.header} are accepted")
        if body_length > self.caps.body:
            raise WireError(f"the body has {body_length} bytes, at most {self.caps.body} are accepted")
        header = parse_header(bytes(self._read(header_length, deadline)))
        body = self._read(body_length, deadline)
        tree = decode(header["tree"], header["tensors"], body, self.caps)
        if not isinstance(tree, dict):  # `{"$f": …}` and `{"$t": …}` are dicts that stand for something else
            raise WireError("the frame's content is a single value, not a dict of named values")
        return Frame(id=str(header["id"]), kind=str(header["kind"]), tree=tree)

    def waits(self, seconds: float) -> bool:
        """Whether something to be read, or the other end's end, comes within `seconds`."""
        try:
            return bool(select.select([self.socket], [], [], max(0.0, seconds))[0])
        except (OSError, ValueError) as error:
            raise ChannelClosed(str(error)) from error

    def idle(self) -> bool:
        """Whether nothing waits to be read: a worker that sends unasked is not idle."""
        self.socket.settimeout(0)
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return True
        except OSError:
            return True

    def close(self) -> None:
        """Close the socket."""
        self.socket.close()

    def _read(self, length: int, deadline: float | None) -> bytearray:
        buffer = bytearray(length)
        view = memoryview(buffer)
        try:
            while view:
                self.socket.settimeout(_left(deadline))
                count = self.socket.recv_into(view)
                if count == 0:
                    raise ChannelClosed("the other end closed the connection")
                view = view[count:]
        except TimeoutError as error:
            raise FrameTimeout from error
        except ConnectionError as error:
            raise ChannelClosed(str(error)) from error
        return buffer


def _left(deadline: float | None) -> float | None:
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise FrameTimeout
    return left
