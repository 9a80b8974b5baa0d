"""Folders, archives and bulk downloads → `Submission` or `Refused`, one for each student or group.

    path ─list─▶ entries ─classify─▶ candidates ─groups─▶ one per student or group ─lay out─▶ workspace/<key>/

Nothing of a submission is executed here, and nothing is written outside the workspace. A submission is complete in a
temporary folder before it appears under its key, and what is wrong with one costs the others nothing.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.errors import SubmissionError, UsageError
from grader.intake.archives import BULK, archive_entries
from grader.intake.candidates import Candidate, with_keys, with_lateness
from grader.intake.classify import split
from grader.intake.expected import ExpectedNames
from grader.intake.groups import as_groups, read_groups, same_people_once, with_named_ids
from grader.intake.layout import lay_out
from grader.intake.names import is_archive, masked, stem
from grader.intake.tree import Entry, file_entry, folder_entries
from grader.model import Refused, Submission
from grader.text import one_line

__all__ = ["take"]


def take(
    paths: Sequence[Path],
    assignment: Assignment,
    workspace: Path,
    *,
    groups: Path | None = None,
    single: bool = False,
) -> list[Submission | Refused]:
    """Take in every submission at `paths` and lay its files out in `workspace/<key>/`.

    `groups` is a CSV of groups (see `groups.py`). With `single` each path is one submission, whatever it looks like:
    for a student's own folder and for Gradescope. An earlier folder of the same key is replaced. Raises UsageError
    for a path that does not exist or a groups file that cannot be read.
    """
    known_groups = () if groups is None else read_groups(groups, assignment.tracks)
    _must_exist(paths)
    workspace.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        staging = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".taking-", dir=workspace)))
        found = [candidate for path in paths for candidate in _listed(path, assignment, workspace, single, stack)]
        found = [with_lateness(with_named_ids(candidate), assignment.late) for candidate in found]
        found = as_groups(same_people_once(found), known_groups)
        return [
            _taken(key, candidate, assignment, workspace, staging / str(number))
            for number, (key, candidate) in enumerate(with_keys(found))
        ]


def _must_exist(paths: Sequence[Path]) -> None:
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise UsageError(f"there is nothing at {', '.join(missing)}; give a folder, a .zip, a notebook or a .py file")


def _listed(path: Path, assignment: Assignment, workspace: Path, single: bool, stack: ExitStack) -> list[Candidate]:
    """The candidates at one path; a path that cannot be listed is one candidate with that problem."""
    label = _label(path)
    try:
        if path.is_dir():
            entries = folder_entries(path.resolve(), workspace)
            return _one_or_many(entries, label, assignment, single, nested=False)
        if is_archive(path.name):
            file = stack.enter_context(path.open("rb"))
            entries = archive_entries(file, path.name, BULK, stack)
            found = _one_or_many(entries, label, assignment, single, nested=True)
            return [replace(found[0], archive=path.name)] if len(found) == 1 else found
        return [Candidate(label=label, entries=(file_entry(path.resolve(), path.name),), unpack=False)]
    except SubmissionError as error:
        return [Candidate(label=label, problem=str(error))]
    except OSError as error:
        return [Candidate(label=label, problem=f"it cannot be read: {error.strerror or error}")]


def _one_or_many(
    entries: tuple[Entry, ...], label: str, assignment: Assignment, single: bool, *, nested: bool
) -> list[Candidate]:
    if single:
        return [Candidate(label=label, entries=entries, unpack=not nested)]
    return split(entries, label, ExpectedNames(assignment.files), nested=nested)


def _label(path: Path) -> str:
    name = path.absolute().name  # the name that was given, also of a link; "." and ".." have none of their own
    name = path.resolve().name if name in ("", ".", "..") else name
    return name if path.is_dir() else stem(name)


def _taken(
    key: str, candidate: Candidate, assignment: Assignment, workspace: Path, staged: Path
) -> Submission | Refused:
    try:
        if candidate.problem:
            raise SubmissionError(candidate.problem)
        staged.mkdir()
        staged.chmod(0o755)
        laid = lay_out(candidate, ExpectedNames(assignment.files), staged)
    except SubmissionError as error:
        reason = one_line(masked(str(error), candidate.people), 500)
        return Refused(key=key, reason=reason, people=candidate.people, submitted_at=candidate.submitted_at)
    return Submission(
        key=key,
        root=_published(staged, workspace / key),
        digest=laid.digest,
        files=laid.files,
        notes=laid.notes,
        people=candidate.people,
        submitted_at=candidate.submitted_at,
        late=candidate.late,
        track=candidate.track,
        archive=candidate.archive,
    )


def _published(staged: Path, target: Path) -> Path:
    """Give the finished folder its name; an older one of that name goes first, and only then."""
    if target.is_symlink() or target.is_file():
        target.unlink()
    elif target.exists():
        replaced = staged.with_name(f"{staged.name}-replaced")
        target.rename(replaced)
        shutil.rmtree(replaced)
    staged.rename(target)
    return target
