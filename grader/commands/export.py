"""`grader export`: released scores for the course system, for mails, or as a table."""

from __future__ import annotations

import sys
from pathlib import Path

from grader.commands.score import slug_of
from grader.commands.shared import open_assignment
from grader.course import sheets
from grader.errors import EXIT_DONE, EXIT_NO, UsageError
from grader.release import exporting
from grader.reports.files import writable


def run(
    folder: Path,
    target: str,
    out: Path,
    *,
    sheet: Path | None,
    column: str,
    comments: str | None = "",
    anonymous: bool,
    partial: bool,
    assignments: Path | None,
) -> int:
    """Write the file, or – not `partial` – say who is missing and write nothing. Returns the exit code."""
    if target not in exporting.TARGETS:
        raise UsageError(
            f"--for {target!r}: expected one of {', '.join(exporting.TARGETS)}{sheets.near(target, exporting.TARGETS)}"
        )
    if (sheet is None and target == "canvas") or (sheet is not None and target not in exporting.SHEETS):
        raise UsageError("--for canvas fills in its own export, and --for moodle may: name it with --sheet")
    if comments and (target != "moodle" or sheet is None):
        raise UsageError("--comments names a column of Moodle's grading worksheet: give it with --for moodle --sheet")
    if anonymous and target != "csv":
        raise UsageError(f"--anonymous: a file for {target} must say who is who; it is for --for csv")
    if sheet is not None and out.resolve() == sheet.resolve():
        raise UsageError(f"{out} is the export itself; give --out another name, so that it stays as it was")
    writable(out)
    _, assignment = open_assignment(slug_of(folder), assignments)
    what = exporting.released(folder, assignment)
    if sheet is not None:
        made = exporting.into_sheet(what, target, sheet, column, comments)
    elif target == "csv":
        made = exporting.table(what, anonymous=anonymous)
    else:
        made = exporting.for_mails(what) if target == "mail" else exporting.for_import(what)
    sys.stderr.writelines(f"note: {sentence}\n" for sentence in made.notes)
    sys.stderr.writelines(f"{sentence}\n" for sentence in (*made.problems, *made.refusals))
    if made.refusals or (made.problems and not partial):
        count = len(made.problems) + len(made.refusals)
        advice = "name the right column, or make the points equal" if made.refusals else "--partial writes the others"
        sys.stderr.write(f"grader: nothing was written, because of these {count}; {advice}\n")
        return EXIT_NO
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        sheets.write_private(out, made.text, made.encoding)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror}; name another file with --out") from None
    sys.stdout.write(f"{out}\n")
    return EXIT_DONE
