"""The soft clock: what computes or sleeps too long is stopped; what waits for a processor is given its time."""

import multiprocessing
import os
import sys
import time

import pytest

from grader.worker.clock import TookTooLong, clock

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a processor to share on purpose")
NEIGHBOURS = 4


def burn(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def crowded(do, report):
    """Run `do` on one processor with neighbours that never rest."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=burn, args=(60,), daemon=True) for _ in range(NEIGHBOURS)]
    for other in others:
        other.start()
    try:
        with clock(0.6):
            do()
        report.put("done")
    except TookTooLong:
        report.put("stopped")
    finally:
        for other in others:
            other.kill()


@pytest.mark.parametrize(
    ("do", "ends"),
    [(lambda: burn(0.4), "done"), (lambda: burn(30), "stopped"), (lambda: time.sleep(30), "stopped")],
    ids=["computes within its time", "computes too long", "sleeps"],
)
def test_the_clock_on_a_crowded_processor(do, ends):
    context = multiprocessing.get_context("fork")
    report = context.SimpleQueue()
    child = context.Process(target=crowded, args=(do, report))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert report.get() == ends


@pytest.mark.skipif(sys.platform == "win32", reason="no interval timers")
def test_the_clock_stops_a_loop_and_leaves_the_handler_as_it_was():
    with pytest.raises(TookTooLong), clock(0.2):
        burn(30)
    with clock(0.2):
        pass
    time.sleep(0.3)
