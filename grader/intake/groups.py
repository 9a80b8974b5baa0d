"""Pairs and groups: who is behind a submission, and which submissions are one.

The groups file is a CSV. Its first column is the group or the submission's key; then either one member per row, in
columns among `id`, `name`, `email` (and `track`), or all members of a group in one row, each given as an id, an
e-mail address or a name. A row is applied to the submission of that key, or to those handed in by its members.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader.assignment.assignment import Track
from grader.course import sheets
from grader.course.people import PERSON_COLUMNS, comparable, same
from grader.errors import UsageError
from grader.intake.candidates import Candidate, in_time, last_on_time
from grader.intake.names import safe_key, stem, student_ids
from grader.model import Person
from grader.text import one_line

_COLUMNS = {**PERSON_COLUMNS, "track": "track"}
_FIRST = frozenset({"group", "submission", "key", "team", "pair"})
_ID = re.compile(r"[\d-]{4,}")


@dataclass(frozen=True, kw_only=True)
class Group:
    """One group: its name (or a submission's key), its members and their track; `line` is where it begins."""

    name: str
    members: tuple[Person, ...]
    track: str | None = None
    line: int = 0


def read_groups(path: Path, tracks: Sequence[Track] = ()) -> tuple[Group, ...]:
    """The groups of a CSV file. Raises UsageError, with the line, for a file that cannot be understood."""
    rows = sheets.rows(path, "groups", old_windows=True)
    if not rows or "".join(rows[0][1][:1]).casefold() not in _FIRST:
        raise UsageError(f"{path}:1: expected a heading that begins with 'group' or 'submission', then member columns")
    known = {track.id for track in tracks}
    gathered: dict[str, Group] = {}
    homes: dict[str, Group] = {}
    for line, row in rows[1:]:
        group = _row(path, line, row, rows[0][1])
        if group.track is not None and group.track not in known:
            raise UsageError(
                f"{path}:{line}: unknown track {group.track!r}; known: {', '.join(sorted(known)) or 'none'}"
            )
        _refuse_second_home(path, group, homes)
        before = gathered.get(group.name, group)
        members = tuple(dict.fromkeys((*before.members, *group.members)))
        gathered[group.name] = replace(before, members=members, track=group.track or before.track)
    return tuple(gathered.values())


def _refuse_second_home(path: Path, group: Group, homes: dict[str, Group]) -> None:
    """Raises UsageError for a member that another group has too: whose work it is would be a matter of chance."""
    for member in group.members:
        for value in (member.person_id, member.email):
            home = homes.setdefault(comparable(value), group) if value else group
            if home.name != group.name:
                raise UsageError(
                    f"{path}:{group.line}: {value} is in the group {group.name!r}, and in line {home.line} in "
                    f"{home.name!r}; a person has one group"
                )


def unmatched(path: Path, groups: Sequence[Group], candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """A sentence for every group that no submission belongs to: of each of its members nothing is there."""
    met = {id(_group_of(candidate, groups)) for candidate in candidates}
    return tuple(
        f"{path.name}, line {group.line}: no submission belongs to the group {one_line(group.name, 60)!r}: nobody of "
        "it handed in, or its ids are written otherwise than the course system writes them"
        for group in groups
        if id(group) not in met
    )


def _row(path: Path, line: int, row: list[str], heading: list[str]) -> Group:
    name, cells = sheets.as_id(row[0]), row[1:]
    if not name:
        raise UsageError(f"{path}:{line}: the first column, the group or submission, is empty")
    columns = [_COLUMNS.get(title.strip().casefold()) for title in heading[1:]]
    named = {column: cell for column, cell in zip(columns, cells, strict=False) if column and cell}
    track = named.pop("track", None)
    if named:
        named = {column: sheets.as_id(cell) if column == "person_id" else cell for column, cell in named.items()}
        return Group(name=name, members=(Person(key="", **named),), track=track, line=line)
    free = [cell for cell, column in zip(cells, [*columns, *[None] * len(cells)], strict=False) if column is None]
    members = tuple(_member(cell) for cell in free if cell)
    if not members and track is None:
        raise UsageError(f"{path}:{line}: the group {name!r} has no members")
    return Group(name=name, members=members, track=track, line=line)


def _member(cell: str) -> Person:
    cell = sheets.as_id(cell)
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
    """The candidates of a group as attempts of all its members; those of nobody's group stay as they are."""
    owners = [_group_of(candidate, groups) for candidate in candidates]
    joined: list[Candidate] = []
    for position, (candidate, group) in enumerate(zip(candidates, owners, strict=True)):
        if group is None:
            joined.append(candidate)
        elif group not in owners[:position]:
            own = [other for other, owner in zip(candidates, owners, strict=True) if owner is group]
            joined += _for_group(own, group)
    return joined


def _group_of(candidate: Candidate, groups: Sequence[Group]) -> Group | None:
    names = {candidate.label, safe_key(candidate.label), stem(candidate.label)}
    by_name = next((group for group in groups if group.name in names), None)
    return by_name or next(
        (group for group in groups if any(same(a, b) for a in group.members for b in candidate.people)), None
    )


def _for_group(attempts: list[Candidate], group: Group) -> list[Candidate]:
    known = [person for attempt in attempts for person in attempt.people]
    members = [
        next((_joined(person, member) for person in known if same(person, member)), member) for member in group.members
    ]
    others = [person for person in known if not any(same(person, member) for member in group.members)]
    people = tuple(dict.fromkeys((*members, *others)))
    return [
        replace(attempt, people=people, track=group.track or attempt.track)
        for attempt in _together(attempts, f"group {group.name}")
    ]


def _joined(known: Person, member: Person) -> Person:
    return Person(
        key="",
        name=known.name or member.name,
        email=known.email or member.email,
        person_id=known.person_id or member.person_id,
    )


def same_people_together(candidates: list[Candidate]) -> list[Candidate]:
    """Several submissions of the same people as their attempts, in the place of the first."""
    merged: dict[object, list[Candidate]] = {}
    for position, candidate in enumerate(candidates):
        people = frozenset(person.person_id or person.email for person in candidate.people)
        apart = not people or "" in people or not (candidate.from_course or student_ids(candidate.label))
        merged.setdefault(position if apart else people, []).append(candidate)
    return [attempt for number, own in enumerate(merged.values()) for attempt in _together(own, f"people {number}")]


def _together(attempts: list[Candidate], mark: str) -> list[Candidate]:
    """Attempts in the order of time under the label of the one that counts by the usual rule."""
    if len(attempts) == 1:
        return attempts
    label = last_on_time(attempts).label
    look: tuple[str, ...] = ()
    if any(attempt.submitted_at is None for attempt in attempts):
        look = (f"There are {len(attempts)} submissions of the same people and their times are not known.",)
    return [
        replace(attempt, label=label, together=mark, looks=(*attempt.looks, *look)) for attempt in in_time(attempts)
    ]
