"""`grader diff`: what changed between two results folders."""

from __future__ import annotations

import sys
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.commands.score import slug_of
from grader.commands.shared import open_assignment
from grader.course import marks
from grader.errors import EXIT_DONE, UsageError
from grader.model import Report
from grader.release import frozen
from grader.reports import difference, full
from grader.results.journal import NAME as JOURNAL
from grader.run.scores import reports_of


def run(before: Path, after: Path | None, assignments: Path | None) -> int:
    """Print the differences; of one folder those since its release. Returns 0: a difference is no failure."""
    if after is None:
        released = frozen.read(before)
        if released is None:
            raise UsageError(f"{before} was not released; name two results folders")
        _, assignment = open_assignment(slug_of(before), assignments)
        sys.stdout.write(difference.text(difference.compare(released.reports, reports_of(before, assignment))))
        return EXIT_DONE
    slugs = {slug_of(before), slug_of(after)}
    if len(slugs) != 1:
        raise UsageError(f"{before} and {after} are results of different assignments: {', '.join(sorted(slugs))}")
    _, assignment = open_assignment(slugs.pop(), assignments)
    found = difference.compare(*(_scores_had(folder, assignment) for folder in (before, after)))
    sys.stdout.write(difference.text(found) + "\n")
    return EXIT_DONE


def _scores_had(folder: Path, assignment: Assignment) -> list[Report]:
    """The reports that a folder's files hold, since the manifest may have changed.

    What is missing, or older than the folder's journal or marks, is scored now.
    """
    return [_had(folder, report) for report in reports_of(folder, assignment)]


def _had(folder: Path, now: Report) -> Report:
    path = folder / now.key / "report.json"
    sources = [folder / JOURNAL, *marks.files(folder).values()]
    if not path.is_file() or any(source.stat().st_mtime_ns > path.stat().st_mtime_ns for source in sources):
        return now
    return full.load(path.read_text(encoding="utf-8"), str(path))
