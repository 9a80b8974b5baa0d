"""How long a process was ready to run while others had the processors."""

from __future__ import annotations

import contextlib
import functools
import os


class Starving:
    """The scheduler's count for a process's main thread, kept open: it is asked for with every request."""

    def __init__(self, pid: int | None) -> None:
        self._fd = -1
        with contextlib.suppress(OSError):
            self._fd = os.open(f"/proc/{pid}/schedstat", os.O_RDONLY)

    def seconds(self) -> float | None:
        """None when the process has ended, and where the system does not say."""
        if self._fd < 0:
            return None
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int(os.pread(self._fd, 100, 0).split()[1]) / 1e9
        return None

    def close(self) -> None:
        """Ask no more."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


@functools.lru_cache(maxsize=1)
def _of(pid: int) -> Starving:
    return Starving(pid)


def starved_here() -> float:
    """Of this process."""
    return _of(os.getpid()).seconds() or 0.0
