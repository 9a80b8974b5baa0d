"""Whether memory and cost a submission stay what they are when a class grows.

    python -m benchmarks.growth [FEW] [MANY]

Copies of the correct submission of the speed workload, one job, no trainings. Linux only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import THREADS, children_of, machine, private_mib
from benchmarks.peers import CORRECT, WORKLOAD

EVERY = 0.2


@dataclass(frozen=True)
class Grown:
    """One run: seconds of processor time, and the most private MiB of the command line and of any judge."""

    processor: float
    command_line: float
    judge: float


def ours_below(pid: int) -> Iterator[int]:
    """Descendants that run as the same user: the zygote and the judges, not the workers."""
    for child in children_of(pid):
        words = Path(f"/proc/{child}/status").read_text(encoding="ascii", errors="replace").split("Uid:")[1].split()
        if int(words[0]) == os.getuid():
            yield child
            yield from ours_below(child)


def watch(pid: int, stop: threading.Event, most: dict[str, float]) -> None:
    """Look at the processes again and again."""
    while not stop.wait(EVERY):
        try:
            most["command line"] = max(most["command line"], private_mib(pid))
            for judge in ours_below(pid):
                most["judge"] = max(most["judge"], private_mib(judge))
        except (OSError, IndexError):
            continue  # one has just ended


def grade(folder: Path, count: int) -> Grown:
    """Grade that many copies."""
    for number in range(count):
        shutil.copytree(CORRECT, folder / f"class-{count}" / f"student_{number:05d}")
    command = [sys.executable, "-m", "grader.cli", "grade", "speed", folder / f"class-{count}", "--no-cache"]
    command += ["--assignments", WORKLOAD, "--out", folder / f"out-{count}", "--seed", "1", "--jobs", "1"]
    most, stop = {"command line": 0.0, "judge": 0.0}, threading.Event()
    out = subprocess.DEVNULL
    child = subprocess.Popen(list(map(str, command)), env={**os.environ, **THREADS}, stdout=out, stderr=out)
    watcher = threading.Thread(target=watch, args=(child.pid, stop, most))
    watcher.start()
    _, status, usage = os.wait4(child.pid, 0)
    stop.set()
    watcher.join()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command} ended with {child.returncode}")
    return Grown(usage.ru_utime + usage.ru_stime, most["command line"], most["judge"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("few", type=int, nargs="?", default=25)
    parser.add_argument("many", type=int, nargs="?", default=1000)
    given = parser.parse_args()
    print("\n".join(machine(("torch",))), flush=True)
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        one = grade(Path(name), 1)
        for count in (given.few, given.many):
            began = time.perf_counter()
            found = grade(Path(name), count)
            each = 1000 * (found.processor - one.processor) / (count - 1)
            print(
                f"| {count} | {each:.0f} ms of processor time each | command line {found.command_line:.0f} MiB | "
                f"a judge {found.judge:.0f} MiB | {time.perf_counter() - began:.0f} s |",
                flush=True,
            )


if __name__ == "__main__":
    main()
