"""Trained weights that a student hands in as a file: safetensors, or a state_dict saved by torch.save.

Read in the worker only. A file is a claim of a stranger: its size and form are checked, and nothing in it is executed.
"""

from __future__ import annotations

import json
import math
import pickle
import re
from collections.abc import Mapping, Set
from pathlib import Path

import torch
from torch import Tensor

MAX_BYTES = 256 << 20
MAX_HEADER = 1 << 20
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "U8": torch.uint8,
}
PREFIXES = ("module.", "_orig_mod.", "model.", "net.")
WRAPPERS = ("state_dict", "model_state_dict", "model")


class UnusableCheckpoint(Exception):
    """Why a file holds no weights for the model. The message is written for the student."""


def read_weights(path: Path) -> dict[str, Tensor]:
    """{name: tensor} of a checkpoint file. Raises UnusableCheckpoint."""
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise UnusableCheckpoint(f"{path.name} has {size >> 20} MiB; at most {MAX_BYTES >> 20} MiB are read")
    found = _safetensors(path) if path.suffix == ".safetensors" else _state_dict(path)
    if not found:
        raise UnusableCheckpoint(f"{path.name} holds no tensors")
    # A tensor may be stored as a view that repeats one number: small on disk, and huge as soon as it is looked at.
    size = sum(value.nbytes for value in found.values())
    if size > MAX_BYTES:
        raise UnusableCheckpoint(f"{path.name} unfolds to {size >> 20} MiB; at most {MAX_BYTES >> 20} MiB are read")
    bad = next((name for name, value in found.items() if value.is_floating_point() and not value.isfinite().all()), "")
    if bad:
        raise UnusableCheckpoint(f"{path.name}: {bad[:100]} holds NaN or infinite entries")
    return found


def load_into(model: torch.nn.Module, weights: Mapping[str, Tensor], name: str) -> None:
    """Load all weights. Raises UnusableCheckpoint that says how the file and the model differ."""
    own = model.state_dict()
    weights = unwrapped(weights, own.keys())
    missing, strange = sorted(own.keys() - weights.keys()), sorted(weights.keys() - own.keys())
    other = [key for key in own.keys() & weights.keys() if own[key].shape != weights[key].shape]
    if missing or strange or other:
        parts = (("missing", missing), ("not in the model", strange), ("of another shape", sorted(other)))
        told = "; ".join(f"{len(keys)} {what}, such as {keys[0][:100]}" for what, keys in parts if keys)
        raise UnusableCheckpoint(f"{name} holds the weights of another model than the notebook's: {told}")
    model.load_state_dict(dict(weights))


def unwrapped(weights: Mapping[str, Tensor], own: Set[str]) -> Mapping[str, Tensor]:
    """The weights without what a wrapper put before all names (`DataParallel`, `torch.compile`, a trainer)."""
    for _ in PREFIXES:
        front = next((prefix for prefix in PREFIXES if all(name.startswith(prefix) for name in weights)), "")
        if not front or own & weights.keys():
            break
        weights = {name.removeprefix(front): value for name, value in weights.items()}
    return weights


def _state_dict(path: Path) -> dict[str, Tensor]:
    advice = "save it by torch.save(model.state_dict(), ...) or as safetensors"
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except ModuleNotFoundError:
        raise  # of the worker, not of the file
    except pickle.UnpicklingError as error:
        code = re.search(r"GLOBAL ([\w.]{1,80})", str(error))
        what = f"it asks to run {code[1]}, which is refused" if code else "no tensors are found"
        raise UnusableCheckpoint(
            f"{path.name} holds more than weights, or is no checkpoint ({what}); {advice}"
        ) from error
    except Exception as error:
        text = f"{type(error).__name__}: {error}".split("\n")[0][:200]
        raise UnusableCheckpoint(f"{path.name} is cut short, damaged or no checkpoint ({text}); {advice}") from error
    for name in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    plain = isinstance(found, Mapping) and all(isinstance(k, str) and type(v) is Tensor for k, v in found.items())
    if not plain or any(value.layout != torch.strided for value in found.values()):
        raise UnusableCheckpoint(f"{path.name} is no state_dict of plain tensors; {advice}")
    return dict(found)


def _safetensors(path: Path) -> dict[str, Tensor]:
    """The format: 8 bytes with the header's length, a JSON header, the data of all tensors one after another."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    if len(raw) < 8 or length > min(MAX_HEADER, len(raw) - 8):
        raise UnusableCheckpoint(f"{path.name} is cut short or no safetensors file")
    try:
        header = json.loads(raw[8 : 8 + length])
        entries = {name: entry for name, entry in header.items() if name != "__metadata__"}
        return {str(name): _tensor(entry, raw[8 + length :]) for name, entry in entries.items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UnusableCheckpoint(f"{path.name} is no whole safetensors file ({str(error)[:200]})") from error


def _tensor(entry: Mapping[str, object], data: bytes) -> Tensor:
    kind, shape, offsets = DTYPES[str(entry["dtype"])], entry["shape"], entry["data_offsets"]
    sizes = [*shape, *offsets]  # type: ignore[misc]
    if len(offsets) != 2 or len(shape) > 8 or any(type(size) is not int or size < 0 for size in sizes):  # type: ignore[arg-type]
        raise ValueError("a tensor's shape or place is no list of sizes")
    start, end = offsets  # type: ignore[misc]
    if not start <= end <= len(data) or end - start != math.prod(shape) * kind.itemsize:  # type: ignore[arg-type]
        raise ValueError("a tensor's place does not fit its shape or the file")
    piece = bytearray(data[start:end])
    return torch.frombuffer(piece, dtype=kind).reshape(shape) if piece else torch.zeros(shape, dtype=kind)  # type: ignore[arg-type]
