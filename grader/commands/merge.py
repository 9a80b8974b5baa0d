"""`grader merge`: combine runs of one assignment, such as one without a GPU and a later one with it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from grader.commands.grade import SUBMISSIONS, SUITE, finish
from grader.commands.score import slug_of
from grader.commands.shared import open_assignment
from grader.course import people
from grader.errors import UsageError
from grader.reports.files import merge_intake
from grader.results.merging import Merged, merge
from grader.run.grading import MARKS


def run(folders: Sequence[Path], out: Path, as_json: bool, assignments: Path | None) -> int:
    """Write the combined results. Returns the exit code."""
    if len(folders) < 2:
        raise UsageError("give at least two results folders")
    # Whatever can be wrong is found before the first file is written.
    _, assignment = open_assignment(slug_of(folders[0]), assignments)
    marks = _marks_of(folders)
    merged = merge(folders, out)
    sys.stderr.write("".join(f"note: {warning}\n" for warning in merged.warnings))
    _bring_people(folders, out)
    merge_intake(out, folders)
    _bring_files(folders, merged, out)
    if marks is not None:
        shutil.copyfile(marks, out / MARKS)
    return finish(out, assignment, as_json=as_json)


def _bring_people(folders: Sequence[Path], out: Path) -> None:
    files = [folder / "people.csv" for folder in folders if (folder / "people.csv").exists()]
    if files:
        people.write([person for file in files for person in people.read(file)], out / "people.csv")


def _bring_files(folders: Sequence[Path], merged: Merged, out: Path) -> None:
    """The account of the suite's run, and the submissions, which `replay` needs."""
    for account in [folder / SUITE for folder in folders if (folder / SUITE).exists()][:1]:
        shutil.copyfile(account, out / SUITE)
    for key, folder, there in merged.origins:
        found, target = folder / SUBMISSIONS / there, out / SUBMISSIONS / key
        if found.is_dir() and not target.exists():
            shutil.copytree(found, target, copy_function=_linked)


def _linked(source: str, target: str) -> None:
    try:
        Path(target).hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)


def _marks_of(folders: Sequence[Path]) -> Path | None:
    """The one marks.csv there is. Raises UsageError for two: which of them counts is a person's decision."""
    found = [folder / MARKS for folder in folders if (folder / MARKS).exists()]
    if len({path.read_bytes() for path in found}) > 1:
        listed = " and ".join(map(str, found))
        raise UsageError(f"{listed} differ: make them equal, or leave one, and merge again")
    return found[0] if found else None
