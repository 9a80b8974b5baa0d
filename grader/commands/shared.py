"""What several commands need: consoles, assignments, exit codes of results."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders, assignment_folders
from grader.assignment.manifest import is_short, load
from grader.course.terms import course_beside
from grader.errors import EXIT_DONE, EXIT_GRADER, GraderError
from grader.model import Report
from grader.run.courses import course_path


def open_assignment(slug: str, assignments: Path | None) -> tuple[Folders, Assignment]:
    """The folders and the manifest of a slug; what is written in the short form is expanded."""
    folders = assignment_folders(slug, assignments)
    if is_short(folders.suite):
        from grader.short.expanding import expanded

        folders = expanded(folders)
    return folders, load(folders)


def course_for(folder: Path, slug: str, assignments: Path | None, given: Path | None) -> Path | None:
    """The course.yaml of a results folder: the given one, the one that it remembers, the one beside the assignment."""
    return given or course_path(folder) or course_beside(assignment_folders(slug, assignments).suite)


def item_ids(slug: str | None) -> list[str]:
    """The automatic items of a slug, for completion; nothing when it cannot be read."""
    try:
        return [item.id for item in open_assignment(slug or "", None)[1].items if item.kind == "automatic"]
    except GraderError:
        return []


def who(by: str) -> str:
    """The name that a decision stands under: the one that was given, else that of the user."""
    try:
        return by.strip() or getpass.getuser()
    except (KeyError, OSError):
        return "a user without a name"


def exit_code_of(reports: Sequence[Report]) -> int:
    """3 when the grader could not judge something, else 0."""
    broken = any(line.state == "grader_error" for report in reports for line in report.lines)
    return EXIT_GRADER if broken else EXIT_DONE
