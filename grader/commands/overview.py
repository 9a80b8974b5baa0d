"""`grader class`: stored results at a glance, in the terminal and as one page. Runs no code."""

from __future__ import annotations

import sys
from pathlib import Path

from grader.commands.score import slug_of
from grader.commands.shared import open_assignment
from grader.course.people import people_of
from grader.errors import EXIT_DONE
from grader.reports import overview_page, overview_text
from grader.reports.files import CLASS, writable, write_text
from grader.reports.overview import overview
from grader.run.courses import remembered_course
from grader.run.scores import reports_of


def run(folder: Path, anonymous: bool, out: Path | None, assignments: Path | None) -> int:
    """Print a class and write its page. Returns 0: what is odd about a class is an answer, not a failure."""
    target = writable(out or folder / CLASS, own=CLASS)
    _, assignment = open_assignment(slug_of(folder), assignments)
    reports = reports_of(folder, assignment)
    course = remembered_course(folder)
    people, roster = people_of(folder), course.roster if course is not None else ()
    found = overview(reports, people, roster, anonymous=anonymous)
    write_text(target, overview_page.page(found, named=bool(people) and not anonymous))
    sys.stdout.write(overview_text.text(found) + f"\nPage: {target}\n")
    return EXIT_DONE
