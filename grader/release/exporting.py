"""Released scores → the course system: its own sheet filled in, a table, or a table for mails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.course import gradebooks, people, sheets
from grader.errors import UsageError
from grader.model import Person, Report
from grader.release import frozen
from grader.reports import difference
from grader.reports.comment import comment, is_ours
from grader.reports.files import pages_of
from grader.reports.words import state_of
from grader.run.courses import known_in
from grader.run.scores import reports_of
from grader.wording import points

SHEETS = ("canvas", "moodle")
WHERE = "; write it into people.csv, or into the roster of the course"
TARGETS = ("canvas", "moodle", "csv", "mail")


@dataclass(frozen=True, kw_only=True)
class Export:
    """A file's text; sentences on who is in it only, or not in it; on what forbids it; and others that stop nobody."""

    text: str
    encoding: str = "utf-8"
    problems: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Released:
    """What may leave the folder: points by key, and who is behind the keys (a person without a name for keys alone).

    `reports` are the released ones, with points alone; `whole` those of now, which give the same points.
    """

    folder: Path
    title: str
    reports: Mapping[str, Report]
    whole: Mapping[str, Report]
    tags: Mapping[str, str]
    people: tuple[Person, ...]


def released(folder: Path, assignment: Assignment) -> Released:
    """The last release of a folder. Raises UsageError when there is none, or when scores changed since."""
    release = frozen.read(folder)
    if release is None:
        raise UsageError(f"{folder} was not released; `grader release {folder}` does, when everything is decided")
    now = reports_of(folder, assignment)
    changed = difference.compare(release.reports, now)
    if not changed.nothing:
        told = difference.text(changed).strip()
        raise UsageError(f"the scores are not those of release {release.number}; release them first:\n{told}")
    reports = {report.key: report for report in release.reports}
    return Released(
        folder=folder,
        title=assignment.title,
        reports=reports,
        whole={report.key: report for report in now},
        tags=release.tags,
        people=tuple(person for person in known_in(folder, reports) if person.key in reports),
    )


def into_sheet(what: Released, target: str, path: Path, column: str, comments: str | None = "") -> Export:
    """The instructor's sheet with the scores in it, and in Moodle's the comments, if it has a column for them.

    `comments` names that column, where it is not recognised; None: no comments. Raises UsageError for a sheet that
    cannot be filled in, and for points that the system would refuse.
    """
    sheet = gradebooks.read(path)
    layout = (
        gradebooks.canvas(sheet, column) if target == "canvas" else gradebooks.moodle(sheet, column, comments or "")
    )
    layout = replace(layout, comments=None) if comments is None else layout
    found = gradebooks.matched(sheet, layout, what.people)
    scores, said, notes, problems = {}, {}, [], list(found.problems)
    for number, row in found.rows.items():
        report = what.reports[what.people[number].key]
        if (word := _score(report)) == "":
            problems.append(f"{report.key} has no score yet")
            continue
        if left := gradebooks.LEFT.get(sheet.cell(row, layout.column).casefold()):
            notes.append(f"{report.key} {left} (line {sheet.lines[row]})")
            continue
        scores[row] = word
        there = "" if layout.comments is None else sheet.cell(row, layout.comments)
        if there and not is_ours(there):
            notes.append(f"{report.key}: the comment that stands there stays (line {sheet.lines[row]})")
        else:
            said[row] = _encodable(comment(what.whole[report.key]), sheet.encoding)
        most = layout.possible.get(row)
        if target == "moodle" and most is not None and report.score > most:
            raise UsageError(
                f"{path}:{sheet.lines[row]}: {report.key} has {word} points, and Moodle refuses more than {most}"
            )
    totals = {report.total for report in what.reports.values()}
    return Export(
        text=gradebooks.filled(sheet, layout, scores, said),
        encoding=sheet.encoding,
        problems=tuple(problems),
        refusals=_totals(path, totals, layout.possible),
        notes=tuple(notes),
    )


def _encodable(text: str, encoding: str) -> str:
    """HTML without a letter that the sheet's encoding lacks."""
    return text.encode(encoding, "xmlcharrefreplace").decode(encoding)


def _totals(path: Path, ours: set[Decimal], theirs: Mapping[int, Decimal]) -> tuple[str, ...]:
    """A total that is another one there makes other percentages of the same points."""
    other = sorted(set(theirs.values()) - ours)
    mine = " or ".join(points(total) for total in sorted(ours))
    return tuple(f"{path.name} says that {points(most)} points are possible, here they are {mine}" for most in other)


def for_import(what: Released) -> Export:
    """A table for Moodle's gradebook import, which finds people by e-mail or id number."""
    rows = [("Email address", "ID number", what.title)]
    rows += [(person.email, person.person_id, _score(what.reports[person.key])) for person in what.people]
    lost = [person.key for person in what.people if not (person.email or person.person_id)]
    return Export(
        text=sheets.text_in_rows(rows), problems=tuple(f"{key} has neither e-mail nor id{WHERE}" for key in lost)
    )


def table(what: Released, *, anonymous: bool) -> Export:
    """One line a person; `anonymous`: one line a submission, by the tag that the log knows it by."""
    head: tuple[str, ...] = ("score", "total", "open_points", "state")
    if anonymous:
        rows = sorted((what.tags[key], *_figures(report)) for key, report in what.reports.items())
        return Export(text=sheets.text_in_rows([("submission", *head), *rows]))
    named = [(p.key, p.name, p.email, p.person_id, *_figures(what.reports[p.key])) for p in what.people]
    return Export(text=sheets.text_in_rows([(*people.COLUMNS, *head), *sorted(named)]))


def for_mails(what: Released) -> Export:
    """One line a person with an e-mail address: where their feedback lies, for a program that merges mails."""
    pages = {person.key: (what.folder / pages_of(person.key)[0]).resolve() for person in what.people}
    rows = [
        (person.email, person.name, str(pages[person.key]), *_figures(what.reports[person.key])[:2])
        for person in what.people
        if person.email
    ]
    gone = [path for path in pages.values() if not path.exists()]
    if gone:
        raise UsageError(f"{gone[0]} is missing; `grader score {what.folder}` writes the pages")
    lost = [person.key for person in what.people if not person.email]
    text = sheets.text_in_rows([("email", "name", "path", "score", "total"), *sorted(rows)])
    return Export(text=text, problems=tuple(f"{key} has no e-mail address{WHERE}" for key in lost))


def _score(report: Report) -> str:
    return "" if report.unfinished else points(report.score)


def _figures(report: Report) -> tuple[str, str, str, str]:
    return _score(report), points(report.total), points(report.open_points), state_of(report)
