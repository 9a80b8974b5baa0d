"""`grader replay`: one check of one report again, on the same files, cases and seed, for an appeal."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.commands.runs import recordings_for, require_reference, seed_for, trainings_for
from grader.commands.shared import open_assignment
from grader.errors import EXIT_DONE, EXIT_NO, UsageError
from grader.model import CheckResult, Submission
from grader.reports import full
from grader.reports.files import writable
from grader.results.journal import NAME as JOURNAL
from grader.results.journal import SUBMISSIONS, Contents, Stored, read
from grader.run.engine import Trainings
from grader.run.grading import automatic_items, grade_in_memory
from grader.thresholds import of_training

DETAILS = ("status", "credit", "reason", "message", "hint", "case", "route", "binding")


def run(
    report: Path,
    item: str,
    assignments: Path | None,
    recording: Path | None = None,
    no_cache: bool = False,
    script: Path | None = None,
) -> int:
    """Run the check again and compare; with `script`, write one that shows what is wrong without the grader.

    Returns 1 when the outcome is another one than reported.
    """
    if script is not None:
        writable(script)
        writable(script.with_suffix(".npz"))
    folder, key = _place(report)
    contents = read(folder)
    if not contents.slug:
        raise UsageError(f"{folder} holds no journal; give the report.json inside a folder that `grader grade` wrote")
    stored = contents.submissions.get(key)
    if stored is None or item not in stored.results:
        known = ", ".join(stored.results) if stored else "none"
        raise UsageError(f"the journal holds no result of item {item!r} for {key!r}; it holds {known}")
    folders, assignment = open_assignment(contents.slug, assignments)
    require_reference(folders, recording)
    automatic_items(assignment, [item])
    if script is not None:
        _may_be_scripted(assignment, item)
    submission = _submission(folder, key, stored)
    before = stored.results[item]
    with tempfile.TemporaryDirectory() as scratch:
        [graded] = grade_in_memory(
            assignment,
            folders,
            [submission],
            seed=seed_for(contents.seed, recording) or contents.seed,
            items=(item,),
            trainings=_trainings(before, assignment),
            show=True,
            calls=Path(scratch),
            recordings=recordings_for(recording, no_cache),
        )
        after = graded.results[item]
        _show(key, before, after, contents)
        if script is not None:
            _write(script, Path(scratch) / f"{key}.{item}", assignment, submission, after)
    return EXIT_DONE if _same(before, after) else EXIT_NO


def _may_be_scripted(assignment: Assignment, item: str) -> None:
    from grader.kit.script import refusal  # with torch

    if why := refusal(assignment, item):
        raise UsageError(why)


def _write(script: Path, calls: Path, assignment: Assignment, submission: Submission, result: CheckResult) -> None:
    from grader.kit.script import write

    written = write(script, calls, assignment, submission, result)
    sys.stdout.write(f"Wrote {' and '.join(map(str, written))}; for the student, beside the submission's files.\n")


def _place(report: Path) -> tuple[Path, str]:
    """(results folder, key of the attempt) of a report.json or of the folder that holds it."""
    path = report / "report.json" if report.is_dir() else report
    if not path.is_file():
        raise UsageError(f"{path} does not exist; give a report.json, or the folder of a submission in the results")
    found = full.load(path.read_text(encoding="utf-8"), str(path))
    above = path.resolve().parents
    folder = next((step for step in above[1:4] if (step / JOURNAL).exists()), above[1])
    return folder, next((entry.key for entry in found.attempts if entry.number == found.attempt), found.key)


def _submission(folder: Path, key: str, stored: Stored) -> Submission:
    root = folder / SUBMISSIONS / key
    if not root.is_dir():
        raise UsageError(f"the files of {key!r} are not in {root}; they are needed to run the check again")
    return Submission(key=key, root=root.resolve(), digest=stored.digest, files=stored.facts.get("files", {}))


def _trainings(before: CheckResult, assignment: Assignment) -> Trainings:
    """The data and the device of the training that is replayed."""
    figures = of_training(before)
    if figures is None:
        return trainings_for(assignment, "off", "cuda" if assignment.item(before.item).needs.gpu else "cpu")
    return trainings_for(assignment, str(figures["source"]), str(figures["device"]))


def _same(before: CheckResult, after: CheckResult) -> bool:
    seen = [(r.status, r.credit, r.observation, _value(r)) for r in (before, after)]
    return seen[0] == seen[1]


def _value(result: CheckResult) -> object:
    """The figure of a training; equal seeds give equal ones on the same machine."""
    return (of_training(result) or {}).get("value")


def _show(key: str, before: CheckResult, after: CheckResult, contents: Contents) -> None:
    write = sys.stdout.write
    write(f"{key}, item {before.item}, seed {contents.seed}\n")
    for name in DETAILS:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            write(f"  {name}: reported {old}\n  {' ' * len(name)}  now      {new}\n")
        elif new:
            write(f"  {name}: {new}\n")
    if after.staff:
        write(f"{after.staff}\n")
    write("Reproduced.\n" if _same(before, after) else "NOT reproduced: the outcome is another one.\n")
