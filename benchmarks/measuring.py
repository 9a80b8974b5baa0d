"""Children with their wall and processor time, and medians with quartiles of what was measured."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

EVERY = 0.2  # seconds between two looks at a child
# An empty word is none: what is installed has its bytecode; a start that compiles everything anew is nobody's.
THREADS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""}


@dataclass(frozen=True)
class Cost:
    """Seconds on the wall, and of processors, descendants that were waited for included; MiB of the largest process."""

    wall: float
    processor: float
    mib: float = 0.0

    def per(self, count: int, less: Cost | None = None) -> Cost:
        """The cost of one of `count`, after `less` was taken off."""
        start = less or Cost(0.0, 0.0)
        return Cost((self.wall - start.wall) / count, (self.processor - start.processor) / count)


@dataclass(frozen=True)
class Spread:
    """Median and quartiles."""

    median: float
    low: float
    high: float

    def shown(self, digits: int = 2) -> str:
        """ "2.41 (2.30–2.55)"."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f})"


def spread(values: Sequence[float]) -> Spread:
    """Of one value or more."""
    if len(values) == 1:
        return Spread(values[0], values[0], values[0])
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(middle, low, high)


def run(
    command: Sequence[object],
    *,
    more: Mapping[str, str] | None = None,
    cwd: Path,
    watch: Callable[[int], None] = lambda pid: None,
) -> tuple[Cost, str]:
    """Run a child to its end: its cost and what it printed. Raises RuntimeError when it fails.

    `watch` is called with its number as often as `EVERY` says, in a thread of its own.
    """
    environment = {**os.environ, **THREADS, **(more or {})}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        child = subprocess.Popen(
            [str(part) for part in command], env=environment, cwd=cwd, stdout=output, stderr=errors
        )
        ended = threading.Event()
        watcher = threading.Thread(target=_watch, args=(watch, child.pid, ended))
        watcher.start()
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        ended.set()
        watcher.join()
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode(errors="replace")
        if child.returncode != 0:
            errors.seek(0)
            told = errors.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"{command} ended with {child.returncode}:\n{text[-1000:]}\n{told}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), text


def _watch(look: Callable[[int], None], pid: int, ended: threading.Event) -> None:
    while not ended.wait(EVERY):
        with suppress(OSError, IndexError):  # a process has just ended
            look(pid)


@dataclass
class MostMemory:
    """The most private MiB that a command line, and any judge of it, was seen to take: something to `watch` with.

    Looking at judges takes a twentieth of a processor.
    """

    judges: bool = True
    command_line: float = 0.0
    judge: float = 0.0

    def __call__(self, pid: int) -> None:
        self.command_line = max(self.command_line, private_mib(pid))
        for judge in _ours_below(pid) if self.judges else ():
            self.judge = max(self.judge, private_mib(judge))


def _ours_below(pid: int) -> Iterator[int]:
    """Descendants that run as the same user: the zygote and the judges, not the workers."""
    for child in children_of(pid):
        words = Path(f"/proc/{child}/status").read_text(encoding="ascii", errors="replace").split("Uid:")[1].split()
        if int(words[0]) == os.getuid():
            yield child
            yield from _ours_below(child)


def private_mib(pid: int) -> float:
    """The memory that this process shares with no other. Raises OSError."""
    total = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith(("Private_Clean:", "Private_Dirty:")):
            total += int(line.split()[1])
    return total / 1024


def children_of(pid: int) -> set[int]:
    """The processes that this one started and that live."""
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()}


def machine(packages: Sequence[str]) -> list[str]:
    """What the numbers depend on, a line each."""
    lines = [line for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if "model name" in line]
    model = lines[0].split(":")[1].strip() if lines else platform.processor()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return [
        f"{len(os.sched_getaffinity(0))} processors ({model}), {memory:.0f} GiB, Linux {platform.release()}",
        f"Python {platform.python_version()}, " + ", ".join(f"{name} {_version(name)}" for name in packages),
        f"load average {load}",
    ]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
