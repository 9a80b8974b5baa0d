"""The end of every command that scores: results are written, and shown."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.commands.shared import exit_code_of, who
from grader.errors import UsageError
from grader.model import Report
from grader.release.keeping import keep
from grader.reports import terminal
from grader.results import log
from grader.run.scores import scoring_of, write_results


def finish(
    out: Path,
    assignment: Assignment,
    *,
    lenient: bool = False,
    as_json: bool = False,
    by: str = "",
    what: str = "scored",
    facts: Mapping[str, object] | None = None,
    pages: bool = True,
) -> int:
    """Write and show the results of a folder, from its journal; its log says `what` was done. Returns the exit code."""
    if lenient and log.head(out):
        raise UsageError(f"{out}: decisions were made here, so its scores are not lenient; copy the folder to look")
    if lenient:
        scores = write_results(scoring_of(out, assignment, lenient=True), pages=pages)
    else:
        scores = keep(out, assignment, who(by), what, facts, pages=pages)
    show(scores.reports, out, as_json)
    sys.stderr.write("".join(f"note: {sentence}\n" for _, sentence in scores.notices))
    return exit_code_of(scores.reports)


def show(reports: Sequence[Report], out: Path, as_json: bool) -> None:
    """The class on standard output."""
    if as_json:
        paths = {report.key: out / report.key / "results.json" for report in reports}
        whole = {key: json.loads(path.read_bytes()) for key, path in paths.items()}
        sys.stdout.write(json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
        return
    if not terminal.printed(lambda: terminal.class_table(reports)):
        sys.stdout.write(terminal.class_text(reports))
    sys.stdout.write(
        f"Results: {out}/ (summary.csv, items.csv, attention.csv, intake.csv; per submission results.json, "
        "report.html, report.json)\n"
    )
