"""What grading one more submission costs with a real suite, against the suite's own tests in one warm process.

    python -m benchmarks.suites [--rounds 5] [slug ...]

The submission is the reference. The floor runs the very same tests on the very same cases in one process that holds
everything already: the submission is loaded anew for every repetition, both sides are computed anew, because each
submission stands alone there, and nothing is isolated, explained, traced or stored. No training takes place.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.in_process import with_trial
from benchmarks.measuring import Cost, machine, run, spread
from grader.commands.shared import open_assignment
from grader.judge.calls import make_call
from grader.judge.handed import HandedIn, file_specs
from grader.judge.replay import Replay
from grader.judge.sides import Book, Desk, ReferenceSide
from grader.judge.submissions import Trial
from grader.proof.reference import lay_out
from grader.worker.loading import Modules, Probe

TARGETS = {"cs7643_a4": 1.0, "ift6135_a2": 1.4}
BATCH, REPEATED = 12, 10


class Anew(ReferenceSide):
    """A side in this process that remembers nothing."""

    def run(self, probe: Probe, case: object, **options: object) -> Mapping[str, object]:
        """The values, computed now."""
        return self.compute(make_call(probe, case, options))


def floor(slug: str, root: Path) -> None:
    """Print what judging the submission below `root` costs in this process, which is warm after the first time."""
    folders, assignment = open_assignment(slug, None)

    def timed(trial: Trial) -> Cost:
        judge_here(trial, root)
        wall, processor = time.perf_counter(), time.process_time()
        for _ in range(REPEATED):
            judge_here(trial, root)
        return Cost(time.perf_counter() - wall, time.process_time() - processor).per(REPEATED)

    cost = with_trial(folders, assignment, timed)
    print("\n" + json.dumps({"wall": cost.wall, "processor": cost.processor}))


def judge_here(trial: Trial, root: Path) -> None:
    """Every test on every case. Raises RuntimeError when one is not passed."""
    assignment, probes = trial.assignment, trial.reference._probes
    files = {file.id: file.path for file in assignment.files if (root / file.path).is_file()}
    student = Anew(Modules(root, file_specs(assignment, files), assignment.globals), Book(), probes)
    own = Anew(trial.reference._modules, Book(), probes)
    handed = HandedIn(root, files, files)
    desk = Desk(lambda *_: None, lambda: None, assignment.limits)  # type: ignore[arg-type,return-value]
    replay = Replay(trial.plugin, own, student, desk, handed)  # type: ignore[arg-type]
    for recorded in trial.records.values():
        if recorded.item.training is None:
            look = replay.look(recorded)
            if look.result is None or look.result.status != "passed":
                raise RuntimeError(f"{recorded.item.id}: {look}")


def ours(slug: str, folder: Path, submissions: Path) -> Cost:
    """`grader grade` with one job."""
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    grader = Path(sys.executable).with_name("grader")
    command = [grader, "grade", slug, submissions, "--out", out, "--seed", "1", "--jobs", "1", "--no-cache"]
    cost, _ = run(command, cwd=folder)
    return cost


def measure(slug: str, rounds: int) -> None:
    """Print the ratio within each round, and its median."""
    assignment = open_assignment(slug, None)[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        for count in (1, 1 + BATCH):
            for number in range(count):
                lay_out(assignment, folder / str(count) / f"student_{number:02d}")
        kinds: dict[str, list[float]] = {"wall": [], "processor": []}
        for number in range(rounds + 1):
            command = [sys.executable, "-m", "benchmarks.suites", "--floor", folder / "1" / "student_00", slug]
            _, text = run(command, cwd=Path.cwd())
            bare = Cost(**json.loads(text.splitlines()[-1]))
            one, many = ours(slug, folder, folder / "1"), ours(slug, folder, folder / str(1 + BATCH))
            more = many.per(BATCH, less=one)
            if number:
                for kind, values in kinds.items():
                    values.append(getattr(more, kind) / getattr(bare, kind))
        times = " | ".join(f"{1000 * cost.processor:.0f}" for cost in (bare, more))
        ratios = " | ".join(spread(values).shown() for values in kinds.values())
        print(f"| {slug} | {times} | {ratios} | {TARGETS.get(slug, '')} |", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("slugs", nargs="*", default=list(TARGETS))
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default: 5)")
    parser.add_argument("--floor", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.floor is not None:
        floor(options.slugs[0], options.floor)
        return
    print("\n".join(machine(("torch", "pytest"))))
    print("| suite | its tests, ms | one more submission, ms | wall ratio | processor ratio | target |")
    print("|---" * 6 + "|")
    for slug in options.slugs:
        measure(slug, options.rounds)


if __name__ == "__main__":
    main()
