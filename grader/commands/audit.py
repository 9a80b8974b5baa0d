"""`grader audit`: whether anything was altered behind the log's back."""

from __future__ import annotations

import sys
from pathlib import Path

from grader.commands.score import slug_of
from grader.commands.shared import open_assignment
from grader.errors import EXIT_DONE, EXIT_NO
from grader.release.auditing import audit
from grader.results import log


def run(folder: Path, head: str, assignments: Path | None) -> int:
    """Say what does not fit. Returns 1 when something does not."""
    _, assignment = open_assignment(slug_of(folder), assignments)
    found = audit(folder, assignment, head)
    sys.stdout.writelines(f"{sentence}\n" for sentence in found)
    if not found:
        entries = log.read(folder)
        head = entries[-1].digest
        sys.stdout.write(f"{folder}: {len(entries)} lines of the log, results and release fit; head {head}\n")
    return EXIT_NO if found else EXIT_DONE
