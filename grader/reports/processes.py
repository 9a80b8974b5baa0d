"""Work on thousands of reports, shared among the processors."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable

from grader.errors import GraderError

ENOUGH = 100  # for a process of its own; with fewer it costs more than it saves


def in_processes(task: Callable[[slice], None], count: int) -> None:
    """Call `task` with slices that together are all of `count` entries, each in a process that inherits everything.

    With few entries, one processor, or a system that cannot fork it is called here. Raises what `task` raises, and
    `GraderError` when a process is killed.
    """
    wanted = min(len(os.sched_getaffinity(0)), count // ENOUGH) if sys.platform == "linux" else 1
    if wanted < 2:
        task(slice(0, count))
        return
    # Here, because every start of the command line would pay for what only large classes need.
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("fork")
    # What is frozen is not walked through in each process, which would copy every page of it.
    gc.freeze()
    try:
        with ProcessPoolExecutor(wanted, context, initializer=_inherit, initargs=(task,)) as pool:
            for done in [pool.submit(_run, slice(number, count, wanted)) for number in range(wanted)]:
                done.result()
    except BrokenProcessPool:
        raise GraderError("a process that wrote results was killed; run the same command again") from None
    finally:
        gc.unfreeze()


_inherited: list[Callable[[slice], None]] = []


def _inherit(task: Callable[[slice], None]) -> None:
    _inherited.append(task)


def _run(share: slice) -> None:
    _inherited[-1](share)
