"""Work on thousands of reports, shared among the processors."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from grader.errors import GraderError

ENOUGH = 100  # for a process of its own; with fewer it costs more than it saves
SHARE = 1000  # at most, so that one process does not wait for another for long

Entry = TypeVar("Entry")


def in_processes(task: Callable[[slice], Sequence[Entry]], count: int) -> list[Entry]:
    """What `task` returns of `count` entries, called with slices that together are all of them.

    Each is called in a process that inherits everything; with few entries, one processor, or a system that cannot fork
    it is called here. Raises what `task` raises, and `GraderError` when a process is killed.
    """
    wanted = min(len(os.sched_getaffinity(0)), count // ENOUGH) if sys.platform == "linux" else 1
    if wanted < 2:
        return list(task(slice(0, count)))
    # Here, because every start of the command line would pay for what only large classes need.
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("fork")
    # What is frozen is not walked through in each process, which would copy every page of it.
    gc.freeze()
    try:
        with ProcessPoolExecutor(wanted, context, initializer=_inherit, initargs=(task,)) as pool:
            shares = max(wanted, -(-count // SHARE))
            slices = [slice(number, count, shares) for number in range(shares)]
            found: list[Any] = [None] * count
            for share, done in zip(slices, [pool.submit(_run, share) for share in slices], strict=True):
                found[share] = done.result()
            return found
    except BrokenProcessPool:
        raise GraderError("a process that wrote results was killed; run the same command again") from None
    finally:
        gc.unfreeze()


_inherited: list[Callable[[slice], Any]] = []


def _inherit(task: Callable[[slice], Any]) -> None:
    _inherited.append(task)
    gc.disable()  # what a share leaves behind is little, and goes with the process


def _run(share: slice) -> list[Any]:
    return list(_inherited[-1](share))
