"""Candidate → plain files in a folder of their own: the one place of intake that writes what students sent.

Everything is decided on names and sizes first; then each file is created anew (never over another, never through a
link) with mode 0644 in folders of mode 0755, and read against its declared size.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO

from grader.assignment.assignment import ExpectedFile
from grader.errors import SubmissionError
from grader.intake.archives import ONE, UNREADABLE, archive_entries
from grader.intake.candidates import Candidate
from grader.intake.expected import ExpectedNames, Match, find_files
from grader.intake.names import is_archive, is_source, masked, stem, student_ids
from grader.intake.selection import (
    TOTAL_BYTES,
    left_out_notes,
    nothing_to_grade,
    quoted,
    rebased,
    refuse_duplicates,
    refuse_problems,
    selected,
)  # fmt: skip
from grader.intake.sources import Definitions, normalised, notebook_problem, source_problem
from grader.intake.tree import MIB, Entry
from grader.text import one_line


@dataclass(frozen=True, kw_only=True)
class Laid:
    """What was laid out: file id → path, the notes, and the digest of all names and contents."""

    files: dict[str, str]
    notes: tuple[str, ...]
    digest: str


def lay_out(candidate: Candidate, expected: ExpectedNames, target: Path) -> Laid:
    """Write the candidate's files below `target` (a new, empty folder) and find the manifest's files among them.

    Raises SubmissionError, with a sentence for the student, if there is nothing that can be graded or something that
    no honest submission contains.
    """
    with ExitStack() as stack:
        entries = _unpacked(candidate, stack)
        notes = [*candidate.notes, *left_out_notes(entries)]
        entries = [entry for entry in entries if entry.counts or (entry.problem and entry.left_out != "junk")]
        refuse_problems(entries)
        entries = rebased([entry for entry in entries if entry.counts], expected, notes)
        refuse_duplicates(entries)
        chosen = selected(entries, expected, notes)
        for entry in chosen:
            _write(entry, target / entry.path, target)
    paths = _readable([entry.path for entry in chosen], target, notes)
    if not paths or not _has_work(paths, expected):
        raise SubmissionError(nothing_to_grade(entries, notes))
    matches = find_files(expected.files, paths, Definitions(target))
    files = {file.id: _placed(file, matches[file.id], target, notes) for file in expected.files if file.id in matches}
    notes += _missing_notes(expected.files, files)
    shown = tuple(dict.fromkeys(one_line(masked(note, candidate.people), 300) for note in notes))
    return Laid(files=files, notes=shown, digest=digest_of(target))


def digest_of(root: Path) -> str:
    """SHA-256 over the sorted relative names and contents of all files below `root`."""
    whole = sha256()
    for path in sorted(root.rglob("*"), key=lambda path: path.relative_to(root).as_posix()):
        if path.is_file():
            name = path.relative_to(root).as_posix().encode("utf-8")
            content = sha256(path.read_bytes()).digest()
            whole.update(len(name).to_bytes(4, "big") + name + content)
    return whole.hexdigest()


def _unpacked(candidate: Candidate, stack: ExitStack) -> list[Entry]:
    """The candidate's entries, with archives directly below it opened: one at its place, several in own folders."""
    archives = [entry for entry in candidate.entries if _opens(candidate, entry)]
    loose = [entry for entry in candidate.entries if entry not in archives]
    opened = [(entry, archive_entries(_spooled(entry, stack), entry.path, ONE, stack)) for entry in archives]
    taken = {entry.path for entry in loose}
    if len(opened) == 1 and not taken & {entry.path for entry in opened[0][1]}:
        return [*loose, *opened[0][1]]
    return [*loose, *(inner.moved(f"{stem(entry.path)}/{inner.path}") for entry, inside in opened for inner in inside)]


def _opens(candidate: Candidate, entry: Entry) -> bool:
    return candidate.unpack and "/" not in entry.path and is_archive(entry.path) and entry.counts and not entry.problem


def _spooled(entry: Entry, stack: ExitStack) -> IO[bytes]:
    """The archive as a file that can be searched: as it is, or copied where it lies inside another archive."""
    if entry.size > 4 * TOTAL_BYTES:
        raise SubmissionError(
            f"{entry.path} is larger than {4 * TOTAL_BYTES // MIB} MB; hand in the requested files only"
        )
    stream = stack.enter_context(_opened(entry))
    if _on_disk(stream):
        return stream
    copy: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # the stack closes it
    _copy(entry, stream, copy)
    copy.seek(0)
    return copy


def _on_disk(stream: IO[bytes]) -> bool:
    try:
        stream.fileno()
    except OSError:
        return False
    return True


# --- writing --------------------------------------------------------------------------------------------------


def _opened(entry: Entry) -> IO[bytes]:
    try:
        return entry.open()
    except UNREADABLE as error:
        raise SubmissionError(f"{quoted(entry.path)} cannot be read: the file or its archive is damaged") from error


def _copy(entry: Entry, stream: IO[bytes], output: IO[bytes]) -> None:
    left = entry.size
    while True:
        try:
            block = stream.read(min(MIB, left + 1))
        except UNREADABLE as error:
            raise SubmissionError(f"{quoted(entry.path)} cannot be read: the file or its archive is damaged") from error
        if not block:
            return
        left -= len(block)
        if left < 0:
            raise SubmissionError(f"{quoted(entry.path)} holds more than its archive says. Pack the files again")
        output.write(block)


def _write(entry: Entry, path: Path, root: Path) -> None:
    for parent in reversed(path.relative_to(root).parents[:-1]):
        folder = root / parent
        if not folder.is_dir():
            folder.mkdir()
            folder.chmod(0o755)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with _opened(entry) as stream, os.fdopen(os.open(path, flags, 0o644), "wb") as output:
        _copy(entry, stream, output)
    path.chmod(0o644)


def _readable(paths: Sequence[str], root: Path, notes: list[str]) -> list[str]:
    """The paths whose files can stay: source that is no readable text is taken away again."""
    kept = []
    for path in paths:
        problem = _check_source(root / path, path, notes) if is_source(path) else ""
        if problem:
            notes.append(f"{quoted(path)} was not taken as source: {problem}")
            (root / path).unlink()
        else:
            kept.append(path)
    return kept


def _check_source(file: Path, path: str, notes: list[str]) -> str:
    original = file.read_bytes()
    if file.suffix.lower() == ".ipynb":
        return notebook_problem(original)
    data = normalised(original)
    if data != original:
        file.write_bytes(data)
        notes.append(f"{quoted(path)} was converted to UTF-8")
    return source_problem(data)


# --- what it is -----------------------------------------------------------------------------------------------


def _placed(file: ExpectedFile, match: Match, root: Path, notes: list[str]) -> str:
    """The path of a file that was found. One whose name carries student ids gets the manifest's name."""
    if not match.how:
        return match.path
    goal = root / file.path
    if student_ids(match.path.rsplit("/", 1)[-1]) and not goal.exists() and goal.parent.is_dir():
        (root / match.path).rename(goal)
        notes.append(f"{file.path} was found {match.how}")
        return file.path
    notes.append(f"{file.path} was found {match.how}: {quoted(match.path)}")
    return match.path


def _missing_notes(expected: Sequence[ExpectedFile], files: dict[str, str]) -> list[str]:
    missing = [file.path for file in expected if file.required and file.id not in files]
    return [f"not handed in: {', '.join(missing)}"] if missing else []


def _has_work(paths: Sequence[str], expected: ExpectedNames) -> bool:
    return any(is_source(path) or expected.fit(path) for path in paths)
