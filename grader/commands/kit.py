"""`grader kit`: the zip that students get to check their work at home."""

from __future__ import annotations

import sys
from pathlib import Path

from grader.commands.runs import require_reference
from grader.commands.shared import open_assignment
from grader.errors import EXIT_DONE
from grader.kit import making


def run(slug: str, out: Path | None, assignments: Path | None) -> int:
    """Make the kit and say what is in it."""
    folders, assignment = open_assignment(slug, assignments)
    require_reference(folders)
    out = out or Path(f"{slug}-kit.zip")
    making.write(assignment, folders, out)
    automatic = sum(item.kind == "automatic" for item in assignment.items)
    sys.stdout.write(
        f"wrote {out} ({out.stat().st_size / (1 << 20):.1f} MiB)\n"
        f"It shows the tests of {len(assignment.kit)} of {automatic} automatic items, with the reference's values on a "
        "few cases of each; give it to your students\n"
    )
    return EXIT_DONE
