"""A child that reads what strangers wrote, and may hang, die or be taken over: that costs what it says, and no more.

On Linux it can open only what it is to read, write only where it is told to, start nothing and connect to nothing,
within limits of memory and processor time. What it says is bytes, to be read like a stranger's. Linux only.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NoReturn

from grader.errors import GraderError

MOST_BYTES = 64 << 20  # that a child may say


@dataclass(frozen=True, kw_only=True)
class View:
    """What a child may read and write, and how much it may take. `memory_mib` is beyond what it inherits."""

    reads: Sequence[Path]
    writes: Sequence[Path] = ()
    memory_mib: int = 1024
    seconds: float = 60.0


def told_by_a_child(work: Callable[[], bytes], view: View) -> bytes:
    """What `work` returns; b"" where that took too long or too much memory, or something else ended the child.

    That somebody killed it is no evidence against what it read, so it is tried once more, with nothing left of what
    it wrote. Raises GraderError when `work` raises.
    """
    with Child(work, view) as child:
        return child.told()


class Child:
    """A child that is at work while its parent does something else. Leaving its context ends it."""

    _readers: ClassVar[set[int]] = set()  # no child may hear, or take away, what another one says

    def __init__(self, work: Callable[[], bytes], view: View) -> None:
        self._work, self._view = work, view
        self._reader, writer = os.pipe()
        self._readers.add(self._reader)
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            for reader in self._readers:
                os.close(reader)
            _answer(work, view, writer)
        os.close(writer)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def told(self) -> bytes:
        """As `told_by_a_child`; to be asked once."""
        said, killed = self._said()
        if killed:
            for path in (path for folder in self._view.writes for path in folder.iterdir()):
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
            with Child(self._work, self._view) as second:
                said, _ = second._said()
        if said[:1] == b"!":
            raise GraderError(f"what strangers wrote could not be read:\n{said[1:].decode('utf-8', 'replace')}")
        return said[1:-1] if len(said) > 1 and said[:1] == said[-1:] == b"." else b""

    def _said(self) -> tuple[bytes, bool]:
        """All that it said, and whether it was killed from outside: neither by us nor for its processor time."""
        said, ended = _heard(self._reader, time.monotonic() + self._view.seconds)
        by_a_signal, seconds = self._end()
        return said, ended and by_a_signal and seconds < self._view.seconds

    def _end(self) -> tuple[bool, float]:
        """Whether SIGKILL ended it, and its seconds of processor time; ends it where it has not ended."""
        if self._pid == 0:
            return False, 0.0
        pid, self._pid = self._pid, 0
        os.close(self._reader)
        self._readers.remove(self._reader)
        with suppress(ProcessLookupError):  # it may have said all and hang, or say too much
            os.kill(pid, signal.SIGKILL)
        _, status, used = os.wait4(pid, 0)
        by_a_signal = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        return by_a_signal, used.ru_utime + used.ru_stime


def _answer(work: Callable[[], bytes], view: View, writer: int) -> NoReturn:
    from grader.sandbox import confine

    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.umask(0o022)
        if view.writes:
            tempfile.tempdir = str(view.writes[0])
        reads, writes = list(map(str, view.reads)), list(map(str, view.writes))
        confine.to_a_view(reads, writes, view.memory_mib, int(view.seconds) + 1)
        said = b"." + work() + b"."
    except (MemoryError, RecursionError):
        said = b""
    except BaseException:
        said = b"!" + traceback.format_exc()[-4000:].encode("utf-8", "replace")
    try:
        while said:
            said = said[os.write(writer, said) :]
    finally:
        os._exit(0)


def _heard(reader: int, deadline: float) -> tuple[bytes, bool]:
    """All that was said, and whether it ended by itself; b"" when that does not come in time, or it is too much."""
    pieces: list[bytes] = []
    left = MOST_BYTES
    while left > 0 and select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
        piece = os.read(reader, 1 << 16)
        if not piece:
            return b"".join(pieces), True
        pieces.append(piece)
        left -= len(piece)
    return b"", False
