"""Values of known mistakes, kept as they become known: a file that several judges add to at once.

Each entry is a digest and a frame. One write adds an entry; what a kill or a full disk has cut short does not verify,
and is skipped. An entry that is lost is computed again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from grader.wire.frames import ALIGNMENT, MAGIC, WORKER_CAPS, Encoded, WireError, encode, packed, restore, unpacked

MAX_FILE = 256 << 20
NOTHING = encode({})


class KnownValues:
    """{key: values} of one recording; None where the mistaken version raised. Without a path it only remembers."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._read = 0
        self._entries: dict[str, Encoded | None] = {}

    def __contains__(self, key: str) -> bool:
        if key not in self._entries:
            self._look_again()
        return key in self._entries

    def get(self, key: str) -> Mapping[str, object] | None:
        """The values of a key that is known."""
        entry = self._entries[key]
        values = None if entry is None else restore(entry, WORKER_CAPS)
        assert values is None or isinstance(values, dict)
        return values

    def add(self, key: str, values: Mapping[str, object] | None) -> None:
        """Keep values; a file that cannot be written costs others the time to compute them again, and nothing else."""
        entry = self._entries[key] = _encoded(values)
        if self._path is None:
            return
        frame = b"".join(packed(key, "raised" if entry is None else "values", entry or NOTHING, aligned=True))
        try:
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        except OSError:
            return
        try:
            if os.fstat(fd).st_size + len(frame) < MAX_FILE:
                os.write(fd, hashlib.sha256(frame).digest().ljust(ALIGNMENT, b"\0") + frame)
        except OSError:
            return
        finally:
            os.close(fd)

    def _look_again(self) -> None:
        """Read what has been added since the last time."""
        try:
            if self._path is None or not self._read < self._path.stat().st_size < MAX_FILE:
                return
            with self._path.open("rb") as file:
                file.seek(self._read)
                raw = bytearray(file.read())
        except OSError:
            return
        view, offset, good = memoryview(raw), 0, 0
        while (begin := raw.find(MAGIC, offset)) >= 0:
            offset = begin + 1
            try:
                frame, length = unpacked(view[begin:], WORKER_CAPS)
                whole, digest = view[begin : begin + length], raw[max(0, begin - ALIGNMENT) : begin][:32]
                restore(frame.content, WORKER_CAPS)
                if hashlib.sha256(whole).digest() != digest:
                    continue
            except WireError:
                continue
            offset = good = begin + length
            self._entries.setdefault(frame.id, None if frame.kind == "raised" else frame.content)
        self._read += good  # what follows may be an entry that is just being written


def _encoded(values: Mapping[str, object] | None) -> Encoded | None:
    try:
        return None if values is None else encode(values)
    except WireError:
        return None  # no worker could send this either
