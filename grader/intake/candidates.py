"""One candidate is one submission before it is laid out: where its entries are and what is known about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from grader.assignment.assignment import Late
from grader.assignment.moments import instant, received, zone_of
from grader.intake.names import private_key, safe_key, student_ids, tells_people
from grader.intake.tree import Entry
from grader.model import Person
from grader.text import one_line


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """`label` is the course's id, or the name of the folder or archive; the key is made from it.

    `from_course` says that the label is an id. `unpack` allows archives directly below to be opened (the one level
    that a bulk download adds). `problem` refuses it: what could not even be listed. `archive` is the name of the
    archive that it came in by itself. `passed_over` are files with why another one counts in their place; `together`
    marks the attempts of the same people, which share a key; `active`: the platform says which of them counts.
    `around` is that archive as an entry.
    """

    label: str
    entries: tuple[Entry, ...] = ()
    from_course: bool = False
    unpack: bool = True
    people: tuple[Person, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""
    archive: str = ""
    submitted_at: str | None = None
    late: bool | None = None
    track: str | None = None
    passed_over: tuple[tuple[Entry, str], ...] = ()
    together: str = ""
    active: bool | None = None
    looks: tuple[str, ...] = ()
    around: Entry | None = None


def with_keys(candidates: list[Candidate], salt: str, known: Sequence[Person] = ()) -> list[tuple[str, Candidate]]:
    """Each candidate with the key of its author; attempts of the same people share one.

    Keys name nobody: they are the course's ids, or plain names of folders; a name that may tell who somebody is gives
    a key that does not (`salt` goes into it). People who are `known` from an earlier run keep the key that they had.
    Equal keys of others get a suffix and a note (letter case does not tell them apart).
    """
    keyed: list[tuple[str, Candidate]] = []
    taken: set[str] = set()
    shared: dict[str, str] = {}
    for candidate in candidates:
        wanted = key = _known_key(candidate, known) or _key(candidate, salt)
        number = 1
        while key.casefold() in taken and candidate.together not in shared:
            number += 1
            key = f"{wanted[:70]}-{number}"
        if candidate.together:
            key = shared.setdefault(candidate.together, key)
        taken.add(key.casefold())
        if number > 1:
            note = f"another submission has the same name; this one is kept apart by the suffix -{number}"
            candidate = replace(candidate, notes=(*candidate.notes, note))
        people = tuple(replace(person, key=key) for person in _owners(candidate, wanted))
        keyed.append((key, replace(candidate, people=people)))
    return keyed


def _key(candidate: Candidate, salt: str) -> str:
    if candidate.from_course or not tells_people(candidate.label):
        return safe_key(candidate.label)
    return private_key(candidate.label, salt, student_ids(candidate.label))


def _known_key(candidate: Candidate, known: Sequence[Person]) -> str:
    """The key under which people are known already: a platform gives each of their attempts another id, and version 0.1
    made other keys of names."""
    if candidate.from_course or student_ids(candidate.label):
        present = _identities(candidate.people)
        keys = {person.key for person in known if _identities([person]) & present}
    else:
        keys = {person.key for person in known if person.name == one_line(candidate.label)}
    return keys.pop() if len(keys) == 1 else ""


def _identities(people: Sequence[Person]) -> set[str]:
    return {value.casefold() for person in people for value in (person.person_id, person.email) if value}


def _owners(candidate: Candidate, wanted: str) -> tuple[Person, ...]:
    """The people; a label that the key does not spell is kept as a name, or nobody could tell whose it is."""
    if candidate.people or candidate.from_course or candidate.label == wanted:
        return candidate.people
    return (Person(key="", name=one_line(candidate.label)),)


def with_lateness(candidate: Candidate, late: Late) -> Candidate:
    """Lateness from the time of submission and the deadline, where the source did not state it."""
    if candidate.late is not None or late.due is None:
        return candidate
    zone = zone_of(late.zone)
    submitted, due = received(candidate.submitted_at, zone), instant(late.due, zone)
    if submitted is None:
        return candidate
    return replace(candidate, late=submitted > due + timedelta(hours=late.grace_hours))


def last_on_time(attempts: list[Candidate]) -> Candidate:
    """Of several attempts the last that was on time, else the last; what says nothing about time counts as on time."""

    return max(enumerate(attempts), key=lambda entry: (not entry[1].late, *_when(*entry)))[1]


def in_time(attempts: Sequence[Candidate]) -> list[Candidate]:
    """Attempts in the order in which they were handed in; without times in their own."""
    return [attempt for _, attempt in sorted(enumerate(attempts), key=lambda entry: _when(*entry))]


def _when(position: int, attempt: Candidate) -> tuple[float, int]:
    """Times without an offset are compared as they are: within one download they are of one clock."""
    try:
        moment = datetime.fromisoformat(attempt.submitted_at or "").timestamp()
    except (ValueError, OverflowError, OSError):
        moment = 0.0
    return moment, position
