"""What was altered behind the grader's back: the log's chain, what scores are made of, results, and the release."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.course import forgotten
from grader.errors import UsageError
from grader.model import Report
from grader.release import frozen, keeping
from grader.reports import difference, full
from grader.results import log
from grader.run.scores import scores_of


def audit(folder: Path, assignment: Assignment, head: str = "") -> list[str]:
    """Everything that does not fit, one sentence each; nothing when all does. `head` is what a feedback file prints.

    Raises UsageError for a folder without a log, and for sources that cannot be scored.
    """
    entries, broken = log.examine(folder)
    if broken:
        return [broken]
    cut = log.missing(folder, entries)
    if not entries and not cut:
        raise UsageError(f"{folder} has no {log.NAME}: nothing was decided or released there, or the log was deleted")
    known = {entry.digest for entry in entries}
    strange = [head] if head and not any(digest.startswith(head) for digest in known) else []
    found = [
        f"no line of the log has the digest {name}: lines were cut off, or all was written anew" for name in strange
    ]
    if cut:
        return [*found, cut]
    if any(entry.begun for entry in forgotten.read(folder)):
        found.append("a `grader forget` was stopped before its end; say it again")
    found += _sources(folder, assignment, entries)
    scores = scores_of(folder, assignment)
    for path, text in keeping.expected(folder, scores):
        found += _altered(folder, path, text, known)
    return [*found, *_against_release(folder, scores.reports)]


def _sources(folder: Path, assignment: Assignment, entries: Sequence[log.Entry]) -> Iterator[str]:
    """What scores are made of, against what the log's last line says of it."""
    last = entries[-1]
    since = f"since line {last.number} of the log ({last.when}, {last.who}: {last.what})"
    then, now = last.facts.get("sources", {}), keeping.sources(folder)
    for name in sorted(then.keys() | now.keys()):
        if then.get(name) != now.get(name):
            change = "was deleted" if name not in now else "was changed" if name in then else "is new"
            yield f"{name} {change} {since}; if that is meant, `grader score` takes it in"
    if last.facts.get("manifest") != keeping.manifest(assignment):
        yield f"the items or rules of the manifest changed {since}; if that is meant, `grader score` takes it in"


def _altered(folder: Path, path: Path, text: str, heads: set[str]) -> Iterator[str]:
    """A file of results against what journal and decisions give."""
    try:
        there = (folder / path).read_bytes().decode("utf-8", "replace")
    except OSError:
        yield f"{path} is missing"
        return
    if there == text.encode("utf-8", "replace").decode():
        return
    if path.name != "report.json":
        yield f"{path} is not what journal and decisions give"
        return
    try:
        had, gives = full.load(there, str(path)), full.load(text)
    except UsageError as error:
        yield str(error)
        return
    if had.log and had.log not in heads:
        yield f"{path} names a line of the log that is not there ({had.log[:16]}): lines were cut off"
    found = difference.compare([gives], [had])
    yield (
        f"{path} is not what journal and decisions give:\n{difference.text(found).rsplit(chr(10), 2)[0]}"
        if found.changed
        else f"{path} has the points, and other texts than journal and decisions give"
    )


def _against_release(folder: Path, reports: Sequence[Report]) -> list[str]:
    released = frozen.read(folder)
    if released is None:
        return []
    found = difference.compare(released.reports, reports)
    if found.nothing:
        return []
    return [f"the scores are not those of release {released.number}:\n{difference.text(found).rstrip()}"]
