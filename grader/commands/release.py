"""`grader release`: the scores of a class, frozen once everything in doubt is decided."""

from __future__ import annotations

import sys
from pathlib import Path

from grader.commands.score import slug_of
from grader.commands.shared import open_assignment, who
from grader.errors import EXIT_DONE, EXIT_NO
from grader.release.releasing import release
from grader.reports import difference


def run(folder: Path, by: str, only_rise: bool, open_points: bool, assignments: Path | None) -> int:
    """Release, or say why not. Returns the exit code."""
    _, assignment = open_assignment(slug_of(folder), assignments)
    outcome = release(folder, assignment, who(by), only_rise=only_rise, open_points=open_points)
    if outcome.changed is not None:
        sys.stdout.write(difference.text(outcome.changed))
    if outcome.refused:
        sys.stderr.writelines(f"{sentence}\n" for sentence in outcome.refused)
        advice = "; ".join(outcome.advice)
        sys.stderr.write(f"grader: not released, because of these {len(outcome.refused)}; {advice}\n")
        return EXIT_NO
    again = "; it had been stopped, and all results are written now" if outcome.completed else ""
    sys.stdout.write(f"{folder}: release {outcome.number}{again}\n")
    return EXIT_DONE
