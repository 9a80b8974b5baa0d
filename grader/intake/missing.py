"""What is said of files that were asked for and are not there: also where they seem to be there in another form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from grader.assignment.assignment import ExpectedFile
from grader.intake.expected import ExpectedNames
from grader.intake.fates import Ledger
from grader.intake.names import without_copy_mark, without_ids
from grader.intake.selection import asked_for, quoted
from grader.intake.tree import Entry
from grader.wording import listed

_SHOWN = 6


def say_what_is_missing(
    expected: ExpectedNames, files: Mapping[str, str], entries: Sequence[Entry], ledger: Ledger
) -> None:
    """Notes and looks for every required file that was not found, and what there is in its place.

    Where none of the files was found, that is said once.
    """
    missing = [file for file in expected.files if file.required and file.id not in files]
    # Of a file that is there and cannot be read it is said elsewhere why.
    absent = [file for file in missing if not any(_names(entry, file) and ledger.why_left(entry) for entry in entries)]
    if missing and not files:
        names = listed([quoted(entry.path) for entry in entries], _SHOWN)
        ledger.notes.append(f"no file of this assignment was found; handed in: {names}. {asked_for(expected)}")
        ledger.looks.append(f"No file of this assignment was found; handed in: {names}.")
    elif absent:
        ledger.notes.append(f"not handed in: {', '.join(file.path for file in absent)}")
    for file in absent:
        for entry in entries:
            if not ledger.why_left(entry) and _resembles(entry, file):
                ending = PurePosixPath(file.path).suffix
                what = f"{quoted(entry.path)} is there, and does not end in {ending}"
                ledger.notes.append(f"{what}: name it {PurePosixPath(file.path).name} and hand it in again")
                ledger.looks.append(f"{file.path} is missing; {what}.")


def _names(entry: Entry, file: ExpectedFile) -> bool:
    """Whether the entry is that file by its name, whatever folder it lies in."""
    name = PurePosixPath(without_copy_mark(without_ids(entry.path))[0]).name
    return name.casefold() in {PurePosixPath(known).name.casefold() for known in (file.path, *file.other_names)}


def _resembles(entry: Entry, file: ExpectedFile) -> bool:
    """Whether it has the file's name with another ending, or with one more."""
    plain, wanted = PurePosixPath(without_ids(entry.path)), PurePosixPath(file.path)
    first = without_copy_mark(plain.name.split(".", 1)[0] + ".x")[0].removesuffix(".x")
    same = first.casefold() == wanted.name.casefold().split(".", 1)[0]
    return same and plain.suffix.lower() != wanted.suffix.lower()
