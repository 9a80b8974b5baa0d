"""`grader diff`: what changed between two results folders."""

from __future__ import annotations

import sys
from pathlib import Path

from grader.commands.score import slug_of
from grader.commands.shared import open_assignment
from grader.errors import EXIT_DONE, UsageError
from grader.reports import difference
from grader.run.grading import reports_of


def run(before: Path, after: Path, assignments: Path | None) -> int:
    """Print the differences. Returns 0: a difference is an answer, not a failure."""
    slugs = {slug_of(before), slug_of(after)}
    if len(slugs) != 1:
        raise UsageError(f"{before} and {after} are results of different assignments: {', '.join(sorted(slugs))}")
    _, assignment = open_assignment(slugs.pop(), assignments)
    found = difference.compare(reports_of(before, assignment), reports_of(after, assignment))
    sys.stdout.write(difference.text(found) + "\n")
    return EXIT_DONE
