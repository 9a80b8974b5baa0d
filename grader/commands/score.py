"""`grader score`: stored results, present points, consequences and marks. Runs no code."""

from __future__ import annotations

from pathlib import Path

from grader.commands.finishing import finish
from grader.commands.shared import course_for, open_assignment
from grader.errors import UsageError
from grader.results import log
from grader.results.journal import NAME as JOURNAL
from grader.results.journal import slug_in
from grader.run.courses import remember_course

NOT_BEGUN = "{}: nothing was judged yet; the same `grader grade` command continues"


def run(
    folder: Path,
    lenient: bool,
    as_json: bool,
    assignments: Path | None,
    course: Path | None = None,
    times: Path | None = None,
    *,
    pages: bool = True,
) -> int:
    """Rebuild all result files of a folder. Returns the exit code."""
    slug = slug_of(folder)
    _, assignment = open_assignment(slug, assignments)
    log.head(folder)  # a log that is broken is told before anything is written
    remember_course(folder, assignment, course_for(folder, slug, assignments, course), times)
    return finish(folder, assignment, lenient=lenient, as_json=as_json, pages=pages)


def slug_of(folder: Path) -> str:
    """The assignment of a results folder. Raises UsageError when it is none."""
    slug = slug_in(folder)
    if not slug and (folder / JOURNAL).exists():
        raise UsageError(NOT_BEGUN.format(folder))
    if not slug:
        raise UsageError(f"{folder} holds no journal; give a folder that `grader grade` wrote")
    return slug
