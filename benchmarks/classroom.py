"""Grading a class from nothing to its results: right, wrong, partial, untouched, broken, hostile; late, in pairs.

    python -m benchmarks.classroom [SUBMISSIONS] [--assignment SLUG] [--jobs N] [--keep DIR]

The work is what the suite keeps to prove itself, the right one most often, in the shape of Gradescope's export. No two
files are alike: each has a line that names its author. Nothing is trained.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml

from benchmarks.measuring import THREADS, MostMemory, machine, run
from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders, assignment_folders
from grader.assignment.manifest import load
from grader.proof.kept import Kept, edited_sources, read_kept
from grader.proof.reference import lay_out
from grader.results.journal import read

DUE = datetime(2024, 4, 1, 23, 59, tzinfo=UTC)
# Of each twenty: what a class of this kind looks like, as far as the kept submissions go.
TWENTY = ("correct",) * 8 + ("wrong",) * 7 + ("partial",) * 2 + ("untouched", "broken", "hostile")


def works(assignment: Assignment) -> Iterator[tuple[str, Kept | None]]:
    """Endless: the kind of a submission, and what it is made of (None: the reference or the template)."""
    kept = read_kept(assignment.suite)
    of_kind: dict[str, list[Kept | None]] = {
        "correct": [None, *(one for one in kept if one.kind == "correct")],
        "wrong": [one for one in kept if one.kind == "wrong"],
        "hostile": [one for one in kept if one.kind == "hostile"],
    }
    turns = {kind: itertools.cycle(entries) for kind, entries in of_kind.items()}
    for kind in itertools.cycle(TWENTY):
        yield kind, next(turns[kind]) if kind in turns else None


def place(folders: Folders, assignment: Assignment, kind: str, kept: Kept | None, folder: Path, author: str) -> None:
    """One submission's files."""
    if kind == "untouched":
        shutil.copytree(folders.template, folder)
    elif kept is not None and kept.path.is_dir():
        shutil.copytree(kept.path, folder, ignore=shutil.ignore_patterns("expect.yaml", "__pycache__"))
    else:
        lay_out(assignment, folder, edited_sources(kept, assignment.reference) if kept is not None else None)
    files = sorted(path for path in folder.rglob("*.py") if path.is_file())
    if kind == "partial":
        for path in files[len(files) // 2 :]:
            path.unlink()
    for path in files:
        if path.exists():
            text = path.read_text("utf-8")
            broken = "def unfinished(:\n" if kind == "broken" and path is files[0] else ""
            path.write_text(f"{text.rstrip()}\n{broken}# handed in by {author}\n", "utf-8")


def lay_class(folders: Folders, assignment: Assignment, export: Path, count: int) -> Counter[str]:
    """Gradescope's export of `count` submissions; how many there are of each kind."""
    draw, kinds, records = random.Random(7), Counter[str](), {}
    submitters: list[dict[str, str]] = []
    export.mkdir()
    for number, (kind, kept) in zip(range(count), works(assignment), strict=False):
        again = number % 20 == 19  # the same author a second time
        if not again:
            size = 2 if number % 10 == 0 else 1
            names = [f"{number}{letter}" for letter in "ab"[:size]]
            submitters = [{":name": f"Student {one}", ":email": f"s{one}@example.edu", ":sid": one} for one in names]
        label = f"submission_{90000 + number}"
        place(folders, assignment, kind, kept, export / label, submitters[0][":name"])
        when = DUE + timedelta(hours=draw.choice((-30, -20, -5, -1, -1, 10, 30)))
        records[label] = {":submitters": submitters, ":created_at": when.isoformat()}
        kinds[kind] += 1
    (export / "submission_metadata.yml").write_text(yaml.safe_dump(records), "utf-8")
    return kinds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("submissions", type=int, nargs="?", default=400)
    parser.add_argument("--assignment", default="cs7643_a4")
    parser.add_argument("--jobs", type=int, default=0, help="as for grader grade (default: one per processor)")
    parser.add_argument("--keep", type=Path, help="leave the results there")
    given = parser.parse_args()
    os.environ.update(THREADS)
    folders = assignment_folders(given.assignment)
    assignment = load(folders)
    with tempfile.TemporaryDirectory(prefix="benchmarks-classroom-") as name:
        root = Path(name)
        root.chmod(0o755)
        kinds = lay_class(folders, assignment, root / "export", given.submissions)
        (root / "course.yaml").write_text(
            f'assignments:\n  {assignment.slug}:\n    due: "{DUE.isoformat()}"\n    per_day: {{percent: 10}}\n', "utf-8"
        )
        print("\n".join(machine(("torch",))))
        print(", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())), flush=True)
        out, most = root / "grades", MostMemory(judges=False)
        command = [sys.executable, "-m", "grader.cli", "grade", assignment.slug, root / "export", "--out", out]
        command += ["--training", "off", "--seed", "1", "--jobs", given.jobs, "--course", root / "course.yaml"]
        cost, _ = run(command, cwd=Path.cwd(), watch=most)
        seconds = sorted((stored.seconds for stored in read(out).submissions.values()), reverse=True)
        print(f"graded in {cost.wall:.0f} s, {cost.processor:.0f} s of processor time")
        slowest = ", ".join(f"{one:.1f}" for one in seconds[: max(1, len(seconds) // 100)])
        print(f"{len(seconds)} attempts; the slowest hundredth: {slowest} s")
        print(f"command line: {most.command_line:.0f} MiB of its own at most")
        if given.keep:
            shutil.copytree(out, given.keep)


if __name__ == "__main__":
    main()
