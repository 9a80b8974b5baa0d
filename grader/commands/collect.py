"""`grader collect`: what was pushed in time, from a list of repositories into a folder that `grader grade` reads."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from grader.assignment.moments import instant
from grader.commands.shared import course_for, open_assignment
from grader.course.plan import load
from grader.course.sheets import text_in_rows, write_private
from grader.course.terms import granted
from grader.errors import EXIT_DONE, EXIT_NO, UsageError
from grader.intake.candidates import Candidate, with_keys
from grader.intake.repositories import Collected, Repository, collect, repositories

LIST, TIMES, SUBMISSIONS = "collected.csv", "times.csv", "submissions"


def run(slug: str, repos: Path, due: str, course: Path | None, out: Path, assignments: Path | None) -> int:
    """Collect into `out`. Returns 1 when a repository could not be had. Raises UsageError."""
    if not repos.exists():
        raise UsageError(f"there is nothing at {repos}; name a CSV (who, url) or a folder of clones")
    wanted = repositories(repos)
    deadlines = _deadlines(wanted, slug, due, course, out, assignments)
    before = _before(out / LIST)
    found = collect(wanted, deadlines, out / SUBMISSIONS, {who: commit for who, (commit, _) in before.items()})
    found = [_still_there(entry, before) for entry in found]
    labels = {entry.who: with_keys([Candidate(label=entry.who)], slug)[0][0] for entry in found}
    times = [(labels[entry.who], entry.time) for entry in found if entry.time]
    write_private(out / TIMES, text_in_rows([("who", "time"), *times]))
    rows = [(e.who, e.commit, e.time, deadlines[e.who].isoformat(), e.trouble, "; ".join(e.notes)) for e in found]
    write_private(out / LIST, text_in_rows([("who", "commit", "time", "due", "trouble", "notes"), *rows]))
    sys.stdout.writelines(f"{line}\n" for entry in found if (line := _line(entry)))
    missing = sum(bool(entry.trouble) for entry in found)
    sys.stdout.write(
        f"{len(found) - missing} of {len(found)} repositories: "
        f"grader grade {slug} {out / SUBMISSIONS} --times {out / TIMES}\n"
    )
    return EXIT_NO if missing else EXIT_DONE


def _line(entry: Collected) -> str:
    return f"{entry.who}: {entry.trouble or '; '.join(entry.notes)}" if entry.trouble or entry.notes else ""


def _still_there(entry: Collected, before: Mapping[str, tuple[str, str]]) -> Collected:
    """What could not be had this time, with what an earlier call collected: that archive stays."""
    if not entry.trouble or entry.who not in before:
        return entry
    commit, time = before[entry.who]
    return replace(entry, commit=commit, time=time, notes=("what was collected before stays",))


def _before(path: Path) -> dict[str, tuple[str, str]]:
    """Commit and time of what an earlier call collected."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {row["who"]: (row["commit"], row["time"]) for row in csv.DictReader(file) if row.get("commit")}


def _deadlines(
    wanted: list[Repository], slug: str, due: str, given: Path | None, out: Path, assignments: Path | None
) -> dict[str, datetime]:
    """Each person's own deadline, grace included: of `due`, else of the course, else of the manifest."""
    if due:
        try:
            return dict.fromkeys((entry.who for entry in wanted), instant(due, None))
        except ValueError as error:
            raise UsageError(f"--due: {error}") from None
    _, assignment = open_assignment(slug, assignments)
    place = course_for(out, slug, assignments, given)
    course = None if place is None else load(place, assignment)
    late = (course.applied(assignment) if course is not None else assignment).late
    if late.due is None:
        raise UsageError(f"{slug} has no deadline in course.yaml or its manifest: give --due TIME")
    names = [entry.who for entry in wanted]
    terms = granted(course, slug, (), names).terms if course is not None else {}
    zone = course.zone if course is not None else None
    grace = timedelta(hours=late.grace_hours)
    return {name: instant((terms[name].due if name in terms else "") or str(late.due), zone) + grace for name in names}
