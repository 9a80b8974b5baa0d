"""A soft clock for one statement or import; the judge's deadline is the hard one behind it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

LOAD_SECONDS = 5.0


class TookTooLong(Exception):
    """A statement was still running when its time was up."""


@contextmanager
def clock(seconds: float = LOAD_SECONDS) -> Iterator[None]:
    """Raise TookTooLong inside the block after `seconds`. Without interval timers (Windows) it does nothing.

    A clock within a clock, such as a file that another one imports, has its own time; the outer one stands still.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TookTooLong(f"still running after {seconds:g} s")

    previous = signal.signal(signal.SIGALRM, ring)
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        signal.setitimer(signal.ITIMER_REAL, left)
