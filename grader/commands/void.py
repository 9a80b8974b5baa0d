"""`grader void`: an item that was wrong counts the same for everybody."""

from __future__ import annotations

from pathlib import Path

from grader.commands.finishing import finish
from grader.commands.score import slug_of
from grader.commands.shared import open_assignment, who
from grader.course import voids
from grader.errors import UsageError
from grader.reports.files import write_text
from grader.results import log


def run(folder: Path, item: str, how: str, by: str, why: str, assignments: Path | None) -> int:
    """Write voids.csv, and the scores with it; `how` "" takes a void back. Returns the exit code."""
    _, assignment = open_assignment(slug_of(folder), assignments)
    log.head(folder)  # a log that is broken is told before anything is written
    path = folder / voids.NAME
    before = voids.read(path, assignment)
    kept = [void for void in before if void.item != item]
    if not how and len(kept) == len(before):
        raise UsageError(f"{item} is not voided in {path}, so there is nothing to take back")
    try:
        kept += [voids.checked(item, how, who(by), why, assignment)] if how else []
    except ValueError as error:
        raise UsageError(f"{error}; nothing was changed") from None
    write_text(path, voids.listed(kept))
    facts = {"item": item, "how": how or "taken back"}
    return finish(folder, assignment, by=who(by), what="voided", facts=facts)
