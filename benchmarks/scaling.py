"""What a term costs on what, from measured figures; and thousands of stored results through merge and score.

python -m benchmarks.scaling                           the table, from figures measured here: one small class is graded
python -m benchmarks.scaling --stored 40000            besides, that many results put together and scored
python -m benchmarks.scaling --stored 40000 --scored   the same of parts that hold results, as `grade` leaves them
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import Cost, machine, run, spread
from grader.assignment.assignment import Assignment, evidence_key
from grader.commands.shared import open_assignment
from grader.results.journal import NAME
from grader.results.sharding import Shard

SLUG = "cs7643_a4"
TERM = (400, 40_000, 4_000_000)  # submissions: one course; a large department; every course of this kind there is
BATCH = 12
A_SHARD = 1000
TARGET_SECONDS, TARGET_MIB = 60.0, 1024.0


@dataclass(frozen=True)
class Figures:
    """What one assignment needs here: processor seconds to start, for one submission, and MiB of results on disk."""

    start: float
    submission: float
    results_mib: float
    training: float | None  # seconds of one submission's trainings on real data, as measured for the reference


def command(*arguments: object) -> Cost:
    """Run the command line to its end. Raises RuntimeError."""
    return run([sys.executable, "-m", "grader.cli", *arguments], cwd=Path())[0]


# --- stored results ---------------------------------------------------------------------------------------------


def lay_out(base: Path, out: Path, count: int) -> list[Path]:
    """Results folders of shards that hold what was judged in `base`, `count` times, each time under another key."""
    first, *lines = (json.loads(line) for line in (base / NAME).read_text(encoding="utf-8").splitlines())
    known: dict[str, list[dict[str, object]]] = {}
    for line in lines:
        if "key" in line:
            known.setdefault(line["key"], []).append(line)
    of = max(2, -(-count // A_SHARD))
    shards = [Shard(number, of) for number in range(1, of + 1)]
    keys = [f"student{number:07}" for number in range(count)]
    folders = []
    for shard in shards:
        folder = out / f"part{shard.number:04}"
        folder.mkdir(parents=True)
        folders.append(folder)
        with (folder / NAME).open("w", encoding="utf-8") as file:
            file.write(json.dumps({**first, "shard": shard.facts(keys)}) + "\n")
            file.writelines(_copies(list(known.values()), shard.share(keys)))
    return folders


def _copies(known: Sequence[Sequence[dict[str, object]]], keys: Sequence[str]) -> Iterator[str]:
    for number, key in enumerate(keys):
        for line in known[number % len(known)]:
            copy = {**line, "key": key}
            if line["kind"] == "submission":
                copy |= {"digest": f"{line['digest']}{key}"}
                copy["facts"] = {**copy["facts"], "prints": {}}  # type: ignore[dict-item] # else all are alike
            yield json.dumps(copy, separators=(",", ":")) + "\n"


def stored(count: int, base: Path, out: Path, *, scored: bool) -> list[str]:
    """Merge and score that many; lines for the page. `scored`: the parts hold results, and not the journal alone."""
    folders = lay_out(base, out / "parts", count)
    for folder in folders if scored else ():
        command("score", folder, "--no-pages")
    size = sum((folder / NAME).stat().st_size for folder in folders) / (1 << 20)
    lines = [f"{count:,} stored results of {SLUG} in {len(folders)} shards, {size:.0f} MiB of journals"]
    for name, arguments in (("merge", ["merge", *folders, "--out", out / "all"]), ("score", ["score", out / "all"])):
        found = command(*arguments, "--no-pages")
        verdict = "reached" if found.wall <= TARGET_SECONDS and found.mib <= TARGET_MIB else "not reached"
        lines.append(
            f"| {name} | {found.wall:.0f} s | {found.processor:.0f} s | {found.mib:.0f} MiB | "
            f"{count / found.wall:.0f} a second | {verdict} |"
        )
    return lines


# --- a term -----------------------------------------------------------------------------------------------------


def measure(base: Path, rounds: int) -> Figures:
    """Grade one submission, and a batch more; what is between them is what one more costs."""
    folders, assignment = open_assignment(SLUG, None)
    demo = folders.suite / "submissions" / "demo"
    names = sorted(path.name for path in demo.iterdir())
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for number in range(BATCH):
            (root / f"many/copy{number:02}").parent.mkdir(exist_ok=True)
            (root / f"many/copy{number:02}").symlink_to(demo / names[number % 2])
        ones, mores = [], []
        for number in range(rounds):
            one = command(
                "grade",
                SLUG,
                demo / names[0],
                "--training",
                "off",
                "--jobs",
                1,
                "--out",
                root / f"one{number}",
                "--seed",
                "x",
                "--single",
            )
            paths = sorted((root / "many").iterdir())
            many = command(
                "grade",
                SLUG,
                *paths,
                "--training",
                "off",
                "--jobs",
                1,
                "--out",
                root / f"all{number}",
                "--seed",
                "x",
                "--single",
            )
            ones.append(one.processor)
            mores.append((many.processor - one.processor) / (len(paths) - 1))
    size = sum(path.stat().st_size for path in base.rglob("*") if path.is_file()) / len(names) / (1 << 20)
    return Figures(spread(ones).median, spread(mores).median, size, _trainings(assignment))


def _trainings(assignment: Assignment) -> float | None:
    known = [found[key] for found in assignment.evidence.values() if (key := evidence_key("real", "cpu")) in found]
    return sum(evidence.seconds for evidence in known) if known else None


def term(figures: Figures) -> list[str]:
    """A row for each number of submissions: processor hours without and with trainings, disk, and who carries it."""
    lines = [
        "| submissions a term | without trainings | with trainings on a processor | results | judged in a night by |",
        "|---|---|---|---|---|",
    ]
    for count in TERM:
        hours = (figures.submission * count + figures.start * -(-count // 25)) / 3600
        trained = "–" if figures.training is None else _hours(hours + figures.training * count / 3600)
        whole = hours + (figures.training or 0.0) * count / 3600
        lines.append(
            f"| {count:,} | {_hours(hours)} | {trained} | {figures.results_mib * count / 1024:,.1f} GiB | "
            f"{max(1, round(hours / 10)):,} processors; {max(1, round(whole / 10)):,} with trainings |"
        )
    return lines


def _hours(hours: float) -> str:
    return f"{hours * 60:.0f} processor minutes" if hours < 2 else f"{hours:,.0f} processor hours"


def main() -> None:
    """Print what docs/scaling.md holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stored", type=int, default=0)
    parser.add_argument("--scored", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--base", type=Path, help="results of the five demo submissions, if they are there already")
    asked = parser.parse_args()
    print("\n".join(machine(["torch"])))
    with tempfile.TemporaryDirectory() as place:
        base = asked.base or Path(place) / "base"
        if asked.base is None:
            demo = open_assignment(SLUG, None)[0].suite / "submissions" / "demo"
            command("grade", SLUG, *sorted(demo.iterdir()), "--training", "off", "--out", base, "--seed", "demo")
        if asked.stored:
            print("\n".join(stored(asked.stored, base, Path(place) / "stored", scored=asked.scored)))
        if asked.rounds:
            figures = measure(base, asked.rounds)
            print(figures)
            print("\n".join(term(figures)))


if __name__ == "__main__":
    main()
