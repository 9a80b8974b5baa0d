"""`grader check`: a student's self-check with the public checks, on any system, without a sandbox."""

from __future__ import annotations

import json as json_module
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from grader import intake
from grader.commands.runs import progress_bar, recordings_for, require_reference, seed_for
from grader.commands.shared import exit_code_of, open_assignment
from grader.errors import EXIT_DONE, EXIT_NO
from grader.kit.opening import closing, collect, recording_of
from grader.model import Graded, Refused, Report, Submission
from grader.reports import gradescope, terminal
from grader.reports.words import WRONG
from grader.run.engine import Recordings
from grader.run.grading import PUBLIC_SEED, automatic_items, grade_in_memory, trainings_of
from grader.sandbox.launch import Launched, unconfined
from grader.scoring import score

UNPROTECTED = "no sandbox was used: the code ran as you, and could do what you can do"


def run(
    slug: str,
    path: Path,
    only: Sequence[str],
    as_json: bool,
    assignments: Path | None,
    *,
    training: bool = False,
    recording: Path | None = None,
    no_cache: bool = False,
    out: Path | None = None,
    launched: Launched | None = None,
) -> int:
    """Check one submission, and put its files into a zip at `out`. `launched`: a process that was started ahead.

    Returns 1 when a check fails, 3 when the grader could not do its work.
    """
    folders, assignment = open_assignment(slug, assignments)
    kit = recording_of(folders) if recording is None else None
    require_reference(folders, recording or kit)
    items = automatic_items(assignment, only, public=True)
    trainings = trainings_of(assignment, "made" if training else "off")
    seed = seed_for(None, recording) or PUBLIC_SEED
    recordings = recordings_for(recording, no_cache) if kit is None else Recordings(given=kit)
    with tempfile.TemporaryDirectory() as workspace:
        [found] = intake.take([path.resolve()], assignment, Path(workspace).resolve(), single=True)
        if isinstance(found, Refused):
            report = score(Graded(key=found.key, refused=found.reason), assignment)
        else:
            with progress_bar(assignment.slug) as tell:
                [graded] = grade_in_memory(
                    assignment,
                    folders,
                    [found],
                    seed=seed,
                    items=items,
                    workers=unconfined(),
                    launched=launched,
                    tell=tell,
                    trainings=trainings,
                    recordings=recordings,
                )
            report = score(graded, assignment)
        _show(report, as_json)
        if kit is not None and not as_json:
            sys.stdout.writelines(f"{line}\n" for line in closing(assignment))
        if out is not None and isinstance(found, Submission):
            sys.stdout.writelines(f"{line}\n" for line in collect(assignment, found, folders.template, out))
    sys.stderr.write(f"note: {UNPROTECTED}\n")
    if code := exit_code_of([report]):
        return code
    failed = any(line.state in WRONG for line in report.lines)
    return EXIT_NO if failed or report.refused else EXIT_DONE


def _show(report: Report, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json_module.dumps(gradescope.results(report), indent=2, ensure_ascii=False) + "\n")
        return
    if not terminal.printed(lambda: terminal.check_report(report)):
        sys.stdout.write(terminal.check_text(report) + "\n")
