"""A person is removed from a results folder; its log stays whole, because it knows submissions by tags alone."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Collection, Sequence, Set
from dataclasses import replace
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.course import dispositions, marks, people, sheets
from grader.course.plan import TIMES_COLUMNS
from grader.course.terms import PEOPLE, people_of
from grader.errors import UsageError
from grader.model import Person
from grader.release import frozen, keeping
from grader.reports.files import ATTEMPTS, CLASS, INTAKE, STAFF, write_text
from grader.results import journal, log
from grader.run.courses import TIMES, known_in
from grader.run.grading import scores_of


def forget(folder: Path, assignment: Assignment, key: str, who: str) -> list[Path]:
    """Remove all that belongs to `key`, and return the files that still name it or its people.

    An id or e-mail address is that person; where others handed in the same work, only the name goes. Raises
    UsageError for an unknown key, a broken log, and what cannot be scored; nothing was removed then.
    """
    scores_of(folder, assignment)  # what cannot be scored is told before anything goes
    released = frozen.read(folder)
    kept = people_of(folder)
    known = known_in(folder, journal.read(folder).submissions)
    if called := [person for person in known if key in (person.email, person.person_id)]:
        key = called[0].key
        if any(person.key == key and person not in called for person in known):
            (folder / CLASS).unlink(missing_ok=True)
            _cut_people(folder, kept, called, known)
            _cut_table(folder / TIMES, {called[0].email, called[0].person_id} - {""}, instead=key)
            keeping.keep(folder, assignment, who)
            return _naming(folder, called, ())
    with journal.Journal(folder, assignment.slug) as writer:
        stored = writer.contents.submissions
        keys = {name for name, entry in stored.items() if (entry.facts.get("of") or name) == key}
        gone = [person for person in known if person.key == key]
        if not keys and not gone and not (released and key in released.tags):
            raise UsageError(f"there is no submission {key!r} in {folder}{sheets.near(key, stored)}")
        _remove_files(folder, {key, *keys})
        _cut_journal(folder / journal.NAME, keys)
    words = {key, *keys, *(word for person in gone for word in (person.email, person.person_id) if word)}
    for path in (folder / INTAKE, folder / dispositions.NAME, folder / TIMES, *marks.files(folder).values()):
        _cut_table(path, words)
    tag = released.tags.get(key, "") if released else ""
    if released and tag:
        left = tuple(report for report in released.reports if report.key != key)
        frozen.write(replace(released, reports=left), folder)
    keeping.keep(folder, assignment, who, "forgot", {"submission": tag} if log.head(folder) else None)
    _cut_people(folder, kept, gone, known)  # last, so that the same command finishes what was stopped
    return _naming(folder, gone, {key, *keys})


def _cut_people(folder: Path, kept: Sequence[Person], gone: Sequence[Person], known: Sequence[Person]) -> None:
    """people.csv without them, and with no more than it had: `known` has its people first, in its order."""
    left = [person for person, whole in zip(kept, known, strict=False) if whole not in gone]
    if len(left) < len(kept):
        people.write(left, folder / PEOPLE)


def _remove_files(folder: Path, keys: Collection[str]) -> None:
    (folder / CLASS).unlink(missing_ok=True)  # it may name everybody; `grader class` makes it anew
    for base in (folder, folder / "submissions", folder / ATTEMPTS):
        for key in keys:
            shutil.rmtree(base / key, ignore_errors=True)
            (base / STAFF / f"{key}.html").unlink(missing_ok=True)


def _cut_journal(path: Path, keys: Collection[str]) -> None:
    lines = path.read_text("utf-8").splitlines(keepends=True)
    write_text(path, "".join(line for line in lines if json.loads(line).get("key") not in keys))


def _cut_table(path: Path, words: Set[str], instead: str = "") -> None:
    """The table without the rows about them: those of a submission, or of who it is; or with another name there."""
    rows = [cells for _, cells in sheets.rows(path, "table")] if path.exists() else []
    header = [cell.lower() for cell in rows[0]] if rows else []
    who = [place for place, name in enumerate(header) if name == "submission" or TIMES_COLUMNS.get(name) == "who"]
    about = [{place for place in who if place < len(cells) and sheets.as_id(cells[place]) in words} for cells in rows]
    kept = [
        [instead if place in found else cell for place, cell in enumerate(cells)]
        for cells, found in zip(rows, about, strict=True)
        if instead or not found
    ]
    if any(about):
        write_text(path, sheets.text_in_rows(kept))


def _naming(folder: Path, gone: Sequence[Person], keys: Collection[str]) -> list[Path]:
    """Files of the class, other people's work aside, in which the words stand that only they have."""
    words = {word for person in gone for word in (person.name, person.email, person.person_id) if word} | set(keys)
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in sorted(words)))
    found = []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder).parts
        if path.is_file() and inside[0] != "submissions" and pattern.search(path.read_text("utf-8", "replace")):
            found.append(path)
    return found
