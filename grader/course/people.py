"""people.csv: which person stands behind which key. The one file of a run that names anybody.

It is created readable by its owner alone and complete under its name from the first moment: there is no instant at
which another user of the machine, or a crash, could leave more or less than that.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from grader.course import sheets
from grader.errors import UsageError
from grader.model import Person
from grader.text import one_line

NAME = "people.csv"
COLUMNS = ("key", "name", "email", "id")
# What course systems and people write above the columns of a list of people.
PERSON_COLUMNS = {
    "id": "person_id", "sid": "person_id", "student id": "person_id", "person_id": "person_id",
    "sis user id": "person_id", "name": "name", "full name": "name", "student": "name",
    "email": "email", "e-mail": "email", "email address": "email",
}  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(people: Iterable[Person], path: Path) -> None:
    """Write `people`, sorted and without repetitions, to `path` with mode 0600, replacing what is there.

    Cells that a spreadsheet would run as formulas get a leading apostrophe; `read` takes it away again.
    """
    rows = sorted({(person.key, person.name, person.email, person.person_id) for person in people})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_escaped(one_line(cell, 400)) for cell in row] for row in rows)
    sheets.write_private(path, text.getvalue())


def read(path: Path) -> tuple[Person, ...]:
    """The people of a file that `write` made, a person edited, or a spreadsheet saved.

    Raises UsageError, with the line, if it is not one.
    """
    rows = sheets.rows(path, "people", old_windows=True)
    heading = [cell.casefold() for cell in rows[0][1]] if rows else []
    if heading[: len(COLUMNS)] != list(COLUMNS) or any(heading[len(COLUMNS) :]):
        raise UsageError(f"{path}:1: expected the columns {','.join(COLUMNS)}")
    return tuple(_person(path, line, row) for line, row in rows[1:])


def people_of(folder: Path) -> tuple[Person, ...]:
    """people.csv of a results folder; nobody without it."""
    path = folder / NAME
    return read(path) if path.exists() else ()


def comparable(value: str) -> str:
    """An id or address as it is compared: spreadsheets take leading zeros away."""
    return value.casefold().lstrip("0")


def same(one: Person, other: Person) -> bool:
    """Whether they are one person: by id or address where both have one, else by the words of the name."""
    pairs = ((one.person_id, other.person_id), (one.email, other.email))
    if any(a and b for a, b in pairs):
        return any(a and comparable(a) == comparable(b) for a, b in pairs)
    return bool(one.name) and words_of(one.name) == words_of(other.name)


def merged(known: Iterable[Person], found: Iterable[Person]) -> list[Person]:
    """Who is known already, with what was found in the place of empty cells, and who is new.

    What is known may have been corrected by hand, so it stands; a key gets another person only when more were found.
    """
    before, now = _by_key(known), _by_key(found)
    return [
        person
        for key in before | now
        for person in _together(list(dict.fromkeys(before.get(key, ()))), list(dict.fromkeys(now.get(key, ()))))
    ]


def completed(person: Person, other: Person) -> Person:
    """A person with the name, address and id of another entry about them in the place of empty cells."""
    return replace(
        person,
        name=person.name or other.name,
        email=person.email or other.email,
        person_id=person.person_id or other.person_id,
    )


def _together(known: list[Person], found: list[Person]) -> list[Person]:
    filled = [completed(one, next((other for other in found if same(one, other)), one)) for one in known]
    strangers = [person for person in found if not any(same(person, other) for other in known)]
    return filled + strangers if len(found) > len(known) else filled


def _by_key(people: Iterable[Person]) -> dict[str, list[Person]]:
    found: dict[str, list[Person]] = {}
    for person in people:
        found.setdefault(person.key, []).append(person)
    return found


def words_of(name: str) -> tuple[str, ...]:
    """A name as it is compared: its words, in whatever order they are written."""
    return tuple(sorted(re.findall(r"\w+", name.casefold())))


def _person(path: Path, line: int, row: list[str]) -> Person:
    cells = [_plain(cell) for cell in row]
    if not cells[0] or len(cells) < len(COLUMNS) or any(cells[len(COLUMNS) :]):
        raise UsageError(f"{path}:{line}: expected {len(COLUMNS)} cells, the first of them a key; found {len(row)}")
    key, name, email, person_id = cells[: len(COLUMNS)]
    return Person(key=key, name=name, email=email, person_id=person_id)


def _escaped(cell: str) -> str:
    return f"'{cell}" if cell.startswith((*_FORMULA, "'")) else cell


def _plain(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_FORMULA, "'")) else cell
