"""Decoded images kept in the user's cache folder, because decoding 60,000 JPEG files takes ten seconds."""

from __future__ import annotations

import contextlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader.assignment.locate import cache_folder

Arrays = dict[str, NDArray[Any]]


def decoded_once(digest: str, decode: Callable[[], Arrays], shapes: Mapping[str, tuple[int, ...]]) -> Arrays:
    """The arrays of `decode`, kept under `digest`. A kept file that is damaged or does not have these shapes is
    ignored and replaced; a folder that cannot be written costs the next call its time and nothing else."""
    path = cache_folder() / f"images-{digest}.npz"
    kept = _kept(path, shapes)
    if kept is not None:
        return kept
    arrays = decode()
    with contextlib.suppress(OSError):
        _keep(path, arrays)
    return arrays


def _kept(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> Arrays | None:
    """The arrays of a file; its checksums are verified while it is read."""
    try:
        # Opened here: NumPy leaves a file open that turns out to be no archive.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in shapes}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return None
    fits = all(arrays[name].shape == shape and arrays[name].dtype == np.uint8 for name, shape in shapes.items())
    return arrays if fits else None


def _keep(path: Path, arrays: Arrays) -> None:
    """Written beside its place and moved there, so that nobody reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(number, "wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
