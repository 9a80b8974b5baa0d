"""Which of a submission's entries are taken, decided on names and sizes before anything is written."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from grader.errors import SubmissionError
from grader.intake.archives import UNREADABLE
from grader.intake.expected import ExpectedNames
from grader.intake.fates import Ledger
from grader.intake.names import (
    COMPILED_SUFFIXES,
    WEIGHT_SUFFIXES,
    is_archive,
    is_foreign_archive,
    is_source,
    junk,
    version,
)
from grader.intake.sources import SOURCE_LIMIT
from grader.intake.tree import LEFT_OUT, MIB, Entry
from grader.text import one_line
from grader.wording import listed

FILES, FILE_BYTES, TOTAL_BYTES = 2_000, 64 * MIB, 256 * MIB
_NAMED = 4  # how many names a note lists before it only counts
_SAME_AGE = 60.0  # seconds: copying and unpacking shift times by less


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


def rebased(entries: list[Entry], expected: ExpectedNames, ledger: Ledger) -> list[Entry]:
    """Take away the extra folders around the work, so that imports between the files work as in the template.

    The base is the folder below which most of the manifest's files have their place; a lone folder around
    everything is taken away even if none has.
    """
    base, others = _base(entries, expected)
    if others:
        named = ", ".join(quoted(other or "the top folder") for other in others)
        chosen = quoted(base or "the top folder")
        ledger.notes.append(f"there is more than one version of the work; the one in {chosen} counts, not {named}")
        ledger.looks.append(f"There is more than one version of the work: {chosen} was taken, not {named}.")
    if not base:
        return entries
    prefix = f"{base}/"
    inside = [entry.moved(entry.path[len(prefix) :]) for entry in entries if entry.path.startswith(prefix)]
    taken = {entry.path.casefold() for entry in inside}
    outside = []
    for entry in entries:
        if entry.path.startswith(prefix):
            continue
        if entry.path.casefold() in taken:
            ledger.leave(entry, f"the file of that name in {quoted(base)} counts")
        else:
            outside.append(entry)
    ledger.notes.append(f"the work lies in the folder {quoted(base)}, which was taken as the top")
    return [*inside, *outside]


def _base(entries: Sequence[Entry], expected: ExpectedNames) -> tuple[str, tuple[str, ...]]:
    """The folder of the work, and other folders that hold a version of the same files."""
    places: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        parts = entry.path.split("/")
        for depth in range(min(len(parts), 8)):
            rest = "/".join(parts[depth:])
            if expected.fit(rest):
                places.setdefault("/".join(parts[:depth]), {})[rest.casefold()] = entry
                break
    if not places:
        return posixpath.commonpath([posixpath.dirname(entry.path) for entry in entries]) if entries else "", ()
    most = max(len(files) for files in places.values())
    rivals = [folder for folder, files in places.items() if len(files) == most]
    base = min(rivals, key=lambda folder: (folder.count("/"), folder))
    for folder in sorted(rivals):
        if _is_better(places[folder], folder, places[base], base):
            base = folder
    same = (folder for folder in sorted(places) if folder != base and 2 * len(_shared(places, folder, base)) >= most)
    return base, tuple(same)


def _shared(places: Mapping[str, Mapping[str, Entry]], folder: str, base: str) -> set[str]:
    return set(places[folder]) & set(places[base])


def _is_better(files: Mapping[str, Entry], folder: str, best: Mapping[str, Entry], base: str) -> bool:
    """Of two versions with equally many files: with fewer holes, then newer, then by what the folder is called."""
    holes, fewest = _holes(files.values()), _holes(best.values())
    if holes != fewest:
        return holes < fewest
    age, newest = _age(files.values()), _age(best.values())
    if abs(age - newest) > _SAME_AGE:
        return age > newest
    return version(folder) > version(base)


def _holes(entries: Iterable[Entry]) -> int:
    """How much of the template is not filled in, as far as its own words tell."""
    found = 0
    for entry in entries:
        if is_source(entry.path) and entry.size <= SOURCE_LIMIT:
            try:
                with entry.open() as stream:
                    found += stream.read(SOURCE_LIMIT).count(b"NotImplementedError")
            except UNREADABLE:
                found += 1
    return found


def _age(entries: Iterable[Entry]) -> float:
    return max((entry.modified for entry in entries if entry.modified is not None), default=0.0)


def selected(entries: list[Entry], expected: ExpectedNames, ledger: Ledger) -> list[Entry]:
    """What is kept: the work whatever it takes (within the caps), other files as far as there is room."""
    entries = [entry for entry in entries if not _left_as_unfit(entry, expected, ledger)]
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
    for entry in dropped:
        ledger.leave(entry, "there are too many other files, or they are too large")
    if dropped:
        ledger.notes.append(
            f"{len(dropped):,} other files were left out because there are too many or they are too large"
        )
    return kept


def _left_as_unfit(entry: Entry, expected: ExpectedNames, ledger: Ledger) -> bool:
    suffix = PurePosixPath(entry.path).suffix.lower()
    why = ""
    if suffix in COMPILED_SUFFIXES:
        why = "compiled code is not run"
    elif suffix == ".py" and entry.size > SOURCE_LIMIT:
        why = f"a source file of {entry.size / 1e6:.1f} MB is not read"
    elif entry.size > FILE_BYTES:
        why = f"{entry.size // MIB} MB are more than {FILE_BYTES // MIB}"
    elif suffix in WEIGHT_SUFFIXES and not expected.fit(entry.path):
        # Beside the code they would be within its reach while it trains.
        why = "the assignment asks for no such weights or arrays"
    if why:
        ledger.leave(entry, why)
        ledger.notes.append(f"{quoted(entry.path)} was left out: {why}")
    return bool(why)


def left_out_notes(entries: Iterable[Entry]) -> list[str]:
    entries = list(entries)
    named = {
        kind: list(dict.fromkeys(_shown(entry) for entry in entries if entry.left_out == kind)) for kind in LEFT_OUT
    }
    notes = [note for note in dict.fromkeys(entry.note for entry in entries) if note]
    for kind, words in (
        ("junk", "left out as no part of the work"),
        ("link", "left out, since links are not followed"),
        ("special", "left out, since these are no ordinary files"),
        ("odd", "left out, since such a name cannot be kept"),
    ):
        if names := named[kind]:
            notes.append(f"{words}: {listed([quoted(name) for name in names], _NAMED)}")
    return notes


def _shown(entry: Entry) -> str:
    path = entry.path.removesuffix("/.")
    return (junk(path) or path.rsplit("/", 1)[-1]) if entry.left_out == "junk" else path


def nothing_to_grade(entries: Sequence[Entry], notes: Sequence[str], expected: ExpectedNames) -> str:
    packed = next((entry.path for entry in entries if is_archive(entry.path)), None)
    foreign = next((entry.path for entry in entries if is_foreign_archive(entry.path)), None)
    if packed:
        return f"the files are packed twice: there is only the archive {quoted(packed)}. Pack the files themselves"
    if foreign:
        return f"{quoted(foreign)} cannot be opened here. Hand in an ordinary .zip file"
    refused = next((note for note in notes if "not taken as source" in note or "was left out" in note), "")
    if refused:
        return f"no Python file or notebook is left to grade: {refused}"
    wanted = asked_for(expected)
    if not entries:
        return f"the submission is empty. {wanted}"
    names = listed([quoted(entry.path) for entry in entries], _NAMED)
    return f"there is no Python file and no notebook, only {names}. {wanted}"


def asked_for(expected: ExpectedNames) -> str:
    """What was to be handed in, in one sentence."""
    files = [file.path for file in expected.files if file.required] or [file.path for file in expected.files]
    if len(files) == 1:
        return f"Hand in {files[0]}"
    none = f"None of the {len(files)} files was found here" if files else "Hand in the requested files"
    return f"{none}; expected: {listed(files, 2 * _NAMED)}" if files else none


def quoted(path: str) -> str:
    """A name from a submission as it stands in a message."""
    return f"'{one_line(path, 120)}'"
