"""What a course says of one assignment, by submission: extensions, late days that are left, and who is missing."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.assignment.assignment import Milestone
from grader.assignment.moments import days_later, instant, zone_of
from grader.course import people
from grader.course.people import comparable, same, words_of
from grader.course.plan import COURSE, Category, Course, Deadline, Extension
from grader.errors import UsageError
from grader.model import Person

SUMMARY = "summary.csv"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What holds for one submission beside the assignment's deadline.

    `due` is an extension's (ISO 8601 in UTC), `reason` why, for staff; `days` late days may be used here, of `left` in
    the category; `reached` are the milestones of any of its attempts.
    """

    due: str = ""
    reason: str = ""
    days: int = 0
    left: int = 0
    reached: tuple[Milestone, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Granted:
    """The terms of every submission that has some, and (key or "", sentence) of what a person should look at."""

    terms: Mapping[str, Terms] = field(default_factory=dict)
    notices: tuple[tuple[str, str], ...] = ()


def granted(course: Course, slug: str, known: Sequence[Person], owners: Iterable[str]) -> Granted:
    """What the course grants to the submissions of these owners; `known` says who they are."""
    keys = list(dict.fromkeys(owners))
    behind: dict[str, list[Person]] = {key: [] for key in keys}
    for person in completed(known, course.roster, keys):
        behind.setdefault(person.key, []).append(person)
    notices = _not_on_the_roster(course, behind, keys)
    deadline = course.says.assignments.get(slug)
    if deadline is None:
        has = ", ".join(course.says.assignments) or "none"
        return Granted(notices=(*notices, ("", f"{course.path.name} has no deadline for {slug}; it has {has}.")))
    category = course.says.categories.get(deadline.category)
    used: Mapping[str, int] = Counter()
    if category is not None:
        used, unknown = _used_before(course, slug, deadline)
        notices += unknown
    extensions = [extension for extension in course.extensions if extension.assignment == slug]
    by_name = {comparable(extension.who): extension for extension in extensions}
    terms = {}
    for key in keys:
        persons = behind[key]
        names = set().union(*map(_names, persons))
        own = [entry for name, entry in by_name.items() if name in names]
        _one_each(course, persons, by_name)
        due = max((_moved(entry, deadline) for entry in own), default="")
        days, left = _days(category, deadline, persons, used)
        terms[key] = Terms(
            due=due, reason="; ".join(entry.reason for entry in own if entry.reason), days=days, left=left
        )
    if not course.roster:
        called = owners_called(known, keys)
        notices += tuple(
            (
                "",
                f"{course.says.extensions}, line {entry.line}: no submission is of {entry.who!r}, to whom it is given.",
            )
            for entry in extensions
            if not called(entry.who)
        )
    return Granted(terms=terms, notices=notices)


def owners_called(known: Sequence[Person], owners: Iterable[str]) -> Callable[[str], list[str]]:
    """Whose submissions a key, an id or an address means, as keys."""
    keys: dict[str, dict[str, None]] = {}
    for person in [*known, *(Person(key=owner) for owner in owners)]:
        for name in _names(person):
            keys.setdefault(name, {})[person.key] = None
    return lambda who: list(keys.get(comparable(who), ()))


def on_roster(roster: Sequence[Person]) -> Callable[[Person], Person | None]:
    """Who somebody is on the roster: by id or address, else a submission's key, or a name that nothing contradicts."""
    by_mark = {name: entry for entry in roster for name in _names(entry)}
    count = Counter(words_of(entry.name) for entry in roster)
    by_name = {words: entry for entry in roster if count[words := words_of(entry.name)] == 1 and words}

    def find(person: Person) -> Person | None:
        marks = [name for name in (person.person_id, person.email) if name] or [person.key]
        found = next((entry for mark in marks if (entry := by_mark.get(comparable(mark)))), None)
        named = by_name.get(words_of(person.name))
        return found or (named if named is not None and same(named, person) else None)

    return find


def completed(known: Sequence[Person], roster: Sequence[Person], owners: Iterable[str] = ()) -> tuple[Person, ...]:
    """These people, and owners of whom nothing is known, with the id, address and name that the roster has of them."""
    find, there = on_roster(roster), {person.key for person in known}
    nameless = [Person(key=owner) for owner in owners if owner not in there]
    return tuple(people.completed(person, find(person) or person) for person in (*known, *nameless))


def course_beside(suite: Path) -> Path | None:
    """course.yaml beside the folder of a suite, or beside `test_suites` itself."""
    return next((path for folder in suite.parents[:2] if (path := folder / COURSE).is_file()), None)


def _one_each(course: Course, persons: Sequence[Person], by_name: Mapping[str, Extension]) -> None:
    """Raises UsageError for somebody who has two extensions, by id and by address."""
    for person in persons:
        names = _names(person if len(persons) == 1 else replace(person, key=""))
        if len(twice := sorted({entry.line for name, entry in by_name.items() if name in names})) > 1:
            raise UsageError(
                f"{course.beside(course.says.extensions)}:{twice[1]}: {person.key} has an extension in line {twice[0]} "
                "already; keep one of them"
            )


def _moved(extension: Extension, deadline: Deadline) -> str:
    """The extended deadline in UTC."""
    if extension.due:
        return extension.due
    zone = zone_of(deadline.zone)
    assert deadline.due is not None
    return days_later(instant(deadline.due, zone), extension.days, zone).isoformat()


def _not_on_the_roster(
    course: Course, behind: Mapping[str, Sequence[Person]], keys: Sequence[str]
) -> tuple[tuple[str, str], ...]:
    if not course.roster:
        return ()
    find = on_roster(course.roster)
    strange = {key: sum(find(person) is None for person in behind[key]) for key in keys}
    return tuple(
        (
            key,
            f"{count} of {len(behind[key])} behind {key} not on the roster ({course.says.roster}); see {people.NAME}.",
        )
        for key, count in strange.items()
        if count
    )


def _days(
    category: Category | None, deadline: Deadline, persons: Sequence[Person], used: Mapping[str, int]
) -> tuple[int, int]:
    """How many late days these people may use here, and how many are left: a group has those of its poorest member."""
    if category is None:
        return 0, 0
    spent = max(max((used.get(name, 0) for name in _names(person)), default=0) for person in persons)
    left = max(0, category.late_days - spent)
    limits = [limit for limit in (category.at_most, deadline.late_days) if limit is not None]
    return min([left, *limits]), left


def _used_before(
    course: Course, slug: str, deadline: Deadline
) -> tuple[Mapping[str, int], tuple[tuple[str, str], ...]]:
    """Late days used on the category's assignments that were due earlier, by every name of a person."""
    used: Counter[str] = Counter()
    notices = []
    for other, entry in course.says.assignments.items():
        if other == slug or entry.category != deadline.category or _due(entry) >= _due(deadline):
            continue
        folder = course.beside(entry.results)
        if folder is None or not (folder / SUMMARY).is_file():
            where = f"there is no {folder / SUMMARY}" if folder else "its `results` are not named"
            notices.append(("", f"The late days used on {other} are not known and count as none: {where}."))
            continue
        spent = _spent(folder / SUMMARY)
        known = completed(people.people_of(folder), course.roster, spent)
        for key, days in spent.items():
            for name in {name for person in known if person.key == key for name in _names(person)}:
                used[name] += days
    return used, tuple(notices)


def _spent(path: Path) -> dict[str, int]:
    with path.open(encoding="utf-8", newline="") as file:
        try:
            return {row["submission"]: int(row["late_days"]) for row in csv.DictReader(file) if row["late_days"]}
        except (KeyError, ValueError, TypeError, csv.Error):
            raise UsageError(
                f"{path}: no column late_days with numbers; write it anew: grader score {path.parent}"
            ) from None


def _names(person: Person) -> set[str]:
    return {comparable(name) for name in (person.key, person.person_id, person.email) if name}


def _due(deadline: Deadline) -> str:
    return instant(deadline.due, zone_of(deadline.zone)).isoformat() if deadline.due else ""
