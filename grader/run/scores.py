"""Stored results → reports and their files. Runs no code.

Theory of operation
- What a report needs of the class is little: who handed in what, and when, who else did the same, the course, marks,
  voids. It is gathered first, from the journal's index (`scoring_of`).
- Then every author stands alone: what was judged of their attempts is read, scored and written, and forgotten again.
  Processes share the authors; of each only an outline stays, of which the tables of the class are made. So a class of
  any size needs little memory, and all processors.
- Only decisions (dispositions.csv) need a look at all scores before the first file is written: what is decided may
  bring up another question.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from grader.assignment.assignment import Assignment
from grader.course import dispositions, marks, voids
from grader.course.terms import Terms
from grader.errors import UsageError
from grader.model import Decision, Graded, Mark, Report, Void
from grader.reports import files
from grader.reports.outlines import outline
from grader.results import log
from grader.results.index import Index
from grader.run.courses import held_by
from grader.run.kept import Author, Kept, common, keep
from grader.run.processes import in_processes
from grader.scoring import score, score_class
from grader.scoring.attention import Demand, demands
from grader.scoring.duplicates import duplicates
from grader.scoring.lateness import USUAL

BATCH = 20  # authors whose results are in memory at once

Entry = TypeVar("Entry")
Write = Callable[[Report, bool], dict[str, str]]  # a report, and whether it is of the attempt that counts


@dataclass(frozen=True, kw_only=True)
class Scores:
    """The scores of a results folder: a report for each author, one for every attempt that does not count, and
    (key or "", sentence) for what concerns no report. `unused` are marks that do not count, `rows` what to decide.
    """

    reports: list[Report]
    others: list[Report]
    notices: list[tuple[str, str]]
    unused: tuple[tuple[str, str], ...] = ()
    rows: list[dispositions.Row] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """What the scores of a folder hang on beside what was judged: `attempts` are the keys of each author's, `times`,
    `alike` and `terms` what is known of keys and authors; `unused` and `notices` as in `Scores`."""

    folder: Path
    assignment: Assignment
    index: Index
    attempts: Mapping[str, Sequence[str]]
    times: Mapping[str, str | None]
    alike: Mapping[str, tuple[str, ...]]
    terms: Mapping[str, Terms]
    marks: Mapping[str, Sequence[Mark]]
    voids: Sequence[Void]
    notices: Sequence[tuple[str, str]]
    unused: tuple[tuple[str, str], ...]
    lenient: bool
    log: str


@dataclass(frozen=True, kw_only=True)
class _Way:
    """How authors are scored: every report is given to `write`, which writes `pages` or takes them away; what is `kept`
    of them need not be made again. With `words`, in which what they say often is once, reports are whole, and stay."""

    write: Write | None = None
    pages: bool = True
    kept: Kept | None = None
    words: dict[str, str] | None = None


def scores_of(folder: Path, assignment: Assignment, *, lenient: bool = False, unmarked: bool = False) -> Scores:
    """Score a results folder from its journal, its course and what people added: marks, voids, dispositions.

    `unmarked`: as if nobody had given points. All reports are whole, which takes memory.
    """
    scoring = scoring_of(folder, assignment, lenient=lenient, unmarked=unmarked)
    return _scores(scoring, *_decided_on(scoring, _Way(words={})))


def reports_of(folder: Path, assignment: Assignment) -> list[Report]:
    """One report for each author in a results folder; as `scores_of`."""
    return scores_of(folder, assignment).reports


def outlines_of(scoring: Scoring) -> Scores:
    """The same with every report in outline."""
    return _scores(scoring, *_decided_on(scoring, _Way(kept=Kept(scoring.folder, _common(scoring)))))


def write_results(scoring: Scoring, *, pages: bool = True) -> Scores:
    """All result files of a folder; without `pages` only those that other programs read. Every report in outline.

    Raises `UsageError` for a key that cannot be a folder's name and a decision that cannot stand (nothing is written
    then), for a damaged line of the journal (what is written by then is right), `GraderError` when the disk refuses.
    """
    files.check_keys(scoring.attempts)
    files.check_keys(list(chain.from_iterable(scoring.attempts.values())))

    def write(report: Report, counts: bool) -> dict[str, str]:
        return files.write_submission(scoring.folder, report, counts=counts, pages=pages)

    made_of = _common(scoring)
    found, rows = _decided_on(scoring, _Way(write=write, pages=pages, kept=Kept(scoring.folder, made_of)))
    scores = _scores(scoring, found, rows)
    files.write_tables(scoring.folder, scores.reports, scores.notices)
    keep(scoring.folder, made_of, scoring.log, pages, found)
    return scores


def scoring_of(folder: Path, assignment: Assignment, *, lenient: bool = False, unmarked: bool = False) -> Scoring:
    """What the scores of a folder hang on. Raises UsageError or AuthorError for what cannot be scored."""
    index = Index(folder)
    held = held_by(folder, assignment, index.outlined())
    assignment = held.assignment
    given = marks.Given(()) if unmarked else marks.given(folder, assignment)
    attempts = _grouped(held.graded, lambda entry: entry.owner)
    unused = (*marks.strangers(given.marks, attempts), *given.disputes)
    return Scoring(
        folder=folder,
        assignment=assignment,
        index=index,
        attempts={owner: [entry.key for entry in own] for owner, own in sorted(attempts.items())},
        times={entry.key: entry.submitted_at for entry in held.graded},
        alike=duplicates(held.graded, assignment),
        terms=held.terms,
        marks=_grouped(given.marks, lambda mark: mark.submission),
        voids=voids.read(folder / voids.NAME, assignment),
        notices=[*unused, *held.notices, *(("", text) for text in index.head.notices)],
        unused=unused,
        lenient=lenient,
        log=log.head(folder),
    )


def _grouped(entries: Iterable[Entry], name: Callable[[Entry], str]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(name(entry), []).append(entry)
    return found


def _common(scoring: Scoring) -> str:
    """The digest of what the scores of all authors hang on."""
    head = scoring.index.head
    return common(scoring.assignment, head.seed, sorted(head.versions.items()), scoring.voids, scoring.lenient)


def _key(scoring: Scoring, owner: str, decisions: Sequence[Decision]) -> str:
    """The digest of what the scores of one author hang on beside; "" for several attempts, of which nothing is kept."""
    if len(scoring.attempts[owner]) > 1:
        return ""
    [key] = scoring.attempts[owner]
    given = [replace(mark, line=0, file="") for mark in scoring.marks.get(owner, ())]
    more = (key, scoring.times[key], scoring.alike.get(key, ()), given, scoring.terms.get(owner), list(decisions))
    return hashlib.sha256(scoring.index.lines(key) + repr(more).encode("utf-8", "replace")).hexdigest()


def _scores(scoring: Scoring, found: Mapping[str, Author], rows: list[dispositions.Row]) -> Scores:
    return Scores(
        reports=[author.report for author in found.values()],
        others=[report for author in found.values() for report in author.others],
        notices=list(scoring.notices),
        unused=scoring.unused,
        rows=rows,
    )


def _decided_on(scoring: Scoring, way: _Way) -> tuple[dict[str, Author], list[dispositions.Row]]:
    """The scores after what people decided, and what to decide; every report is given to `way.write` once.

    Raises UsageError for a bad line of dispositions.csv.
    """
    path = scoring.folder / dispositions.NAME
    looking = replace(way, write=None)
    at_once = looking if path.exists() else way
    found = _judged(scoring, scoring.attempts, {}, at_once)
    asked: dict[tuple[str, int], tuple[dispositions.Row, Demand]] = {}
    decisions: dict[str, list[Decision]] = {}
    while True:
        rows, now = _decided(scoring, found, asked, path)
        changed = {owner for owner in {*decisions, *now} if decisions.get(owner) != now.get(owner)}
        decisions = now
        if not changed:
            break
        found |= _judged(scoring, changed, decisions, looking)
    if way is not at_once and way.write is not None:
        found = _judged(scoring, scoring.attempts, decisions, way)
    return found, rows


def _judged(
    scoring: Scoring, owners: Collection[str], decisions: Mapping[str, Sequence[Decision]], way: _Way
) -> dict[str, Author]:
    """What becomes of some authors."""
    names = sorted(owners)

    def some(share: slice) -> list[Author]:
        mine = names[share]
        batches = [mine[begin : begin + BATCH] for begin in range(0, len(mine), BATCH)]
        return [author for batch in batches for author in _authors(scoring, batch, decisions, way)]

    at_once = way.words is not None
    return dict(zip(names, some(slice(None)) if at_once else in_processes(some, len(names)), strict=True))


def _authors(
    scoring: Scoring, owners: Sequence[str], decisions: Mapping[str, Sequence[Decision]], way: _Way
) -> list[Author]:
    """What becomes of a few authors: what is kept of them, or it is made anew."""
    if way.kept is None:
        return _made(scoring, owners, decisions, way)
    keys = {owner: _key(scoring, owner, decisions.get(owner, ())) for owner in owners}
    pages = way.pages if way.write is not None else None
    known = {owner: way.kept.author(owner, key, scoring.log, pages) for owner, key in keys.items()}
    new = [owner for owner, author in known.items() if author is None]
    made = dict(zip(new, _made(scoring, new, decisions, way), strict=True))
    return [known[owner] or replace(made[owner], key=keys[owner]) for owner in owners]


def _made(
    scoring: Scoring, owners: Sequence[str], decisions: Mapping[str, Sequence[Decision]], way: _Way
) -> list[Author]:
    """Step by step, so that a processor keeps the code of each in its caches."""
    judged = [[_graded(scoring, key, way.words) for key in scoring.attempts[owner]] for owner in owners]
    scored = [_scored(scoring, owner, own, decisions.get(owner, ())) for owner, own in zip(owners, judged, strict=True)]
    if way.words is not None:
        return [Author(report, others, demands(report)) for report, others in scored]
    written = [_written(report, others, way.write) for report, others in scored]
    return [
        Author(outline(report), [outline(one) for one in others], demands(report), written=digests)
        for (report, others), digests in zip(scored, written, strict=True)
    ]


def _written(report: Report, others: Sequence[Report], write: Write | None) -> dict[str, str]:
    if write is None:
        return {}
    digests = write(report, True)
    for one in others:
        write(one, False)
    return digests


def _scored(
    scoring: Scoring, owner: str, own: Sequence[Graded], decisions: Sequence[Decision]
) -> tuple[Report, list[Report]]:
    """The report of the attempt that counts, and those of the others."""
    given = scoring.marks.get(owner, ())
    usual: dict[str, Any] = {"lenient": scoring.lenient, "voids": scoring.voids}
    terms = scoring.terms.get(owner, USUAL)
    [counts] = score_class(own, scoring.assignment, given, {owner: terms}, **usual, decisions=decisions)
    report = replace(counts, log=scoring.log)
    others = [
        replace(
            score(replace(entry, key=owner), scoring.assignment, given, terms, **usual, decisions=decisions),
            key=entry.key,
            log=scoring.log,
        )
        for entry in own
        if entry.attempt != report.attempt
    ]
    return report, others


def _graded(scoring: Scoring, key: str, words: dict[str, str] | None) -> Graded:
    found = scoring.index.graded(key, words)
    alike, when = scoring.alike.get(key, ()), scoring.times[key]
    if not alike and when == found.submitted_at:
        return found
    return replace(found, submitted_at=when, attention=(*alike, *found.attention))


def _decided(
    scoring: Scoring,
    found: Mapping[str, Author],
    asked: dict[tuple[str, int], tuple[dispositions.Row, Demand]],
    path: Path,
) -> tuple[list[dispositions.Row], dict[str, list[Decision]]]:
    """Every sentence for a person, and what was decided that changes scores, by author.

    `asked` gathers what was ever asked: what is decided may bring up another question (points given back are taken by
    the next rule), so it goes in rounds.
    """
    for owner, author in found.items():
        for demand in author.demands:
            row = dispositions.row(owner, demand.sentence, must=True)
            asked[row.id, author.report.attempt] = (row, demand)
    said = [(owner, text) for owner, author in found.items() for text in author.report.attention]
    others = [dispositions.row(key, text) for key, text in (*said, *scoring.notices[len(scoring.unused) :])]
    now = {row.id: row for row in others}
    must = {row.id: row for row, _ in asked.values()}
    rows = dispositions.settled(path, [*must.values(), *(row for name, row in now.items() if name not in must)])
    rows = [row for row in rows if row.decision or row.id in now]
    by_id = {row.id: row for row in rows}
    decided = [
        decision
        for (name, attempt), (_, demand) in asked.items()
        if name in by_id and (decision := _meant(by_id[name], attempt, demand, path))
    ]
    return rows, _grouped(decided, lambda decision: decision.submission)


def _meant(row: dispositions.Row, attempt: int, demand: Demand, path: Path) -> Decision | None:
    """What a row changes about the attempt that it was said of.

    Raises UsageError for a figure that is said to be changed by a mark that nobody gave.
    """
    if demand.item and row.decision == "changed":
        raise UsageError(
            f"{path}: the row {row.id} says that {demand.item} of {row.submission} is changed, and {marks.FILE} has no "
            f"points for it: add the line {row.submission},{demand.item},POINTS there, or accept what was measured"
        )
    if (demand.rule and row.decision == "changed") or (demand.item and row.decision):
        return Decision(submission=row.submission, attempt=attempt, rule=demand.rule, item=demand.item)
    return None
