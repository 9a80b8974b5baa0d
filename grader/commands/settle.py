"""`grader settle`: what must be decided before grades are released, and what was."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from grader.commands.score import slug_of
from grader.commands.shared import open_assignment, who
from grader.course import dispositions, sheets
from grader.errors import EXIT_DONE, UsageError
from grader.release.keeping import keep
from grader.reports.files import write_text
from grader.run.scores import scores_of
from grader.wording import plural


def run(folder: Path, names: Sequence[str], decision: str, by: str, why: str, assignments: Path | None) -> int:
    """Decide the rows named, write dispositions.csv and the scores that follow, and say what is left."""
    _, assignment = open_assignment(slug_of(folder), assignments)
    rows = scores_of(folder, assignment).rows
    known = {row.id for row in rows}
    if strange := [name for name in names if name not in known]:
        advice = sheets.near(strange[0], known) or f"; they stand in {folder / dispositions.NAME}"
        raise UsageError(f"there is no row {strange[0]!r}{advice}")
    if bool(names) != bool(decision) or (names and not why.strip()):
        raise UsageError("name the rows, and say --accept or --change, and --why")
    rows = [replace(row, decision=decision, by=who(by), why=why) if row.id in names else row for row in rows]
    path = folder / dispositions.NAME
    before = path.read_text("utf-8") if path.exists() else dispositions.listed([])
    write_text(path, dispositions.listed(rows))
    try:
        scores = keep(
            folder, assignment, who(by), "settled", {"rows": len(names), "decision": decision} if names else None
        )
    except UsageError:
        write_text(path, before)  # a decision that cannot stand
        raise
    left = dispositions.open_rows(scores.rows)
    sys.stdout.writelines(f"{row.id}  {row.submission}: {row.what}\n" for row in left)
    sys.stdout.write(
        f"{path}: {plural(sum(bool(row.decision) for row in scores.rows), 'row')} decided, {len(left)} must still be\n"
    )
    return EXIT_DONE
