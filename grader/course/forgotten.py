"""`forgotten.json`: who was forgotten in a results folder, so that nobody comes back unnoticed with the same download.

Nothing in it names anybody. Keys, ids and addresses stand there as salted digests that are slow to make: they can be
recognised when they are seen again, and not be read. Who guesses a name can see that the guess is right, so the file is
its owner's alone. While a person is being forgotten, it also says how far that was, for the command that goes on.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from grader.course import sheets
from grader.course.people import comparable
from grader.errors import GraderError, UsageError
from grader.model import Person

NAME = "forgotten.json"
FORMAT = "grader-forgotten"
ROUNDS = 10_000


@dataclass(frozen=True)
class Begun:
    """What a command that was stopped must still say: the submission's tag in the log, which had so many lines."""

    tag: str
    lines: int


@dataclass(frozen=True, kw_only=True)
class Forgotten:
    """A submission with its people, or (`key` "") people alone, by digests; `begun` until nothing of them is left."""

    salt: str
    key: str = ""
    people: tuple[str, ...] = ()
    begun: Begun | None = None

    def is_called(self, name: str) -> bool:
        """Whether a key, id or address is one of these."""
        return bool({self.key, *self.people} & {_digest(name, self.salt), _digest(comparable(name), self.salt)})


def entry_of(key: str, people: Iterable[Person], salt: str, begun: Begun) -> Forgotten:
    """The entry of a submission (`key` "": of people alone)."""
    marks = sorted({_digest(mark, salt) for person in people for mark in _marks(person)})
    return Forgotten(salt=salt, key=_digest(key, salt) if key else "", people=tuple(marks), begun=begun)


def read(folder: Path) -> tuple[Forgotten, ...]:
    """Who was forgotten in a results folder. Raises UsageError for a file that is none of ours."""
    path = folder / NAME
    if not path.exists():
        return ()
    try:
        data = json.loads(path.read_text("utf-8"))
        if (data["format"], data["version"]) != (FORMAT, 1):
            raise ValueError("another format")
        return tuple(_parsed(entry) for entry in data["forgotten"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise UsageError(
            f"{path}: this is not the grader's list of who was forgotten; restore it from a copy"
        ) from None


def write(entries: Iterable[Forgotten], folder: Path) -> None:
    """Replace the list, each entry once; without an entry there is no file. Raises GraderError."""
    whole = [asdict(entry) for entry in dict.fromkeys(entries)]
    try:
        if whole:
            text = json.dumps({"format": FORMAT, "version": 1, "forgotten": whole}, indent=1) + "\n"
            sheets.write_private(folder / NAME, text)
        else:
            (folder / NAME).unlink(missing_ok=True)
    except OSError as error:
        raise GraderError(f"{folder / NAME} cannot be written: {error.strerror}; make room, and say it again") from None


def salt_of(entries: Sequence[Forgotten]) -> str:
    """One salt for a folder, so that each name is digested once."""
    return entries[0].salt if entries else secrets.token_hex(16)


def recognised(entries: Sequence[Forgotten]) -> Callable[[str, Sequence[Person]], bool]:
    """Whether a submission, with its people, is of somebody who was forgotten: by its key, or by all its people."""

    def is_forgotten(key: str, people: Sequence[Person]) -> bool:
        if any(entry.key == _digest(key, entry.salt) for entry in entries):
            return True
        return bool(people) and not remaining(entries, people)

    return is_forgotten


def remaining(entries: Sequence[Forgotten], people: Iterable[Person]) -> list[Person]:
    """Those of these people who were not forgotten."""
    return [
        person
        for person in people
        if not any(_digest(mark, entry.salt) in entry.people for entry in entries for mark in _marks(person))
    ]


def without(entries: Iterable[Forgotten], names: Iterable[str]) -> tuple[Forgotten, ...]:
    """The list without those who are called by one of these keys, ids or addresses."""
    called = list(names)
    return tuple(entry for entry in entries if not any(entry.is_called(name) for name in called))


def finished(entries: Iterable[Forgotten], entry: Forgotten) -> tuple[Forgotten, ...]:
    """The list once nothing of this one is left."""
    return tuple(replace(other, begun=None) if other == entry else other for other in entries)


def _marks(person: Person) -> list[str]:
    return [comparable(mark) for mark in (person.person_id, person.email) if mark]


def _parsed(entry: Mapping[str, object]) -> Forgotten:
    begun = entry["begun"]
    return Forgotten(
        salt=str(entry["salt"]),
        key=str(entry["key"]),
        people=tuple(map(str, entry["people"])) if isinstance(entry["people"], list) else (),
        begun=Begun(str(begun["tag"]), int(begun["lines"])) if isinstance(begun, dict) else None,
    )


@cache
def _digest(name: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", name.casefold().encode("utf-8", "replace"), salt.encode(), ROUNDS).hex()[:32]
