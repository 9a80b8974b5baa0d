"""A class in parts through a one-node Slurm against the same class in one run: the time of both, and every byte.

    python -m benchmarks.cluster [SUBMISSIONS] [--shards N] [--rounds N]

The class is that of `benchmarks.classroom`; nothing is trained. Then what a part costs beyond its submissions, with the
recording at hand, beside `import torch` in the same round. Linux, as root: the Slurm is that of the tests.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.classroom import lay_class
from benchmarks.measuring import THREADS, machine, run, spread
from grader.assignment.locate import assignment_folders
from grader.assignment.manifest import load
from grader.cluster.task import FOLDER

SLUG = "cs7643_a4"
BATCH = 12
GRADE = [sys.executable, "-m", "grader.cli", "grade", SLUG, "--training", "off"]
sys.path += ["tests", "tests/cluster"]


def overhead(recording: Path, submission: Path, root: Path, rounds: int) -> str:
    """Seconds by the clock of a part beyond what its submissions take, and the same in imports of torch."""
    paths = [root / f"copy{number:02}" for number in range(1 + BATCH)]
    for path in paths:
        path.symlink_to(submission)
    part = ["--recording", recording, "--no-cache", "--shard", "1/1", "--jobs", 1, "--single"]
    seconds, ratios = [], []
    for number in range(rounds):
        importing, _ = run([sys.executable, "-c", "import torch"], cwd=Path())
        one, _ = run([*GRADE, paths[0], *part, "--out", root / f"one{number}"], cwd=Path())
        many, _ = run([*GRADE, *paths, *part, "--out", root / f"many{number}"], cwd=Path())
        seconds.append(one.wall - many.per(BATCH, less=one).wall)
        ratios.append(seconds[-1] / importing.wall)
    return f"a part beyond its submissions: {spread(seconds).shown()} s, {spread(ratios).shown()} imports of torch"


def main() -> None:
    """Measure and print; the exit code is 1 where a file differs by more than its times."""
    from comparing import files_of
    from one_node_slurm import Slurm, require_programs

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("submissions", type=int, nargs="?", default=400)
    parser.add_argument("--shards", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    os.environ.update(THREADS)
    require_programs()
    print("\n".join(machine(("torch",))), flush=True)
    # Slurm's sockets need short paths.
    with tempfile.TemporaryDirectory(prefix="slurm-") as name, Slurm(Path(name) / "slurm") as slurm:
        root = Path(name)
        root.chmod(0o755)
        folders = assignment_folders(SLUG)
        lay_class(folders, load(folders), root / "export", given.submissions)
        at_once = len(os.sched_getaffinity(0))
        array = ["--slurm", "--shards", given.shards, "--jobs", 1, "--array-parallelism", at_once]
        ways = {"one run": [], f"{given.shards} parts, {at_once} at once": array}
        found = []
        for way, more in ways.items():
            out = root / f"grades{len(found)}"
            cost, _ = run(
                [*GRADE, root / "export", "--seed", 1, "--out", out, *more], more=slurm.environment, cwd=Path()
            )
            found.append(files_of(out))
            print(f"{given.submissions} submissions, {way}: {cost.wall:.0f} s by the clock", flush=True)
        demo = folders.suite / "submissions" / "demo" / "ada_correct"
        print(overhead(out / FOLDER / "recording", demo, root, given.rounds), flush=True)
    differing = sorted(path for path in found[0].keys() | found[1].keys() if found[0].get(path) != found[1].get(path))
    print(f"{len(found[0])} files, {len(differing)} of them different: {', '.join(differing[:10]) or 'none'}")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
