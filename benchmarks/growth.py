"""Whether memory and cost a submission stay what they are when a class grows.

    python -m benchmarks.growth [FEW] [MANY]

Copies of the correct submission of the speed workload, one job, no trainings. Linux only.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Cost, MostMemory, machine, run
from benchmarks.peers import CORRECT, WORKLOAD


def grade(folder: Path, count: int) -> tuple[Cost, MostMemory]:
    """Grade that many copies."""
    for number in range(count):
        shutil.copytree(CORRECT, folder / f"class-{count}" / f"student_{number:05d}")
    command = [sys.executable, "-m", "grader.cli", "grade", "speed", folder / f"class-{count}", "--no-cache"]
    command += ["--assignments", WORKLOAD, "--out", folder / f"out-{count}", "--seed", "1", "--jobs", "1"]
    most = MostMemory()
    cost, _ = run(command, cwd=folder, watch=most)
    return cost, most


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("few", type=int, nargs="?", default=25)
    parser.add_argument("many", type=int, nargs="?", default=1000)
    given = parser.parse_args()
    print("\n".join(machine(("torch",))), flush=True)
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        one, _ = grade(Path(name), 1)
        for count in (given.few, given.many):
            cost, most = grade(Path(name), count)
            each = 1000 * cost.per(count - 1, less=one).processor
            print(
                f"| {count} | {each:.0f} ms of processor time each | command line {most.command_line:.0f} MiB | "
                f"a judge {most.judge:.0f} MiB | {cost.wall:.0f} s |",
                flush=True,
            )


if __name__ == "__main__":
    main()
