"""What those layers around a worker cost that 0.1 had not. Linux only.

    python -m benchmarks.layers [--rounds 7]

One more submission of the workload of `benchmarks.peers` with everything on, and without the filter of system calls,
the keyring, the scratch folder and the table of processes, in turn within each round. They are left out by a file that
Python imports at its start, so that nothing in the package can switch a layer off.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import Cost, machine, spread
from benchmarks.peers import BATCH, CORRECT, Bench

# Both import the same, so that the difference is what is done for a worker.
IMPORTED = "from grader.sandbox import apart, confine\n"
LEFT_OUT = """
confine.seccomp.install = lambda *_, **__: "left out"
confine._own_keyring = lambda: "left out"
confine.mounts.mount_scratch = lambda *_: False
confine.scratch.make = lambda *_, **__: ""
apart.ProcessTable._leave = lambda _: False
"""


def one_more(bench: Bench, start: Path) -> Cost:
    """One more submission, where Python imports `start` first."""
    os.environ["PYTHONPATH"] = str(start)
    try:
        one = bench.ours(bench.copies(CORRECT, 1), "passed")
        return bench.ours(bench.copies(CORRECT, 1 + BATCH), "passed").per(BATCH, less=one)
    finally:
        del os.environ["PYTHONPATH"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as place:
        bench = Bench(Path(place), None)
        starts = {"on": Path(place) / "on", "off": Path(place) / "off"}
        for name, start in starts.items():
            start.mkdir()
            text = IMPORTED + (LEFT_OUT if name == "off" else "")
            (start / "sitecustomize.py").write_text(text, encoding="utf-8")
        one_more(bench, starts["on"])
        ratios = []
        for number in range(rounds):
            names = sorted(starts, reverse=bool(number % 2))
            costs = {name: one_more(bench, starts[name]) for name in names}
            ratios.append(costs["on"].processor / costs["off"].processor)
            shown = ", ".join(f"{name} {1000 * cost.processor:.0f} ms" for name, cost in sorted(costs.items()))
            print(f"round {number + 1} of {rounds}: {shown}", file=sys.stderr, flush=True)
    print("\n".join(machine(("torch",))))
    print(f"everything on, over the same without: {spread(ratios).shown()} of processor time (wanted: at most 1.15)")


if __name__ == "__main__":
    main()
