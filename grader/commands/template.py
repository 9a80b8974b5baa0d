"""`grader template`: generate the student templates, or say whether the committed ones are stale."""

from __future__ import annotations

import sys
from pathlib import Path

from grader.commands.runs import require_reference
from grader.commands.shared import open_assignment
from grader.errors import EXIT_DONE, EXIT_NO
from grader.templates import generate


def run(slug: str, check: bool, assignments: Path | None) -> int:
    """Write the templates, or compare. Returns 1 when a committed template is stale or a proof fails."""
    folders, assignment = open_assignment(slug, assignments)
    require_reference(folders)
    if problems := generate.proofs_of(assignment):
        sys.stdout.write("\n".join(problems) + "\n")
        return EXIT_NO
    if check:
        stale = generate.stale(assignment)
        sys.stdout.write("\n".join(stale) + "\n" if stale else f"{slug}: templates are up to date\n")
        return EXIT_NO if stale else EXIT_DONE
    written = generate.write(assignment)
    listing = "\n".join(f"  {name}" for name in written)
    sys.stdout.write(f"{folders.template}: {len(written)} file(s) changed\n{listing}".rstrip() + "\n")
    return EXIT_DONE
