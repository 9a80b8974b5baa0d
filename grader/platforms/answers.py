"""Results of a platform's export that were graded elsewhere, on their way back into it.

A cluster trains what a platform's container cannot, people give marks: the bundle carries both, and the platform's own
"Regrade all" shows them. They hold for a submission of that id with the very same files; anything else is judged there.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.course import marks
from grader.errors import UsageError
from grader.model import Mark
from grader.platforms.base import Settings
from grader.reports.files import write_text
from grader.results.journal import Contents, Journal, impossible, read


@dataclass(frozen=True)
class Answers:
    """What was judged, and what people gave."""

    contents: Contents
    marks: tuple[Mark, ...]


def answers_in(folder: Path, assignment: Assignment) -> Answers:
    """The answers of a results folder. Raises UsageError for what does not fit the assignment or its points."""
    contents = read(folder)
    if not contents.slug:
        raise UsageError(f"--answers {folder} holds no journal; name a folder that `grader grade` wrote")
    if contents.slug != assignment.slug:
        raise UsageError(f"--answers {folder} holds results of {contents.slug}, not of {assignment.slug}")
    items = [item.id for item in assignment.items if item.kind == "automatic"]
    for key, stored in sorted(contents.submissions.items()):
        if why := impossible(stored, items):
            raise UsageError(f"--answers {folder}: the submission {key} cannot be used: {why}")
    given = marks.given(folder, assignment)
    if given.disputes:
        raise UsageError(f"--answers {folder}: {given.disputes[0][0]}: {given.disputes[0][1]}")
    return Answers(contents, given.marks)


def write_answers(answers: Answers, settings: Settings, target: Path) -> None:
    """A results folder for each submission that is finished, under the platform's id of it."""
    for key, stored in answers.contents.submissions.items():
        if not stored.finished or "refused" in stored.facts:
            continue
        with Journal(target / key, settings.slug) as journal:
            journal.start_run(settings.slug, answers.contents.seed, answers.contents.versions)
            journal.adopt(key, stored)
        own = [mark for mark in answers.marks if mark.submission == key]
        if own:
            write_text(target / key / marks.FILE, marks.listed(own))
