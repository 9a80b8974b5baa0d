"""A soft clock for one statement or import; the judge's deadline is the hard one behind it."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

LOAD_SECONDS = 5.0
STARVED = 4.0  # times a second that others were given its processor; what sleeps, or waits for a network, gives it away


class TookTooLong(Exception):
    """A statement was still running when its time was up."""


@contextmanager
def clock(seconds: float = LOAD_SECONDS) -> Iterator[None]:
    """Raise TookTooLong inside the block after `seconds`. Without interval timers (Windows) it does nothing.

    A clock within a clock, such as a file that another one imports, has its own time; the outer one stands still.
    On a busy machine it goes on while the block is ready to run and others have the processors.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return
    end, interrupted = time.process_time() + seconds, _interrupted()

    def ring(number: int, frame: FrameType | None) -> None:
        left = end - time.process_time()
        if left > 0.05 and _interrupted() - interrupted > STARVED * seconds:
            signal.setitimer(signal.ITIMER_REAL, left)
            return
        raise TookTooLong(f"still running after {seconds:g} s")

    previous = signal.signal(signal.SIGALRM, ring)
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        signal.setitimer(signal.ITIMER_REAL, left)


def _interrupted() -> int:
    """How often others were given the processor while this process wanted it."""
    if sys.platform == "win32":
        return 0
    import resource  # a confined worker has it: what confines it needs it too

    return resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw
