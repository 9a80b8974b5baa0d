"""Candidate → plain files in a folder of their own: the one place of intake that writes what students sent.

Everything is decided on names and sizes first; then each file is created anew (never over another, never through a
link) with mode 0644 in folders of mode 0755, and read against its declared size.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import IO

from grader.assignment.assignment import ExpectedFile
from grader.errors import SubmissionError
from grader.intake.archives import ONE, UNREADABLE, archive_entries
from grader.intake.candidates import Candidate
from grader.intake.expected import ExpectedNames, Match, find_files
from grader.intake.fates import Ledger
from grader.intake.missing import say_what_is_missing
from grader.intake.names import is_archive, is_source, stem, student_ids
from grader.intake.receipt import differing, without_receipt
from grader.intake.selection import (
    TOTAL_BYTES,
    left_out_notes,
    nothing_to_grade,
    quoted,
    rebased,
    refuse_duplicates,
    refuse_problems,
    selected,
)
from grader.intake.sources import Definitions, read_notebook, read_source
from grader.intake.tree import MIB, Entry, handed_in_as
from grader.parsing.notebooks import notebook_of_source


@dataclass(frozen=True, kw_only=True)
class Laid:
    """What was laid out: file id → path, and the digest of all names and contents as they were handed in.

    `prints`: the fingerprints of the student's own code, where somebody has made them already.
    """

    files: dict[str, str]
    digest: str
    prints: Mapping[str, str] = field(default_factory=dict)


def lay_out(candidate: Candidate, expected: ExpectedNames, target: Path, ledger: Ledger) -> Laid:
    """Write the candidate's files below `target` (a new, empty folder) and find the manifest's files among them.

    What is to be said, and what becomes of every entry, goes into `ledger`. Raises SubmissionError, with a sentence
    for the student, if there is nothing that can be graded or something that no honest submission contains.
    """
    with ExitStack() as stack:
        entries, claims = without_receipt(_unpacked(candidate, stack, ledger), ledger)
        ledger.notes += [*candidate.notes, *left_out_notes(entries)]
        ledger.looks += candidate.looks
        entries = [entry for entry in entries if entry.counts or (entry.problem and entry.left_out != "junk")]
        refuse_problems(entries)
        entries = rebased([entry for entry in entries if entry.counts], expected, ledger)
        refuse_duplicates(entries)
        chosen = selected(entries, expected, ledger)
        originals: dict[str, bytes] = {}
        for entry in chosen:
            _write(entry, target / entry.path, target)
        kept = [entry for entry in chosen if _is_readable(entry, target, ledger, originals)]
    paths = [entry.path for entry in kept]
    if not any(is_source(path) or expected.fit(path) for path in paths):
        raise SubmissionError(nothing_to_grade(entries, ledger.notes, expected))
    ages = {entry.path: entry.modified for entry in kept if entry.modified is not None}
    matches = find_files(expected.files, paths, Definitions(target), ages)
    files = {file.id: _placed(file, matches[file.id], target, ledger, originals) for file in expected.files
             if file.id in matches}  # fmt: skip
    for entry in kept:
        named = [file.path for file in expected.files if file.id in matches and matches[file.id].path == entry.path]
        ledger.say(entry, f"as {' and '.join(named)}" if named else "beside the work")
    say_what_is_missing(expected, files, entries, ledger)
    digest = digest_of(target, originals)
    handed_in = {file.path: files[file.id] for file in expected.files if file.id in files} if claims else {}
    beside = {path: path for path in claims if path in paths and (target / path).is_file()}
    contents = {
        name: originals.get(path) or (target / path).read_bytes() for name, path in (beside | handed_in).items()
    }
    ledger.notes += filter(None, [differing(claims, contents)])
    for file in expected.files:
        files.update(_as_notebook(file, files, target, ledger))
    return Laid(files=files, digest=digest)


def digest_of(root: Path, originals: Mapping[str, bytes] | None = None) -> str:
    """SHA-256 over the sorted relative names and contents of all files below `root`.

    `originals`: contents as they were before they were converted, so that a digest says what was handed in.
    """
    whole = sha256()
    for path in sorted(root.rglob("*"), key=lambda path: path.relative_to(root).as_posix()):
        if path.is_file():
            relative = path.relative_to(root).as_posix()
            before = (originals or {}).get(relative)
            name = relative.encode("utf-8")
            content = sha256(path.read_bytes() if before is None else before).digest()
            whole.update(len(name).to_bytes(4, "big") + name + content)
    return whole.hexdigest()


def _unpacked(candidate: Candidate, stack: ExitStack, ledger: Ledger) -> list[Entry]:
    """The candidate's entries, with archives directly below it opened: one at its place, several in own folders.

    An archive that cannot be opened refuses the submission only where nothing else was handed in.
    """
    ledger.see(candidate.entries)
    for entry, why in candidate.passed_over:
        ledger.see_aside(entry, why)
    archives = [entry for entry in candidate.entries if _opens(candidate, entry)]
    loose = [entry for entry in candidate.entries if entry not in archives]
    has_work = len(archives) > 1 or any(is_source(entry.path) and entry.counts for entry in loose)
    opened: list[tuple[Entry, tuple[Entry, ...]]] = []
    for entry in archives:
        try:
            inside = handed_in_as(archive_entries(_spooled(entry, stack), entry.path, ONE, stack), entry.origin)
        except SubmissionError as error:
            if not has_work:
                raise
            ledger.leave(entry, str(error))
            ledger.notes.append(f"{quoted(entry.path)} was left out: {error}")
            ledger.looks.append(f"{quoted(entry.path)} could not be opened: {error}.")
            continue
        ledger.see(inside)
        ledger.say(entry, "it was opened")
        opened.append((entry, inside))
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


def _is_readable(entry: Entry, root: Path, ledger: Ledger, originals: dict[str, bytes]) -> bool:
    """Whether a file can stay: source is brought into the one form that all later stages read, or taken away again."""
    file = root / entry.path
    if not is_source(entry.path):
        return True
    before = file.read_bytes()
    read = read_notebook(before, entry.path) if file.suffix.lower() == ".ipynb" else read_source(before)
    if read.problem:
        ledger.leave(entry, read.problem)
        ledger.notes.append(f"{quoted(entry.path)} was not taken as source: {read.problem}")
        ledger.looks.append(f"{quoted(entry.path)} was not taken: {read.problem}.")
        file.unlink()
        return False
    if read.data != before:
        file.write_bytes(read.data)
        originals[entry.path] = before
    if read.note:
        ledger.notes.append(f"{quoted(entry.path)} {read.note}")
    return True


# --- what it is -----------------------------------------------------------------------------------------------


def _placed(file: ExpectedFile, match: Match, root: Path, ledger: Ledger, originals: dict[str, bytes]) -> str:
    """The path of a file that was found. One whose name carries student ids gets the manifest's name."""
    if match.rivals:
        others = ", ".join(quoted(path) for path in match.rivals[:4])
        ledger.notes.append(f"{file.path}: {quoted(match.path)} counts, not {others}")
        ledger.looks.append(f"{file.path}: {quoted(match.path)} was taken, not {others}.")
    if not match.how:
        return match.path
    goal = root / file.path
    same_kind = match.path.lower().endswith(PurePosixPath(file.path).suffix.lower())
    ided = student_ids(match.path.rsplit("/", 1)[-1])
    if ided and same_kind and not goal.exists() and goal.parent.is_dir():
        (root / match.path).rename(goal)
        if match.path in originals:
            originals[file.path] = originals.pop(match.path)
        ledger.notes.append(f"{file.path} was found {match.how}")
        return file.path
    ledger.notes.append(f"{file.path} was found {match.how}: {quoted(match.path)}")
    return match.path


def _as_notebook(file: ExpectedFile, files: Mapping[str, str], root: Path, ledger: Ledger) -> dict[str, str]:
    """A module in the place of a notebook becomes one, cell by cell, without saved outputs."""
    path = files.get(file.id, "")
    if file.kind != "notebook" or not path.lower().endswith(".py"):
        return {}
    goal = PurePosixPath(path).with_suffix(".ipynb").as_posix()
    if (root / goal).exists():
        goal = PurePosixPath(path).with_name(f"{PurePosixPath(path).stem} as a notebook.ipynb").as_posix()
    (root / goal).write_text(notebook_of_source((root / path).read_text("utf-8")), encoding="utf-8")
    (root / goal).chmod(0o644)
    ledger.notes.append(f"{quoted(path)} was read as a notebook; saved outputs are not in it")
    ledger.looks.append(f"{file.path} was handed in as the Python file {quoted(path)}, without saved outputs.")
    return {file.id: goal}
