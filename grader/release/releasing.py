"""Whether grades may be released, and the release."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.course import dispositions
from grader.errors import UsageError
from grader.release import frozen, keeping
from grader.reports import difference
from grader.reports.words import open_lines
from grader.results import log
from grader.run.scores import Scores, scores_of
from grader.wording import listed, points


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`refused`: why nothing was released, one sentence each. `changed`: against the release before.

    `completed`: these scores were frozen before, by a command that was stopped.
    """

    number: int
    refused: tuple[str, ...]
    changed: difference.Difference | None
    completed: bool = False
    advice: tuple[str, ...] = ()


def release(folder: Path, assignment: Assignment, who: str, *, only_rise: bool, open_points: bool) -> Outcome:
    """Freeze the scores of a folder, or say what must be done first.

    Raises UsageError for a broken log, for marks that do not count, and when nothing changed since the last release.
    """
    entries = log.read(folder)
    scores, before = scores_of(folder, assignment), frozen.read(folder)
    if scores.unused:
        raise UsageError("\n".join(sentence for _, sentence in scores.unused))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    release = frozen.freeze(scores.reports, before, who, now, entries)
    changed = difference.compare(before.reports, scores.reports) if before else None
    if before and changed and changed.nothing:
        if log.untold(folder, entries) or keeping.stale(folder, scores):
            keeping.keep(folder, assignment, who)
            return Outcome(number=before.number, refused=(), changed=None, completed=True)
        raise UsageError(
            f"these scores were released on {before.when} by {before.who} (release {before.number}), and nothing "
            "changed since"
        )
    reasons = {
        "decide rows with `grader settle`": _undecided(scores),
        "give points in marks.csv (--open-points releases without them)": [] if open_points else _open(scores),
        "without --only-rise scores may fall": _fallen(changed) if only_rise and changed else [],
    }
    refused = [sentence for sentences in reasons.values() for sentence in sentences]
    if not refused:
        frozen.write(release, folder)
        keeping.keep(folder, assignment, who)
    advice = tuple(word for word, sentences in reasons.items() if sentences)
    return Outcome(number=release.number, refused=tuple(refused), changed=changed, advice=advice)


def _undecided(scores: Scores) -> list[str]:
    left = dispositions.open_rows(scores.rows)
    return [f"{row.submission}: {row.what} (row {row.id} is not decided)" for row in left]


def _open(scores: Scores) -> list[str]:
    """Items whose points nobody gave yet. What could not be judged, and figures in doubt, are rows of their own."""
    waiting: dict[str, list[str]] = {}
    for report in scores.reports:
        for line in open_lines(report) if not report.refused else ():
            if line.state == "skipped" or (line.state == "awaiting" and line.result is None):
                waiting.setdefault(line.item, []).append(report.key)
    return [f"the points of {item} are open for {listed(keys)}" for item, keys in waiting.items()]


def _fallen(changed: difference.Difference) -> list[str]:
    return [
        f"{change.key}: fell from {points(change.before)} to {points(change.after)}"
        for change in changed.changed
        if change.after < change.before
    ]
