"""`grader merge`: combine runs of one assignment, such as one without a GPU and a later one with it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.commands.finishing import finish
from grader.commands.score import slug_of
from grader.commands.shared import course_for, open_assignment
from grader.course import dispositions, forgotten, marks, people
from grader.course.forgotten import Forgotten
from grader.course.voids import NAME as VOIDS
from grader.errors import UsageError
from grader.reports.files import linked, merge_intake, write_text
from grader.results.journal import SUBMISSIONS, SUITE, read
from grader.results.log import head
from grader.results.merging import Merged, merge
from grader.run.courses import COURSE_PATH, TIMES, remember_course
from grader.run.kept import bring


def run(folders: Sequence[Path], out: Path, as_json: bool, assignments: Path | None, *, pages: bool = True) -> int:
    """Write the combined results. Returns the exit code."""
    if len(folders) < 2:
        raise UsageError("give at least two results folders")
    return combine(folders, out, as_json=as_json, assignments=assignments, pages=pages)


def combine(
    folders: Sequence[Path],
    out: Path,
    *,
    as_json: bool,
    assignments: Path | None,
    lenient: bool = False,
    times: Path | None = None,
    pages: bool = True,
) -> int:
    """As `run`, of one folder as well; `times` as for `grade`."""
    # Whatever can be wrong is found before the first file is written.
    _, assignment = open_assignment(slug_of(folders[0]), assignments)
    names = (marks.FILE, VOIDS, TIMES, COURSE_PATH)
    given = [found for name in names if (found := _one_of(folders, name)) is not None]
    markers = _markers_of(folders, assignment)
    decided = [path for folder in folders if (path := folder / dispositions.NAME).exists()]
    decisions = dispositions.united(decided)
    gone = _forgotten(folders)
    merged = merge(folders, out)
    logs = [f"the log of {folder} is not merged; the next release begins one" for folder in folders if head(folder)]
    sys.stderr.write("".join(f"note: {warning}\n" for warning in (*merged.warnings, *logs)))
    _bring_people(folders, out, gone)
    merge_intake(out, folders)
    _bring_files(folders, merged, out)
    for path in given:
        shutil.copyfile(path, out / path.name)
    for name, sheet in markers.items():
        marks.write_sheet(out / name, sheet)
    if decided:
        write_text(out / dispositions.NAME, decisions)
    remember_course(out, assignment, course_for(out, assignment.slug, assignments, None), times)
    bring(merged.origins, out, pages)
    return finish(out, assignment, lenient=lenient, as_json=as_json, pages=pages)


def _forgotten(folders: Sequence[Path]) -> tuple[Forgotten, ...]:
    """Who was forgotten in any folder. Raises UsageError where another one still has their work."""
    listed = {folder: forgotten.read(folder) for folder in folders}
    everybody = tuple(entry for entries in listed.values() for entry in entries)
    for folder in folders if everybody else ():
        for key, stored in read(folder).submissions.items():
            owner = stored.facts.get("of") or key
            where = [str(other) for other, entries in listed.items() if forgotten.recognised(entries)(owner, ())]
            if where:
                raise UsageError(
                    f"{folder} has the work of {owner}, who was forgotten in {where[0]}: say `grader forget {folder} "
                    f"{owner}`, or delete {forgotten.NAME} in {where[0]} if they are to be known again"
                )
    return everybody


def _bring_people(folders: Sequence[Path], out: Path, gone: Sequence[Forgotten]) -> None:
    if any((folder / people.NAME).exists() for folder in folders):
        found = [person for folder in folders for person in people.people_of(folder)]
        people.write(forgotten.remaining(gone, found), out / people.NAME)
    forgotten.write(gone, out)


def _bring_files(folders: Sequence[Path], merged: Merged, out: Path) -> None:
    """The account of the suite's run, and the submissions, which `replay` needs."""
    for account in [folder / SUITE for folder in folders if (folder / SUITE).exists()][:1]:
        shutil.copyfile(account, out / SUITE)
    for key, folder, there in merged.origins:
        found, target = folder / SUBMISSIONS / there, out / SUBMISSIONS / key
        if found.is_dir() and not target.exists():
            shutil.copytree(found, target, copy_function=lambda one, other: linked(Path(one), Path(other)))


def _one_of(folders: Sequence[Path], name: str) -> Path | None:
    """The one file of that name there is. Raises UsageError for two: which of them counts is a person's decision."""
    found = [folder / name for folder in folders if (folder / name).exists()]
    if len({path.read_bytes() for path in found}) > 1:
        listed = " and ".join(map(str, found))
        raise UsageError(f"{listed} differ: make them equal, or leave one, and merge again")
    return found[0] if found else None


def _markers_of(folders: Sequence[Path], assignment: Assignment) -> dict[str, marks.Sheet]:
    """The files of single markers, of all folders together."""
    found: dict[str, list[Path]] = {}
    for name, path in (pair for folder in folders for pair in marks.files(folder).items() if pair[0] != marks.FILE):
        found.setdefault(name, []).append(path)
    return {name: marks.united(paths, assignment) for name, paths in found.items()}
