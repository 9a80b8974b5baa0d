"""Which of a submission's entries are taken, decided on names and sizes before anything is written."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from grader.errors import SubmissionError
from grader.intake.expected import ExpectedNames
from grader.intake.names import COMPILED_SUFFIXES, WEIGHT_SUFFIXES, is_archive, is_foreign_archive, is_source, junk
from grader.intake.sources import SOURCE_LIMIT
from grader.intake.tree import MIB, Entry
from grader.text import one_line

FILES, FILE_BYTES, TOTAL_BYTES = 2_000, 64 * MIB, 256 * MIB
_NAMED = 4  # how many names a note lists before it only counts


def refuse_problems(entries: Iterable[Entry]) -> None:
    problems = list(dict.fromkeys(entry.problem for entry in entries if entry.problem))
    if problems:
        raise SubmissionError(
            f"the submission contains {'; '.join(problems[:3])}. Pack the requested files into a new, ordinary .zip"
        )


def refuse_duplicates(entries: Sequence[Entry]) -> None:
    counts = Counter(entry.path.casefold() for entry in entries)
    twice = [entry.path for entry in entries if counts[entry.path.casefold()] > 1]
    if twice:
        names = " and ".join(quoted(path) for path in dict.fromkeys(twice[:2]))
        raise SubmissionError(
            f"two files have the same name, or differ in upper and lower case only: {names}. Keep one"
        )
    folders = _folders(entry.path.casefold() for entry in entries)
    clash = next((entry.path for entry in entries if entry.path.casefold() in folders), None)
    if clash:
        raise SubmissionError(f"{quoted(clash)} is both a file and a folder. Pack the files again")


def _folders(paths: Iterable[str]) -> set[str]:
    folders: set[str] = set()
    for path in paths:
        folder = posixpath.dirname(path)
        while folder and folder not in folders:
            folders.add(folder)
            folder = posixpath.dirname(folder)
    return folders


def rebased(entries: list[Entry], expected: ExpectedNames, notes: list[str]) -> list[Entry]:
    """Take away the extra folders around the work, so that imports between the files work as in the template.

    The base is the folder below which most of the manifest's files have their place; a lone folder around
    everything is taken away even if none has.
    """
    base = _base(entries, expected)
    if not base:
        return entries
    prefix = f"{base}/"
    inside = [entry.moved(entry.path[len(prefix) :]) for entry in entries if entry.path.startswith(prefix)]
    taken = {entry.path.casefold() for entry in inside}
    outside = [entry for entry in entries if not entry.path.startswith(prefix) and entry.path.casefold() not in taken]
    notes.append(f"the work lies in the folder {quoted(base)}, which was taken as the top")
    return [*inside, *outside]


def _base(entries: Sequence[Entry], expected: ExpectedNames) -> str:
    votes: Counter[str] = Counter()
    for entry in entries:
        parts = entry.path.split("/")
        for depth in range(min(len(parts), 8)):
            if expected.fit("/".join(parts[depth:])):
                votes["/".join(parts[:depth])] += 1
                break
    if votes:
        return min(votes, key=lambda folder: (-votes[folder], folder.count("/"), folder))
    return posixpath.commonpath([posixpath.dirname(entry.path) for entry in entries]) if entries else ""


def selected(entries: list[Entry], expected: ExpectedNames, notes: list[str]) -> list[Entry]:
    """What is kept: the work whatever it takes (within the caps), other files as far as there is room."""
    entries, refused = _without_unfit(entries, expected)
    notes += refused
    sorted_out: dict[bool, list[Entry]] = {True: [], False: []}
    for entry in entries:
        sorted_out[is_source(entry.path) or expected.fit(entry.path)].append(entry)
    work, others = sorted_out[True], sorted(sorted_out[False], key=lambda entry: (entry.size, entry.path))
    size = sum(entry.size for entry in work)
    if len(work) > FILES or size > TOTAL_BYTES:
        raise SubmissionError(
            f"there are {len(work):,} source files with {size // MIB:,} MB; at most {FILES:,} files and "
            f"{TOTAL_BYTES // MIB} MB are taken. Hand in the requested files only"
        )
    kept = list(work)
    for entry in others:
        size += entry.size
        if len(kept) >= FILES or size > TOTAL_BYTES:
            break
        kept.append(entry)
    dropped = others[len(kept) - len(work) :]
    if dropped:
        notes.append(f"{len(dropped):,} other files were left out because there are too many or they are too large")
    return kept


def _without_unfit(entries: list[Entry], expected: ExpectedNames) -> tuple[list[Entry], list[str]]:
    fit, notes = [], []
    for entry in entries:
        suffix = PurePosixPath(entry.path).suffix.lower()
        if suffix in COMPILED_SUFFIXES:
            notes.append(f"{quoted(entry.path)} was left out: compiled code is not run")
        elif suffix == ".py" and entry.size > SOURCE_LIMIT:
            notes.append(f"{quoted(entry.path)} was left out: a source file of {entry.size / 1e6:.1f} MB is not read")
        elif entry.size > FILE_BYTES:
            notes.append(f"{quoted(entry.path)} was left out: {entry.size // MIB} MB are more than {FILE_BYTES // MIB}")
        elif suffix in WEIGHT_SUFFIXES and not expected.fit(entry.path):
            # Beside the code they would be within its reach while it trains.
            notes.append(f"{quoted(entry.path)} was left out: the assignment asks for no such weights or arrays")
        else:
            fit.append(entry)
    return fit, notes


def left_out_notes(entries: Iterable[Entry]) -> list[str]:
    entries = list(entries)
    stripped = dict.fromkeys(
        junk(entry.path) or entry.path.rsplit("/", 1)[-1] for entry in entries if entry.left_out == "junk"
    )
    notes = [note for note in dict.fromkeys(entry.note for entry in entries) if note]
    for names, words in (
        (list(stripped), "left out as no part of the work"),
        ([entry.path for entry in entries if entry.left_out == "link"], "left out, since links are not followed"),
        (
            [entry.path for entry in entries if entry.left_out == "special"],
            "left out, since these are no ordinary files",
        ),
    ):
        if names:
            more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
            notes.append(f"{words}: {', '.join(quoted(name) for name in names[:_NAMED])}{more}")
    return notes


def nothing_to_grade(entries: Sequence[Entry], notes: Sequence[str]) -> str:
    packed = next((entry.path for entry in entries if is_archive(entry.path)), None)
    foreign = next((entry.path for entry in entries if is_foreign_archive(entry.path)), None)
    if packed:
        return f"the files are packed twice: there is only the archive {quoted(packed)}. Pack the files themselves"
    if foreign:
        return f"{quoted(foreign)} cannot be opened here. Hand in an ordinary .zip file"
    refused = next((note for note in notes if "not taken as source" in note or "was left out" in note), "")
    if refused:
        return f"no Python file or notebook is left to grade: {refused}"
    if not entries:
        return "the submission is empty. Hand in the requested files"
    names = ", ".join(quoted(entry.path) for entry in entries[:_NAMED])
    return f"there is no Python file and no notebook, only {names}. Hand in the requested files"


def quoted(path: str) -> str:
    """A name from a submission as it stands in a message."""
    return f"'{one_line(path, 120)}'"
