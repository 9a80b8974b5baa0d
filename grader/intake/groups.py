"""Pairs and groups: who is behind a submission, and which submissions are one.

The groups file is a CSV. Its first column is the group or the submission's key; then either one member per row, in
columns among `id`, `name`, `email` (and `track`), or all members of a group in one row, each given as an id, an
e-mail address or a name. A row is applied to the submission of that key, or to those handed in by its members.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader.assignment.assignment import Track
from grader.errors import UsageError
from grader.intake.candidates import Candidate, last_on_time
from grader.intake.names import safe_key, stem, student_ids
from grader.model import Person

_COLUMNS = {
    "id": "person_id", "sid": "person_id", "student id": "person_id", "person_id": "person_id",
    "name": "name", "full name": "name", "email": "email", "e-mail": "email", "email address": "email",
    "track": "track",
}  # fmt: skip
_FIRST = frozenset({"group", "submission", "key", "team", "pair"})
_ID = re.compile(r"[\d-]{4,}")


@dataclass(frozen=True, kw_only=True)
class Group:
    """One group: its name (or a submission's key), its members and their track."""

    name: str
    members: tuple[Person, ...]
    track: str | None = None


def read_groups(path: Path, tracks: Sequence[Track] = ()) -> tuple[Group, ...]:
    """The groups of a CSV file. Raises UsageError, with the line, for a file that cannot be understood."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the groups file {path} cannot be read: {error}. It must be a CSV in UTF-8") from error
    delimiter = ";" if text.split("\n", 1)[0].count(";") > text.split("\n", 1)[0].count(",") else ","
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise UsageError(f"the groups file {path} is no CSV: {error}") from error
    if not rows or "".join(rows[0][1][:1]).strip().casefold() not in _FIRST:
        raise UsageError(f"{path}:1: expected a heading that begins with 'group' or 'submission', then member columns")
    known = {track.id for track in tracks}
    gathered: dict[str, Group] = {}
    for line, row in rows[1:]:
        if any(cell.strip() for cell in row):
            group = _row(path, line, row, rows[0][1])
            if group.track is not None and group.track not in known:
                raise UsageError(
                    f"{path}:{line}: unknown track {group.track!r}; known: {', '.join(sorted(known)) or 'none'}"
                )
            before = gathered.get(group.name, group)
            members = tuple(dict.fromkeys((*before.members, *group.members)))
            gathered[group.name] = replace(group, members=members, track=group.track or before.track)
    return tuple(gathered.values())


def _row(path: Path, line: int, row: list[str], heading: list[str]) -> Group:
    name, cells = row[0].strip(), [cell.strip() for cell in row[1:]]
    if not name:
        raise UsageError(f"{path}:{line}: the first column, the group or submission, is empty")
    columns = [_COLUMNS.get(title.strip().casefold()) for title in heading[1:]]
    named = {column: cell for column, cell in zip(columns, cells, strict=False) if column and cell}
    track = named.pop("track", None)
    if named:
        return Group(name=name, members=(Person(key="", **named),), track=track)
    free = [cell for cell, column in zip(cells, [*columns, *[None] * len(cells)], strict=False) if column is None]
    members = tuple(_member(cell) for cell in free if cell)
    if not members and track is None:
        raise UsageError(f"{path}:{line}: the group {name!r} has no members")
    return Group(name=name, members=members, track=track)


def _member(cell: str) -> Person:
    if "@" in cell:
        return Person(key="", email=cell)
    return Person(key="", person_id=cell) if _ID.fullmatch(cell) else Person(key="", name=cell)


def with_named_ids(candidate: Candidate) -> Candidate:
    """The people whose ids stand in the name of the submission or of a file directly in it."""
    names = [] if candidate.from_course else [candidate.label]
    names += [entry.path for entry in candidate.entries if "/" not in entry.path and entry.counts]
    ids = dict.fromkeys(number for name in names for number in student_ids(name))
    known = {person.person_id for person in candidate.people}
    added = tuple(Person(key="", person_id=number) for number in ids if number not in known)
    return replace(candidate, people=(*candidate.people, *added))


def as_groups(candidates: list[Candidate], groups: Sequence[Group]) -> list[Candidate]:
    """One candidate per group, with all its members; candidates of nobody's group stay as they are."""
    owners = [_group_of(candidate, groups) for candidate in candidates]
    merged: list[Candidate] = []
    for position, (candidate, group) in enumerate(zip(candidates, owners, strict=True)):
        if group is None:
            merged.append(candidate)
        elif owners.index(group) == position:
            attempts = [other for other, owner in zip(candidates, owners, strict=True) if owner is group]
            merged.append(_for_group(attempts, group))
    return merged


def _group_of(candidate: Candidate, groups: Sequence[Group]) -> Group | None:
    names = {candidate.label, safe_key(candidate.label), stem(candidate.label)}
    by_name = next((group for group in groups if group.name in names), None)
    return by_name or next(
        (group for group in groups if any(_same(a, b) for a in group.members for b in candidate.people)), None
    )


def _same(one: Person, other: Person) -> bool:
    pairs = ((one.person_id, other.person_id), (one.email, other.email))
    if any(a and b for a, b in pairs):
        return any(a and a.casefold() == b.casefold() for a, b in pairs)
    return bool(one.name) and _words(one.name) == _words(other.name)


def _words(name: str) -> list[str]:
    return sorted(re.findall(r"\w+", name.casefold()))


def _for_group(attempts: list[Candidate], group: Group) -> Candidate:
    chosen = last_on_time(attempts)
    known = [person for attempt in attempts for person in attempt.people]
    members = [
        next((_joined(person, member) for person in known if _same(person, member)), member) for member in group.members
    ]
    others = [person for person in known if not any(_same(person, member) for member in group.members)]
    note = _choice_note(attempts, chosen)
    return replace(
        chosen,
        people=tuple(dict.fromkeys((*members, *others))),
        track=group.track or chosen.track,
        notes=(*chosen.notes, *note),
    )


def _joined(known: Person, member: Person) -> Person:
    return Person(
        key="",
        name=known.name or member.name,
        email=known.email or member.email,
        person_id=known.person_id or member.person_id,
    )


def same_people_once(candidates: list[Candidate]) -> list[Candidate]:
    """Of several attempts by the same people, with known times, the last on time (else the last)."""
    merged: dict[object, list[Candidate]] = {}
    for position, candidate in enumerate(candidates):
        people = frozenset(person.person_id or person.email for person in candidate.people)
        apart = not candidate.from_course or candidate.submitted_at is None or not people or "" in people
        merged.setdefault(position if apart else people, []).append(candidate)
    return [_latest(attempts) for attempts in merged.values()]


def _latest(attempts: list[Candidate]) -> Candidate:
    chosen = last_on_time(attempts)
    return replace(chosen, notes=(*chosen.notes, *_choice_note(attempts, chosen)))


def _choice_note(attempts: list[Candidate], chosen: Candidate) -> tuple[str, ...]:
    if len(attempts) == 1:
        return ()
    if any(attempt.submitted_at is None for attempt in attempts):
        return (f"there are {len(attempts)} submissions of this group and their times are not known; one was taken",)
    which = "the last one" if chosen.late else "the last one on time"
    return (f"there are {len(attempts)} submissions of the same people; {which} counts ({chosen.submitted_at})",)
