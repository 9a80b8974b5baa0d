"""`grader forget`: a person's work, results and names are removed."""

from __future__ import annotations

import sys
from pathlib import Path

from grader.commands.score import slug_of
from grader.commands.shared import open_assignment, who
from grader.errors import EXIT_DONE, EXIT_NO
from grader.release.forgetting import forget


def run(folder: Path, key: str, by: str, assignments: Path | None) -> int:
    """Remove them, and say which files still name them. Returns 1 when some do."""
    _, assignment = open_assignment(slug_of(folder), assignments)
    naming = forget(folder, assignment, key, who(by))
    sys.stdout.write(f"{folder}: {key} is forgotten\n")
    sys.stderr.writelines(
        f"grader: {path} still has a name or id of theirs; delete it or write it anew\n" for path in naming
    )
    return EXIT_NO if naming else EXIT_DONE
