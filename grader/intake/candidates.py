"""One candidate is one submission before it is laid out: where its entries are and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from grader.assignment.assignment import Late
from grader.intake.names import safe_key
from grader.intake.tree import Entry
from grader.model import Person
from grader.text import one_line


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """`label` is the course's id, or the name of the folder or archive; the key is made from it.

    `from_course` says that the label is an id. `unpack` allows archives directly below to be opened (the one level
    that a bulk download adds). `problem` refuses it: what could not even be listed. `archive` is the name of the
    archive that it came in by itself.
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


def with_keys(candidates: list[Candidate]) -> list[tuple[str, Candidate]]:
    """Each candidate with its own key; equal keys get a suffix and a note (letter case does not tell them apart)."""
    keyed: list[tuple[str, Candidate]] = []
    taken: set[str] = set()
    for candidate in candidates:
        wanted = key = safe_key(candidate.label)
        number = 1
        while key.casefold() in taken:
            number += 1
            key = f"{wanted[:70]}-{number}"
        taken.add(key.casefold())
        if number > 1:
            note = f"another submission has the same name; this one is kept apart by the suffix -{number}"
            candidate = replace(candidate, notes=(*candidate.notes, note))
        people = tuple(replace(person, key=key) for person in _owners(candidate, wanted))
        keyed.append((key, replace(candidate, people=people)))
    return keyed


def _owners(candidate: Candidate, wanted: str) -> tuple[Person, ...]:
    """The people; a label that the key does not spell is kept as a name, or nobody could tell whose it is."""
    if candidate.people or candidate.from_course or candidate.label == wanted:
        return candidate.people
    return (Person(key="", name=one_line(candidate.label)),)


def with_lateness(candidate: Candidate, late: Late) -> Candidate:
    """Lateness from the time of submission and the manifest's deadline, where the source did not state it."""
    if candidate.late is not None or candidate.submitted_at is None or late.due is None:
        return candidate
    submitted, due = _moment(candidate.submitted_at), _moment(late.due)
    if submitted is None or due is None:
        return candidate
    return replace(candidate, late=submitted > due + timedelta(hours=late.grace_hours))


def last_on_time(attempts: list[Candidate]) -> Candidate:
    """Of several attempts the last that was on time, else the last; what says nothing about time counts as on time."""

    def order(indexed: tuple[int, Candidate]) -> tuple[bool, float, int]:
        position, attempt = indexed
        moment = _moment(attempt.submitted_at or "")
        return (not attempt.late, moment.timestamp() if moment else 0.0, position)

    return max(enumerate(attempts), key=order)[1]


def _moment(text: str) -> datetime | None:
    """An instant; None for text that is no time or has no offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
