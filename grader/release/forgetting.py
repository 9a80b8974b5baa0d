"""A person is removed from a results folder; its log stays whole, because it knows submissions by tags alone.

What is known of the person goes in an order that can be stopped anywhere: forgotten.json says first that it begins,
tables and files follow, then the journal, from which everything else is made, and the names last. Whoever says the
same again, by whatever name is known still, goes on where it was stopped.
"""

from __future__ import annotations

import glob
import json
import re
import shutil
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.course import dispositions, forgotten, marks, people, sheets
from grader.course.forgotten import Begun, Forgotten
from grader.course.people import same
from grader.course.plan import TIMES_COLUMNS
from grader.course.terms import SUMMARY
from grader.errors import GraderError, UsageError
from grader.model import Person
from grader.release import frozen, keeping
from grader.reports.files import ATTEMPTS, CLASS, INTAKE, SCORED, STAFF, write_text
from grader.results import journal, log
from grader.run.courses import TIMES, known_in
from grader.run.scores import outlines_of, scoring_of, write_results

FORGOT = "forgot"


@dataclass(frozen=True, kw_only=True)
class _Meant:
    """Who is to be forgotten: a submission with all its attempts and people, or (`whole` False) people of it alone."""

    key: str
    keys: frozenset[str] = frozenset()
    gone: tuple[Person, ...] = ()
    whole: bool = True


def forget(folder: Path, assignment: Assignment, name: str, who: str) -> list[Path]:
    """Remove all that belongs to a key, and return the files that still name it or its people.

    An id or e-mail address is that person; where others handed in the same work, only the name goes. Raises
    UsageError for an unknown key, a broken log, and what cannot be scored; nothing was removed then.
    """
    parts = _parts(folder)
    for place in (folder, *(part for part in parts if (part / SUMMARY).exists())):
        outlines_of(scoring_of(place, assignment))  # what cannot be scored is told before anything goes
    listed = forgotten.read(folder)
    stored = journal.read(folder).submissions
    kept, known = people.people_of(folder), known_in(folder, stored)
    meant = _who_is_meant(folder, name, known, stored)
    if meant is None:
        entry = next((entry for entry in listed if entry.is_called(name)), None)
        if entry is None:
            raise UsageError(f"there is no submission {name!r} in {folder}{sheets.near(name, stored)}")
        meant = _Meant(key=name, keys=frozenset({name}))  # a file that the grader did not write may still name it
    else:
        entry = _begin(folder, meant, listed)
        for part in parts:
            _remove_from_part(part, assignment, meant)
        _remove_work(folder, assignment, meant) if meant.whole else _remove_names(folder, meant)
    if entry.begun is not None:
        _tell(folder, assignment, who, entry, entry.begun)
        _cut_people(folder, kept, meant.gone, known)
        forgotten.write(forgotten.finished(forgotten.read(folder), entry), folder)
    return _naming(folder, meant.gone, meant.keys)


def _who_is_meant(
    folder: Path, name: str, known: Sequence[Person], stored: Mapping[str, journal.Stored]
) -> _Meant | None:
    """None when nothing of them is there, or not any more."""
    called = tuple(person for person in known if name in (person.email, person.person_id))
    key = called[0].key if called else name
    if any(person.key == key and person not in called for person in known) and called:
        return _Meant(key=key, gone=called, whole=False)
    keys = _attempts(stored, key)
    gone = tuple(person for person in known if person.key == key)
    released = frozen.read(folder)
    if not keys and not gone and not (released and key in released.tags):
        return None
    return _Meant(key=key, keys=frozenset({key, *keys}), gone=gone)


def _attempts(stored: Mapping[str, journal.Stored], key: str) -> set[str]:
    return {attempt for attempt, entry in stored.items() if (entry.facts.get("of") or attempt) == key}


def _parts(folder: Path) -> list[Path]:
    """Results folders inside of this one: the parts of a run on a cluster, what a container left that was killed."""
    places = [path.parent for path in sorted(folder.rglob(journal.NAME)) if path.parent != folder]
    return [path for path in places if journal.SUBMISSIONS not in path.relative_to(folder).parts]


def _remove_from_part(part: Path, assignment: Assignment, meant: _Meant) -> None:
    """The same from what the class was merged from; it has no log, and its release is the whole's."""
    mine = replace(meant, keys=meant.keys | _attempts(journal.read(part).submissions, meant.key))
    _remove_work(part, assignment, mine) if meant.whole else _remove_names(part, meant)
    there = people.people_of(part)
    left = [p for p in there if p.key != meant.key or not (meant.whole or any(same(p, one) for one in meant.gone))]
    if len(left) < len(there):
        people.write(left, part / people.NAME)
    if (part / SUMMARY).exists():
        write_results(scoring_of(part, assignment))


def _begin(folder: Path, meant: _Meant, listed: Sequence[Forgotten]) -> Forgotten:
    """Say in forgotten.json that it begins; or what it says, where a command was stopped."""
    released = frozen.read(folder) if meant.whole else None
    begun = Begun(released.tags.get(meant.key, "") if released else "", len(log.read(folder)))
    entry = forgotten.entry_of(meant.key if meant.whole else "", meant.gone, forgotten.salt_of(listed), begun)
    for other in listed:
        if other.begun and other.key == entry.key and (entry.key or other.people == entry.people):
            return other
    forgotten.write([*(other for other in listed if replace(other, begun=begun) != entry), entry], folder)
    return entry


def _tell(folder: Path, assignment: Assignment, who: str, entry: Forgotten, begun: Begun) -> None:
    """Write all results, and a line of the log for a submission, unless a command that was stopped did."""
    lines = log.read(folder)
    told = any(line.what == FORGOT and line.facts.get("submission") == begun.tag for line in lines[begun.lines :])
    if lines and entry.key and not told:
        keeping.keep(folder, assignment, who, FORGOT, {"submission": begun.tag})
    else:
        keeping.keep(folder, assignment, who)


def _remove_work(folder: Path, assignment: Assignment, meant: _Meant) -> None:
    """Everything but the names: last the journal, which says whose the rest is."""
    words = meant.keys | {word for person in meant.gone for word in (person.email, person.person_id) if word}
    with journal.Journal(folder, assignment.slug):
        for path in (folder / INTAKE, folder / dispositions.NAME, folder / TIMES, *marks.files(folder).values()):
            _cut_table(path, words)
        _remove_files(folder, meant.keys)
        released = frozen.read(folder)
        if released and meant.key in released.tags:
            left = tuple(report for report in released.reports if report.key != meant.key)
            frozen.write(replace(released, reports=left), folder)
        _cut_journal(folder / journal.NAME, meant.keys)


def _remove_names(folder: Path, meant: _Meant) -> None:
    """The names alone of people whose work is others' as well."""
    _remove_what_names_all(folder)
    words = {word for person in meant.gone for word in (person.email, person.person_id) if word}
    _cut_table(folder / TIMES, words, instead=meant.key)


def _cut_people(folder: Path, kept: Sequence[Person], gone: Sequence[Person], known: Sequence[Person]) -> None:
    """people.csv without them, and with no more than it had: `known` has its people first, in its order."""
    left = [person for person, whole in zip(kept, known, strict=False) if whole not in gone]
    if len(left) < len(kept):
        people.write(left, folder / people.NAME)


def _remove_what_names_all(folder: Path) -> None:
    for name in (CLASS, SCORED):  # `grader class` and `grader score` make them anew
        (folder / name).unlink(missing_ok=True)


def _remove_files(folder: Path, keys: Collection[str]) -> None:
    try:
        _remove_what_names_all(folder)
        for base in (folder, folder / journal.SUBMISSIONS, folder / ATTEMPTS):
            # Attempts that a stopped run laid out, and no journal knows, are theirs too.
            left = {path.name for key in keys for path in base.glob(f"{glob.escape(key)}~*")}
            for key in {*keys, *(name for name in left if name.rpartition("~")[2].isdigit())}:
                if (base / key).exists():
                    shutil.rmtree(base / key)
                (base / STAFF / f"{key}.html").unlink(missing_ok=True)
    except OSError as error:
        raise GraderError(
            f"{error.filename} cannot be removed: {error.strerror}; see to it, and say it again"
        ) from None


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
        if path.is_file() and inside[0] != journal.SUBMISSIONS and pattern.search(path.read_text("utf-8", "replace")):
            found.append(path)
    return found
