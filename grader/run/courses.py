"""The course of a results folder: which one it is of, when things were handed in, and what that means for scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.assignment.moments import zone_of
from grader.course import sheets
from grader.course.people import people_of
from grader.course.plan import Course, load, read_times
from grader.course.terms import Terms, completed, granted, owners_called
from grader.errors import UsageError
from grader.model import Graded, Person
from grader.reports import files
from grader.results.journal import read

TIMES = "times.csv"
COURSE_PATH = "course.txt"


@dataclass(frozen=True, kw_only=True)
class Held:
    """Results with the times, the deadline and the terms that hold, and (key or "", sentence) of what is odd."""

    graded: list[Graded]
    assignment: Assignment
    course: Course | None = None
    people: tuple[Person, ...] = ()
    terms: Mapping[str, Terms] = field(default_factory=dict)
    notices: tuple[tuple[str, str], ...] = ()


def held_by(folder: Path, assignment: Assignment, graded: list[Graded]) -> Held:
    """What a results folder and its course say beside the journal. Raises UsageError or AuthorError."""
    people, course = people_of(folder), remembered_course(folder, assignment)
    if (path := folder / TIMES).exists():
        graded = _with_times(graded, path, people, course, assignment)
    if course is None:
        return Held(graded=graded, assignment=assignment, people=people)
    found = granted(course, assignment.slug, people, [entry.owner for entry in graded])
    return Held(
        graded=graded,
        assignment=course.applied(assignment),
        course=course,
        people=people,
        terms=found.terms,
        notices=found.notices,
    )


def known_in(folder: Path, owners: Iterable[str]) -> tuple[Person, ...]:
    """Who is behind a folder's submissions, by people.csv and the roster; UsageError when the course is gone."""
    course = remembered_course(folder)
    return completed(people_of(folder), course.roster if course is not None else (), owners)


def remember_course(folder: Path, assignment: Assignment, course: Path | None, times: Path | None) -> None:
    """Note in a results folder whose course it is of, and keep a list of times there: both hold from then on.

    Raises UsageError or AuthorError, before anything is written, for what cannot be read or concerns nobody.
    """
    says = load(course, assignment) if course is not None else remembered_course(folder, assignment)
    if times is not None and (graded := read(folder).graded()):
        _with_times(graded, times, people_of(folder), says, assignment)
    if course is not None:
        files.write_text(folder / COURSE_PATH, f"{course.resolve()}\n")
    if times is not None and times.resolve() != (folder / TIMES).resolve():
        sheets.write_private(folder / TIMES, sheets.text_of(times, "times", old_windows=True))


def remembered_course(folder: Path, graded: Assignment | None = None) -> Course | None:
    """The course that a results folder was last scored by; None for none. Raises UsageError when it is gone."""
    path = course_path(folder)
    if path is None:
        return None
    try:
        return load(path, graded)
    except UsageError as error:
        raise UsageError(f"{error} (the course that {folder / COURSE_PATH} names; --course names another)") from None


def course_path(folder: Path) -> Path | None:
    """The course.yaml that a results folder remembers; None for none."""
    path = folder / COURSE_PATH
    return Path(path.read_text(encoding="utf-8").strip()) if path.exists() else None


def _with_times(
    graded: list[Graded], path: Path, people: Sequence[Person], course: Course | None, assignment: Assignment
) -> list[Graded]:
    """The results with the times of a list in the place of the platform's."""
    keys = {entry.key: entry.owner for entry in graded}
    zone = course.zone if course is not None else zone_of(assignment.late.zone)
    known = completed(people, course.roster if course is not None else (), keys.values())
    times = read_times(path, zone, keys, owners_called(known, keys.values()))
    return [replace(entry, submitted_at=times.get(entry.key, entry.submitted_at)) for entry in graded]
