"""course.yaml and the lists that it names: deadlines, late days, the roster, extensions.

    zone: America/New_York                    of every time without an offset
    minute_counts: true                       23:59:45 is on time for 23:59
    roster: roster.csv                        id, name, e-mail
    groups: groups.csv                        as for `grader grade --groups`
    extensions: extensions.csv                who, assignment, due or days, reason
    categories:
      homework: {late_days: 5, at_most: 2}    five in the term, two for one assignment
    assignments:
      hw1: {due: 2024-03-08 23:59, category: homework, results: grades/hw1}
      hw2: {due: 2024-03-22 23:59, category: homework, steps: [{hours: 24, percent: 20}], action: zero}

An assignment's entry takes all keys of `late` in a manifest, and stands in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field, fields, replace
from datetime import tzinfo
from difflib import get_close_matches
from pathlib import Path

from grader.assignment.assignment import Assignment, Late
from grader.assignment.deadlines import check_late
from grader.assignment.locate import SUITES
from grader.assignment.manifest import MANIFEST, stop_at
from grader.assignment.moments import instant, zone_of
from grader.assignment.types import BAD, Reading, build, suggestion
from grader.assignment.yaml import Table, read
from grader.course import sheets
from grader.course.people import PERSON_COLUMNS, comparable
from grader.errors import AuthorError, UsageError
from grader.model import Person
from grader.wording import first_lines

COURSE = "course.yaml"
_WHO = dict.fromkeys(("who", "key", "submission", "student", "id", "sid", "email", "e-mail"), "who")
_EXTENSIONS = _WHO | {name: name for name in ("assignment", "due", "days", "reason")}
TIMES_COLUMNS = _WHO | dict.fromkeys(("time", "submitted_at", "submission time"), "time")
_DAYS = re.compile(r"\d{1,3}")


@dataclass(frozen=True, kw_only=True)
class Category:
    """Assignments that share a student's late days: so many in all, and at most so many on one of them."""

    late_days: int
    at_most: int | None = None


@dataclass(frozen=True, kw_only=True)
class Deadline(Late):
    """An assignment of the course. `late_days` may be used on it, of its category's; `results` is the folder of its
    results, from which those that were used are known."""

    category: str = ""
    late_days: int | None = None
    results: str = ""


@dataclass(frozen=True, kw_only=True)
class CourseFile:
    """What course.yaml says."""

    assignments: dict[str, Deadline]
    title: str = ""
    zone: str = ""
    minute_counts: bool = False
    roster: str = ""
    groups: str = ""
    extensions: str = ""
    categories: dict[str, Category] = field(default_factory=dict)


_KEYS = tuple(entry.name for entry in fields(CourseFile))


@dataclass(frozen=True, kw_only=True)
class Extension:
    """A deadline of somebody's own: a new one, or `days` more. `who` is a key, an id or an address."""

    who: str
    assignment: str
    due: str = ""
    days: int = 0
    reason: str = ""
    line: int = 0


@dataclass(frozen=True, kw_only=True)
class Course:
    """course.yaml with everything that it names; paths are absolute."""

    path: Path
    says: CourseFile
    roster: tuple[Person, ...] = ()
    groups: Path | None = None
    extensions: tuple[Extension, ...] = ()

    @property
    def zone(self) -> tzinfo | None:
        """Whose clock times without an offset are of."""
        return zone_of(self.says.zone)

    def beside(self, name: str) -> Path | None:
        """A file or folder that course.yaml names; None for ""."""
        return self.path.parent / name if name else None

    def applied(self, assignment: Assignment) -> Assignment:
        """The assignment with the course's deadline in the place of its own; without one, with its own."""
        found = self.says.assignments.get(assignment.slug)
        if found is None:
            return assignment
        return replace(assignment, late=Late(**{entry.name: getattr(found, entry.name) for entry in fields(Late)}))


def load(path: Path, graded: Assignment | None = None) -> Course:
    """Read and check course.yaml and its lists. Raises AuthorError or UsageError with file, line and near names.

    Among them: that the assignment that is `graded` is written in another way there.
    """
    if not path.is_file():
        raise UsageError(f"{path}: there is no such file; expected a course.yaml")
    root, reading = read(path), Reading(whole=path.name)
    if not isinstance(root, Table) or "assignments" not in root.entries:
        lines = root.key_lines if isinstance(root, Table) else {}
        wrong = next((key for key in lines if key not in _KEYS and suggestion(key, ["assignments"])), None)
        instead = f"unknown key {wrong!r}; did you mean 'assignments'? " if wrong else ""
        expected = f"{instead}expected `assignments:` with a deadline for each; see docs/instructor.md"
        raise AuthorError(expected, path, lines[wrong] if wrong else 1)
    says = build(CourseFile, root, (), reading)
    stop_at(reading, path)
    assert says is not BAD
    says = replace(says, assignments={slug: _inheriting(entry, says) for slug, entry in says.assignments.items()})
    _check(says, reading)
    existing = _existing(path, graded)
    if graded is not None and (meant := _misspelt(graded.slug, says, existing)):
        line = reading.line("assignments", meant)
        reading.bad(line, f"unknown assignment {meant!r}; did you mean {graded.slug!r}, which has no deadline here?")
    course = Course(path=path.resolve(), says=says)
    for name in ("roster", "groups", "extensions"):
        listed = course.beside(getattr(says, name))
        if listed is not None and not listed.is_file():
            reading.bad(reading.line(name), f"{name}: there is no file {listed}")
    stop_at(reading, path)
    lists = [course.beside(name) for name in (says.roster, says.extensions)]
    people = _roster(lists[0]) if lists[0] else ()

    def unknown(slug: str, here: str) -> str:
        if meant := _misspelt(slug, says, existing) if slug in existing else "":
            there = f"{path}:{reading.line('assignments', meant)}"
            return f"{there}: unknown assignment {meant!r}; did you mean {slug!r}, as {here} writes it?"
        return f"{here}: {_unknown(slug, path.name, says, existing)}"

    extensions = _extensions(lists[1], says, people, unknown) if lists[1] else ()
    return replace(course, roster=people, extensions=extensions, groups=course.beside(says.groups))


def _existing(path: Path, graded: Assignment | None) -> set[str]:
    """The assignments that there are: beside course.yaml, and beside the one that is graded."""
    suites = [path.parent, path.parent / SUITES, *([graded.suite.parent] if graded is not None else [])]
    return {manifest.parent.name for folder in suites for manifest in folder.glob(f"*/{MANIFEST}")}


def _misspelt(slug: str, says: CourseFile, existing: Set[str]) -> str:
    """The entry that must mean an assignment: near it, and no other assignment's name; another number is another."""
    others = [name for name in says.assignments if name not in existing and _numbers(name) == _numbers(slug)]
    near = get_close_matches(slug, others, n=1, cutoff=0.75)
    return near[0] if near and slug not in says.assignments else ""


def _unknown(slug: str, course: str, says: CourseFile, existing: Set[str]) -> str:
    """What is said of an assignment that a list names and the course does not have."""
    has = f"{course} has {', '.join(says.assignments)}"
    if slug in existing:
        return f"{course} has no deadline for {slug!r}; give it one there, or correct the name here ({has})"
    near = _near(slug, says.assignments)
    return f"unknown assignment {slug!r}" + (f"; did you mean {near!r}?" if near else f"; {has}: write one of them")


def _near(slug: str, known: Iterable[str]) -> str:
    """The name that is meant, however its letters are written; another number at its end is another assignment."""
    folded = {name.casefold(): name for name in known if _numbers(name)[-1:] == _numbers(slug)[-1:]}
    found = get_close_matches(slug.casefold(), list(folded), n=1)
    return folded[found[0]] if found else ""


def _numbers(slug: str) -> list[str]:
    return re.findall(r"\d+", slug)


def _inheriting(entry: Deadline, says: CourseFile) -> Deadline:
    return replace(entry, zone=entry.zone or says.zone, minute_counts=entry.minute_counts or says.minute_counts)


def _check(says: CourseFile, reading: Reading) -> None:
    try:
        zone_of(says.zone)
    except ValueError as error:
        reading.bad(reading.line("zone"), str(error))
        return
    for name, category in says.categories.items():
        if category.late_days < 0 or (category.at_most or 0) < 0:
            reading.bad(reading.line("categories", name), f"{name}: expected 0 late days or more")
    for slug, entry in says.assignments.items():
        where = ("assignments", slug)
        check_late(entry, where, reading, None)
        if entry.category and entry.category not in says.categories:
            near = suggestion(entry.category, list(says.categories))
            reading.bad(reading.line(*where, "category"), f"{slug}: unknown category {entry.category!r}{near}")
        if entry.late_days is not None and (entry.late_days < 0 or not entry.category):
            line = reading.line(*where, "late_days")
            reading.bad(line, f"{slug}: late_days are of a category's budget: expected 0 or more, and `category`")


def _roster(path: Path) -> tuple[Person, ...]:
    """The people of a course. Raises UsageError for anybody who stands there twice or cannot be told apart."""
    seen: dict[str, int] = {}
    people, problems = [], []
    for line, cells in sheets.columns_of(path, "roster", PERSON_COLUMNS, ()):
        person = Person(
            key="", **{name: sheets.as_id(cell) if name == "person_id" else cell for name, cell in cells.items()}
        )
        marks = [f"{kind} {value}" for kind, value in (("id", person.person_id), ("e-mail", person.email)) if value]
        if not marks:
            problems.append(f"{path}:{line}: neither id nor e-mail: nobody can be told by a name alone")
        for mark in marks:
            first = seen.setdefault(comparable(mark), line)
            if first != line:
                problems.append(f"{path}:{line}: the {mark} stands in line {first} already")
        people.append(person)
    _stop(problems)
    return tuple(people)


def _extensions(
    path: Path, says: CourseFile, roster: Sequence[Person], unknown: Callable[[str, str], str]
) -> tuple[Extension, ...]:
    """Who has one. `unknown` says what is wrong, and where, with an assignment that a line names. Raises UsageError."""
    problems: list[str] = []
    found: dict[tuple[str, str], Extension] = {}
    one = {comparable(mark): person.email or person.person_id for person in roster for mark in _marks(person)}
    for line, cells in sheets.columns_of(path, "extensions", _EXTENSIONS, ("who", "assignment")):
        if (slug := cells.get("assignment", "")) not in says.assignments:
            problems.append(unknown(slug, f"{path}:{line}"))
            continue
        try:
            extension = _extension(line, cells, says, roster)
            who = comparable(extension.who)
            first = found.setdefault((one.get(who, who), extension.assignment), extension)
            if first is not extension:
                before = f"an extension of {extension.assignment} in line {first.line} already"
                raise ValueError(f"{extension.who} has {before}; keep one, or correct whose or what the other is")
        except ValueError as error:
            problems.append(f"{path}:{line}: {error}")
    _stop(problems)
    return tuple(found.values())


def _extension(line: int, cells: Mapping[str, str], says: CourseFile, roster: Sequence[Person]) -> Extension:
    """Raises ValueError."""
    who, slug = sheets.as_id(cells.get("who", "")), cells["assignment"]
    if bool(cells.get("due")) == bool(cells.get("days")):
        raise ValueError("expected either a new due time or a number of days")
    if says.assignments[slug].due is None:
        raise ValueError(f"{slug} has no deadline that could be moved")
    due, days = cells.get("due", ""), sheets.as_id(cells.get("days", "0"))
    if due:
        due = _later(due, says.assignments[slug])
    elif not _DAYS.fullmatch(days) or not int(days):
        raise ValueError(f"the days are {cells['days']!r}, expected a whole number such as 2")
    names = [name for person in roster for name in _marks(person)]
    if roster and comparable(who) not in map(comparable, names):
        near = sheets.near(who, names) or f"; correct it, or add them to {says.roster}"
        raise ValueError(f"nobody on the roster is called {who!r}{near}")
    return Extension(who=who, assignment=slug, due=due, days=int(days), reason=cells.get("reason", ""), line=line)


def _later(due: str, deadline: Deadline) -> str:
    """A new due time in UTC. Raises ValueError for one before the deadline that it moves."""
    zone = zone_of(deadline.zone)
    if (moved := instant(due, zone)) < instant(str(deadline.due), zone):
        raise ValueError(f"the new due time {due} is before the deadline {deadline.due}; an extension moves it back")
    return moved.isoformat()


def _marks(person: Person) -> list[str]:
    return [mark for mark in (person.person_id, person.email) if mark]


def read_times(
    path: Path, zone: tzinfo | None, keys: Mapping[str, str], called: Callable[[str], list[str]]
) -> dict[str, str]:
    """When submissions were handed in, by key, in UTC: a list of who and time, such as one of commits.

    `keys` are those of all attempts with their owners', `called` says whose keys a key, id or address means. Raises
    UsageError with every line that is wrong.
    """
    problems: list[str] = []
    found: dict[str, str] = {}
    for line, cells in sheets.columns_of(path, "times", TIMES_COLUMNS, ("who", "time")):
        who = sheets.as_id(cells.get("who", ""))
        owners = called(who)
        mine = [key for key, owner in keys.items() if owner in owners]
        chosen = [who] if who in keys and (len(mine) < 2 or who != keys[who]) else mine
        try:
            if not chosen:
                raise ValueError(f"there is no submission of {who!r}{sheets.near(who, list(keys))}")
            if len(chosen) > 1:
                raise ValueError(f"{who} has the attempts {', '.join(chosen)}: expected one of them")
            if chosen[0] in found:
                raise ValueError(f"{chosen[0]} has a time already")
            found[chosen[0]] = instant(cells.get("time", ""), zone).isoformat()
        except ValueError as error:
            problems.append(f"{path}:{line}: {error}")
    _stop(problems)
    return found


def _stop(problems: Sequence[str]) -> None:
    if problems:
        raise UsageError("\n".join(first_lines(problems, sheets.MAX_SHOWN)))
