"""Results written so that the log knows: every change of scores after the first decision has a line there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from grader.assignment.assignment import Assignment
from grader.course import dispositions, marks, voids
from grader.model import Report
from grader.release import frozen
from grader.reports.files import pages_of, texts
from grader.results import journal, log
from grader.run.courses import COURSE_PATH, TIMES, remembered_course
from grader.run.scores import Scores, outlines_of, scoring_of, write_results
from grader.wording import points

# What scores are made of, and what was released.
SOURCES = (journal.NAME, COURSE_PATH, TIMES, voids.NAME, dispositions.NAME, frozen.NAME)


def keep(
    folder: Path,
    assignment: Assignment,
    who: str,
    what: str = "scored",
    facts: Mapping[str, Any] | None = None,
    *,
    pages: bool = True,
) -> Scores:
    """Score a folder, tell its log what was done, and write all results. Every report is in outline.

    With `facts` it is a decision, with which a log begins; without, it is told if there is a log and something changed.
    A release that released.json holds and the log does not tell of is told first, though the command was stopped.
    """
    scoring = scoring_of(folder, assignment)
    entries, head = log.read(folder), ""
    untold = log.untold(folder, entries)
    if entries or untold or facts is not None:
        state = {
            "sources": sources(folder),
            "manifest": manifest(assignment),
            "scores": figures(outlines_of(scoring).reports),
        }
        if untold and (now := frozen.read(folder)):
            told_of = {"release": now.number, "submissions": len(now.reports)}
            head = log.append(folder, now.who, "released", {**told_of, **state})
        changed = not untold and any(entries[-1].facts.get(name) != state[name] for name in state) if entries else False
        if facts is not None or changed:
            head = log.append(folder, who, what, {**(facts or {}), **state})
        if head:
            scoring = replace(scoring, log=head)
    return write_results(scoring, pages=pages)


def stale(folder: Path, scores: Scores) -> bool:
    """Whether a file of results is not what these scores give, as a command leaves it that was stopped."""
    return any(
        log.digest(folder / path) != hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        for path, text in expected(folder, scores)
    )


def expected(folder: Path, scores: Scores) -> Iterator[tuple[Path, str]]:
    """Path and text of every file of results; of pages only where there are any: `score --no-pages` takes all away."""
    pages = any((folder / page).exists() for report in scores.reports for page in pages_of(report.key))
    return texts(scores.reports, scores.others, scores.notices, pages=pages)


def sources(folder: Path) -> dict[str, str]:
    """The digests of the files that scores are made of."""
    files = {name: folder / name for name in SOURCES} | marks.files(folder)
    if course := remembered_course(folder):
        files[course.path.name] = course.path
    return {name: found for name, path in files.items() if (found := log.digest(path))}


def manifest(assignment: Assignment) -> str:
    """The digest of what the manifest says of points: another one gives other scores, and nobody altered them."""
    said = (assignment.total, assignment.items, assignment.rules, assignment.choices, assignment.caps)
    text = repr((*said, assignment.tracks, assignment.late, assignment.counts))
    return hashlib.sha256(text.encode()).hexdigest()


def figures(reports: list[Report]) -> str:
    """The digest of everybody's points; the number of an attempt is part of it."""
    text = "\n".join(
        f"{report.key} {report.attempt} {points(report.score)} {points(report.open_points)} {report.unfinished}"
        for report in sorted(reports, key=lambda report: report.key)
    )
    return hashlib.sha256(text.encode()).hexdigest()
