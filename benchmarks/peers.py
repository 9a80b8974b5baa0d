"""What grading costs: this grader against gradescope-utils, pytest, and the bare checks. Linux only.

    python -m benchmarks.peers [--rounds 7] [--seconds 330] [--all] [--json FILE]

`--all` adds graders that bring a tree of packages of their own and take long: see `benchmarks.others`.

Every way of grading judges the same submission with the same twelve checks. Each round runs every way once, in an
order that rotates; ratios are taken within a round, because machines are shared and clocks drift, and what is shown are
medians and quartiles over the rounds. A first, uncounted round warms the page cache. See docs/measurements.md.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from benchmarks import others
from benchmarks.measuring import Cost, machine, run, spread
from benchmarks.memory import worker_memory

HERE = Path(__file__).resolve().parent
WORKLOAD, SUITES = HERE / "workload", HERE / "peers_suites"
CORRECT, DISAGREEING = HERE / "submissions" / "correct", HERE / "submissions" / "disagreeing"
CHECKS = 12
FLOOR_COUNT, BATCH, DISAGREEING_BATCH = 40, 24, 12
PEER = "gradescope-utils"
VERSIONS = ("torch", "numpy", "pytest", "pytest-json-report")


@dataclass(frozen=True)
class Row:
    """A figure of a round: its name, and the name of the one it is divided by."""

    name: str
    title: str
    over: str
    target: str = ""


FLOOR, ONE, AGAIN, SUBMISSION, WRONG = "floor", "one", "again", "submission", "disagreeing"
ROWS = (
    Row(FLOOR, "floor: the checks in one warm process, no isolation", FLOOR),
    Row(SUBMISSION, "ours, one more submission of a batch", FLOOR, "≤ 2.5"),
    Row("mean", f"ours, batch of {BATCH + 1}, start included, per submission", FLOOR),
    Row(WRONG, "ours, one more submission of which every item disagrees", SUBMISSION, "≤ 2"),
    Row(ONE, "ours, one submission from nothing", PEER, "≤ 0.6"),
    Row(AGAIN, "ours, one submission with the recording that an earlier run kept", PEER),
    Row(PEER, "gradescope-utils, one process each", SUBMISSION, "≥ 25"),
    Row("pytest", "pytest, one process each", SUBMISSION, "≥ 35"),
    *(Row(peer.name, peer.title, SUBMISSION) for peer in others.PEERS),
    Row("help", "`grader --help`", PEER),
)


@dataclass(frozen=True)
class Bench:
    """Where things lie during a measurement."""

    folder: Path
    python: Path | None
    others: Mapping[str, Path] = field(default_factory=dict)

    def copies(self, submission: Path, count: int) -> Path:
        """A folder with that many copies of a submission."""
        target = self.folder / f"{submission.name}-{count}"
        if not target.exists():
            for number in range(count):
                shutil.copytree(submission, target / f"student_{number:03d}")
        return target

    def ours(self, submissions: Path, status: str, *, cached: bool = False) -> Cost:
        """`grader grade` with one job; every item of every submission must end with this status.

        `cached`: the reference run of an earlier call is used again.
        """
        out = self.folder / "out"
        shutil.rmtree(out, ignore_errors=True)
        command = [Path(sys.executable).with_name("grader"), "grade", "speed", submissions, "--assignments", WORKLOAD]
        command += ["--out", out, "--seed", "1", "--jobs", "1", *([] if cached else ["--no-cache"])]
        cost, _ = run(command, more={"XDG_CACHE_HOME": str(self.folder / "cache")}, cwd=self.folder)
        records = [json.loads(line) for line in (out / "journal.jsonl").read_text(encoding="utf-8").splitlines()]
        found = [record["result"]["status"] for record in records if record["kind"] == "result"]
        expected = [status] * CHECKS * len(list(submissions.glob("student_*")))
        if found != expected:
            raise RuntimeError(f"expected {len(expected)} items that {status}, got {sorted(set(found))}: {len(found)}")
        return cost

    def floor(self) -> Cost:
        """The bare checks."""
        _, text = run([sys.executable, SUITES / "floor.py", CORRECT / "speed.py", str(FLOOR_COUNT)], cwd=self.folder)
        return Cost(**json.loads(text))

    def gradescope(self) -> Cost:
        """gradescope-utils on one submission."""
        assert self.python is not None
        results = self.folder / "gradescope.json"
        script = SUITES / "gradescope_suite.py"
        cost, _ = run([self.python, script, CORRECT / "speed.py", results], cwd=self.folder)
        scores = [test["score"] for test in json.loads(results.read_text(encoding="utf-8"))["tests"]]
        if scores != [1] * CHECKS:
            raise RuntimeError(f"gradescope-utils gave {scores}")
        return cost

    def pytest(self) -> Cost:
        """pytest with its JSON report on one submission."""
        report = ["--json-report", f"--json-report-file={self.folder / 'report.json'}"]
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--rootdir={SUITES}", *report]
        more = {"SUBMISSION": str(CORRECT / "speed.py")}
        cost, _ = run([*command, SUITES / "test_with_pytest.py"], more=more, cwd=self.folder)
        return cost

    def ways(self) -> dict[str, Callable[[], Cost]]:
        """What a round runs."""
        one, many = self.copies(CORRECT, 1), self.copies(CORRECT, 1 + BATCH)
        wrong = self.copies(DISAGREEING, 1 + DISAGREEING_BATCH)
        grader = Path(sys.executable).with_name("grader")
        ways: dict[str, Callable[[], Cost]] = {
            FLOOR: self.floor,
            "many": lambda: self.ours(many, "passed"),
            ONE: lambda: self.ours(one, "passed"),
            AGAIN: lambda: self.ours(one, "passed", cached=True),
            "wrong": lambda: self.ours(wrong, "failed"),
            "pytest": self.pytest,
            "help": lambda: run([grader, "--help"], cwd=self.folder)[0],
        }
        if self.python is not None:
            ways[PEER] = self.gradescope
        for peer in others.PEERS:
            if (python := self.others.get(peer.name)) is not None:
                ways[peer.name] = partial(peer.cost, python, python.parent.parent, CORRECT / "speed.py", CHECKS)
        return ways


def prepare(folder: Path, everything: bool) -> Bench:
    """Private environments that share this one's packages through a path file, with the peers in them."""
    python = others.environment(folder / "peers", (PEER,), alone=True)
    further = {}
    for peer in others.PEERS if everything else ():
        if (found := others.environment(folder / peer.name, peer.packages)) is not None:
            further[peer.name] = found
    return Bench(folder, python, further)


def without_broken(ways: Mapping[str, Callable[[], Cost]]) -> dict[str, Callable[[], Cost]]:
    """Each further grader was tried once: one that cannot judge here costs its own row, not the other figures."""
    found = dict(ways)
    for peer in others.PEERS:
        try:
            found.get(peer.name, lambda: None)()
        except RuntimeError as error:
            print(f"{peer.title}: left out, {error}", file=sys.stderr, flush=True)
            del found[peer.name]
    return found


def one_round(ways: Mapping[str, Callable[[], Cost]], shift: int) -> dict[str, Cost]:
    """Every way once, starting with another one each time; then the figures that follow."""
    names = list(ways)
    names = names[shift % len(names) :] + names[: shift % len(names)]
    costs = {name: ways[name]() for name in names}
    many, wrong = costs.pop("many"), costs.pop("wrong")
    costs["mean"] = many.per(BATCH + 1)
    costs[SUBMISSION] = many.per(BATCH, less=costs[ONE])
    costs[WRONG] = wrong.per(DISAGREEING_BATCH, less=costs[ONE])
    return costs


def measure(bench: Bench, rounds: int, seconds: float) -> list[dict[str, Cost]]:
    """The counted rounds: as many as asked for, fewer when time runs out, three at least."""
    ways = without_broken(bench.ways())
    started = time.monotonic()
    found: list[dict[str, Cost]] = []
    for number in range(rounds + 1):
        begun = time.monotonic()
        costs = one_round(ways, number)
        took = time.monotonic() - begun
        print(f"round {number} of {rounds}: {took:.0f} s", file=sys.stderr, flush=True)
        if number:
            found.append(costs)
        if len(found) >= 3 and time.monotonic() - started + took > seconds:
            break
    return found


def table(rounds: Sequence[Mapping[str, Cost]]) -> list[str]:
    """Markdown: times, and ratios within a round, on the wall and in processor time."""
    lines = ["| way | wall ms | processor ms | over | wall ratio | processor ratio | target |", "|---" * 7 + "|"]
    for row in ROWS:
        if row.name not in rounds[0]:
            continue
        wall = spread([1000 * costs[row.name].wall for costs in rounds]).shown(0)
        processor = spread([1000 * costs[row.name].processor for costs in rounds]).shown(0)
        ratios = ["–", "–"]
        if row.over in rounds[0]:
            ratios = [
                spread([getattr(costs[row.name], kind) / getattr(costs[row.over], kind) for costs in rounds]).shown()
                for kind in ("wall", "processor")
            ]
        over = row.over if row.over in rounds[0] else ""
        lines.append(f"| {row.title} | {wall} | {processor} | {over} | {ratios[0]} | {ratios[1]} | {row.target} |")
    return lines


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="counted rounds (default: 7)")
    parser.add_argument("--seconds", type=float, default=300.0, help="start no round that would end later than this")
    parser.add_argument("--all", action="store_true", help="otter-grader, nbgrader and PrairieLearn's grader as well")
    parser.add_argument("--json", type=Path, help="write all figures of all rounds there")
    return parser.parse_args()


def main() -> None:
    """Measure and print."""
    options = arguments()
    with tempfile.TemporaryDirectory() as folder:
        # Workers run as users of their own, who must be able to reach the submissions.
        Path(folder).chmod(0o755)
        bench = prepare(Path(folder), options.all)
        before = machine(VERSIONS)
        rounds = measure(bench, options.rounds, options.seconds)
        memory = worker_memory(WORKLOAD / "test_suites" / "speed", CORRECT)
    print("\n".join([*before, *(line for line in machine(())[2:]), f"{len(rounds)} counted rounds", ""]))
    print("\n".join(table(rounds)))
    print(f"\nPrivate memory of a worker that waits: {memory.waiting:.1f} MiB (target ≤ 15); {memory.opened_text}")
    if options.json:
        figures = [{name: asdict(cost) for name, cost in costs.items()} for costs in rounds]
        options.json.write_text(json.dumps({"rounds": figures, "memory": asdict(memory)}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
