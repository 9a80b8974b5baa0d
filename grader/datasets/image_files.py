"""The files in which CIFAR-10 and MNIST come: batches, IDX, and .npz with pixels or JPEG files.

Every function takes a file apart and checks it; what does not fit raises DamagedData.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.datasets.source import Content, DamagedData, MissingData

Array = NDArray[Any]
Arrays = Mapping[str, Array]
Batch = tuple[Array, Array]

CLASSES = 10
SIDE = 32
PIXELS = 3 * SIDE * SIDE


def _latin1(text: str, encoding: str) -> bytes:
    """What Python 3 writes into old pickles in the place of bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it names the encoding {encoding}")
    return text.encode("latin1")


# The only callables that a pickled batch may name: those with which NumPy, old and new, pickles an array.
_ARRAY_PARTS: Mapping[tuple[str, str], Any] = {
    **{(f"numpy.{core}.multiarray", "_reconstruct"): np.zeros(1).__reduce__()[0] for core in ("core", "_core")},
    **{(f"numpy.{core}.numeric", "_frombuffer"): np.zeros(1).__reduce_ex__(5)[0] for core in ("core", "_core")},
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
}


class _ArraysOnly(pickle.Unpickler):
    """Plain values and arrays; a pickle that names anything else is refused before it can run code."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ARRAY_PARTS:
            raise pickle.UnpicklingError(f"it names {module}.{name}")
        return _ARRAY_PARTS[module, name]


def pickled_batch(content: Content) -> Batch:
    """(images (N, 32, 32, 3), labels (N,)) of one file of the Python version of CIFAR-10."""
    rule = "a dictionary with data (N, 3072) uint8 and N labels"
    try:
        batch = _ArraysOnly(io.BytesIO(content.data), encoding="latin1").load()
    except Exception as error:  # a broken pickle can raise nearly anything
        raise DamagedData(content.path, f"it cannot be unpickled ({error})", rule) from None
    fields = {_name(key): value for key, value in batch.items()} if isinstance(batch, dict) else {}
    pixels, labels = fields.get("data"), fields.get("labels")
    if not isinstance(pixels, np.ndarray) or not isinstance(labels, list):
        raise DamagedData(content.path, f"it holds {sorted(fields) or type(batch).__name__}", rule)
    if pixels.dtype != np.uint8 or pixels.shape != (len(labels), PIXELS) or not all(type(n) is int for n in labels):
        raise DamagedData(content.path, f"data {pixels.shape} {pixels.dtype}, {len(labels)} labels", rule)
    return _planes_last(pixels), _labels(content.path, np.array(labels))


def _name(key: object) -> str:
    return key.decode("latin1") if isinstance(key, bytes) else str(key)


def binary_batch(content: Content) -> Batch:
    """(images, labels) of one file of the binary version: a label and 3072 bytes, over and over."""
    rows, rest = divmod(len(content.data), PIXELS + 1)
    if rest:
        found = f"{len(content.data):,} bytes: {rows:,} images and {rest:,} bytes left over"
        raise DamagedData(content.path, found, f"images of {PIXELS + 1:,} bytes each, 10,000 of them")
    records = np.frombuffer(content.data, dtype=np.uint8).reshape(rows, PIXELS + 1)
    return _planes_last(records[:, 1:]), _labels(content.path, records[:, 0])


def _planes_last(pixels: Array) -> Array:
    return np.ascontiguousarray(pixels.reshape(-1, 3, SIDE, SIDE).transpose(0, 2, 3, 1))


def _labels(path: Path, labels: Array) -> Array:
    if labels.size and not 0 <= labels.min() <= labels.max() < CLASSES:
        raise DamagedData(path, f"labels from {labels.min()} to {labels.max()}", f"labels from 0 to {CLASSES - 1}")
    return labels.astype(np.int64)


def idx(content: Content) -> Array:
    """The array of an IDX file of unsigned bytes: its dimensions are in the header."""
    rule = "an IDX file of unsigned bytes"
    if len(content.data) < 4 or content.data[:3] != b"\0\0\x08":
        raise DamagedData(content.path, f"it begins with {content.data[:4].hex(' ')}", f"{rule}, 00 00 08 and a number")
    dimensions = content.data[3]
    start = 4 + 4 * dimensions
    if len(content.data) < start:
        raise DamagedData(content.path, "it ends inside its header", rule)
    shape = struct.unpack(f">{dimensions}I", content.data[4:start])
    size = int(np.prod([int(side) for side in shape], dtype=object))
    if len(content.data) - start != size:
        found = f"{len(content.data) - start:,} bytes after the header"
        raise DamagedData(content.path, found, f"{size:,} bytes for the shape {shape} of the header")
    return np.frombuffer(content.data, dtype=np.uint8, offset=start).reshape(shape)


def npz(path: Path) -> tuple[Content, dict[str, Array]]:
    """The arrays of an .npz without pickles. The content's digest is that of the arrays, however they are packed."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, EOFError, ValueError, KeyError, MemoryError, zlib.error, zipfile.BadZipFile) as error:
        raise DamagedData(path, f"it cannot be read ({error})", "an .npz of plain arrays") from None
    return Content(path, b"", digest_of_arrays(arrays)), arrays


def digest_of_arrays(arrays: Arrays) -> str:
    """The SHA-256 over names, types, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.data)
    return digest.hexdigest()


def whole(path: Path, arrays: Arrays, part: str, shape: tuple[int, ...]) -> Batch:
    """(images, labels) of "train" or "test" of an .npz with pixels; `shape` is that of one image."""
    images, labels = _array(path, arrays, f"{part}_images"), _array(path, arrays, f"{part}_labels")
    if images.dtype != np.uint8 or images.shape[1:] not in (shape, (*shape, 1)) or labels.shape != images.shape[:1]:
        found = f"{part}_images {images.shape} {images.dtype} and {part}_labels {labels.shape}"
        raise DamagedData(path, found, f"images (N, {', '.join(map(str, shape))}) uint8 and labels (N,)")
    return images, _labels(path, labels)


def _array(path: Path, arrays: Arrays, name: str) -> Array:
    if name not in arrays:
        raise DamagedData(path, f"it holds {', '.join(sorted(arrays)) or 'nothing'}", f"an array {name}")
    return arrays[name]


def jpeg_labels(path: Path, arrays: Arrays, part: str) -> Array:
    """The labels of "train" or "test" of an .npz of JPEG files, after checking that the offsets fit the bytes."""
    jpeg, offsets = _array(path, arrays, f"{part}_jpeg"), _array(path, arrays, f"{part}_offsets")
    labels = _array(path, arrays, f"{part}_labels")
    fits = (
        jpeg.ndim == offsets.ndim == labels.ndim == 1
        and jpeg.dtype == np.uint8
        and offsets.dtype.kind in "iu"
        and len(offsets) == len(labels) + 1
        and offsets[0] == 0
        and offsets[-1] == len(jpeg)
        and bool((np.diff(offsets.astype(np.int64)) > 0).all())
    )
    if not fits:
        found = f"{part}_jpeg {jpeg.shape}, {part}_offsets {offsets.shape}, {part}_labels {labels.shape} do not fit"
        rule = "N labels and N + 1 rising offsets from 0 to the number of bytes"
        raise DamagedData(path, found, rule)
    return _labels(path, labels)


def jpeg_images(path: Path, arrays: Arrays, part: str) -> Array:
    """The decoded images (N, 32, 32, 3) of "train" or "test"; offsets must have been checked. Needs Pillow."""
    try:
        from PIL import Image
    except ImportError:
        raise MissingData(
            f"{path.name} holds JPEG files, and reading them needs Pillow, which is not installed.",
            f"Install it (pip install pillow), or put cifar-10-batches-py beside {path}.",
        ) from None
    data, offsets = arrays[f"{part}_jpeg"].tobytes(), arrays[f"{part}_offsets"].tolist()
    images = np.empty((len(offsets) - 1, SIDE, SIDE, 3), dtype=np.uint8)
    for number, (start, end) in enumerate(pairwise(offsets)):
        try:
            with Image.open(io.BytesIO(data[start:end]), formats=("JPEG",)) as image:
                if image.size != (SIDE, SIDE):
                    raise ValueError(f"it is {image.size[0]} × {image.size[1]} pixels")
                images[number] = np.asarray(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError) as error:
            found = f"image {number} of {part}_jpeg cannot be decoded ({error})"
            raise DamagedData(path, found, f"JPEG files of {SIDE} × {SIDE} pixels") from None
    return images
