"""CSV tables of a class: one line per submission, per item, and per sentence that needs a person.

Cells that hold text from people or their code are escaped against spreadsheet formulas; line ends are Unix.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from grader.course.sheets import escaped, unescaped
from grader.model import Fate, Line, LineState, Report
from grader.reports.words import MISSED, STATE_WORDS, state_of
from grader.text import one_line
from grader.wording import points

CELL_LIMIT = 1000


@dataclass(frozen=True, kw_only=True)
class ItemSummary:
    """One item over a class. `mean` is over the submissions that have a score; None when none has."""

    item: str
    title: str
    question: str
    maximum: Decimal
    states: dict[LineState, int]
    mean: Decimal | None
    reason: str
    reason_count: int


def summary(reports: Sequence[Report]) -> str:
    """summary.csv: score, open points, states and the points of every question, by submission."""
    questions = list(dict.fromkeys(name for report in reports for name, _ in report.questions))
    header = ["submission", "score", "total", "open_points", "would_be", "track", "refused"]
    header += [*STATE_WORDS, "rules", "attention", *(f"question {name}" for name in questions), "state", "attempt"]
    header += ["submitted_at", "late", "late_days"]
    rows = [_summary_row(report, questions) for report in ordered(reports)]
    return _csv([header, *rows])


def items(reports: Sequence[Report]) -> str:
    """items.csv: how a class did on every item, with the commonest reason of those who did not pass."""
    header = ["item", "question", "title", "maximum", "submissions", *STATE_WORDS, "mean", "reason", "reason_count"]
    rows: list[list[object]] = [
        [
            entry.item, entry.question, entry.title, points(entry.maximum), sum(entry.states.values()),
            *(entry.states[state] for state in STATE_WORDS),
            "" if entry.mean is None else points(entry.mean), entry.reason, entry.reason_count or "",
        ]
        for entry in item_summaries(reports)
    ]  # fmt: skip
    return _csv([header, *rows])


def attention(reports: Sequence[Report], notices: Sequence[tuple[str, str]] = ()) -> str:
    """attention.csv: what a person should look at, one sentence per line; `notices` concern no report."""
    rows = [[report.key, sentence] for report in ordered(reports) for sentence in report.attention]
    return _csv([["submission", "what"], *rows, *(list(notice) for notice in notices)])


def intake(fates: Sequence[Fate], *before: str) -> str:
    """intake.csv: what became of every file and folder; lines of texts `before` stay where nothing newer is said.

    What one of several runs says of a file counts before another's that it is nobody's.
    """
    header = ["path", "fate", "submission", "why"]
    present = {(fate.path, fate.submission) for fate in fates}
    rows = [row for text in before for row in list(csv.reader(io.StringIO(text)))[1:] if len(row) == len(header)]
    kept = [row for row in rows if (unescaped(row[0]), row[2]) not in present]
    news = [[fate.path, fate.fate, fate.submission, fate.why] for fate in fates]
    lines = {tuple(unescaped(cell) for cell in row) for row in kept} | {tuple(row) for row in news}
    owned = {line[0] for line in lines if line[2]} if len(before) > 1 else set()
    return _csv([header, *sorted(line for line in lines if line[2] or line[0] not in owned)])


def ordered(reports: Iterable[Report]) -> list[Report]:
    """Reports by key, so that a table does not depend on who was graded first."""
    return sorted(reports, key=lambda report: report.key)


def item_summaries(reports: Sequence[Report]) -> list[ItemSummary]:
    """Every item once, in the rubric's order; only lines that count and submissions that were taken in."""
    firsts: dict[str, Line] = {}
    lines: dict[str, list[Line]] = {}
    for report in ordered(reports):
        for line in report.lines:
            firsts.setdefault(line.item, line)
            found = lines.setdefault(line.item, [])
            if line.counted and not report.refused:
                found.append(line)
    return [_item_summary(firsts[name], found) for name, found in lines.items()]


def _item_summary(first: Line, lines: Sequence[Line]) -> ItemSummary:
    states = Counter([line.state for line in lines])
    scores = [line.score for line in lines if line.score is not None]
    mean = sum(scores, Decimal(0)) / len(scores) if scores else None
    missed = [line.result.reason for line in lines if line.result and line.state in MISSED]
    reasons = Counter(filter(None, missed))
    reason, count = min(reasons.items(), key=lambda pair: (-pair[1], pair[0]), default=("", 0))
    return ItemSummary(
        item=first.item,
        title=one_line(first.title),
        question=first.question,
        maximum=first.maximum,
        states={state: states[state] for state in STATE_WORDS},
        mean=None if mean is None else mean.quantize(Decimal("0.01"), ROUND_HALF_UP),
        reason=one_line(reason, 120),
        reason_count=count,
    )


def _summary_row(report: Report, questions: Sequence[str]) -> list[object]:
    lines = [line for line in report.lines if line.counted]
    states = Counter([line.state for line in lines])
    reached: dict[str, Decimal] = {}
    for line in lines:
        if line.score is not None:
            reached[line.question] = reached.get(line.question, Decimal(0)) + line.score
    decided = "" if report.unfinished else points(report.score)
    row: list[object] = [report.key, decided, points(report.total), points(report.open_points)]
    row += ["" if report.unfinished else points(report.would_be), report.track, report.refused]
    row += [states[state] for state in STATE_WORDS]
    row += [" ".join(entry.rule for entry in report.applied), len(report.attention)]
    row += ["" if report.unfinished or name not in reached else points(reached[name]) for name in questions]
    attempt = f"{report.attempt} of {len(report.attempts)}" if report.attempts else ""
    row += [state_of(report), attempt]
    late = "" if report.late is None else "late" if report.late else "on time"
    return [*row, report.submitted_at or "", late, report.late_days or ""]


def _csv(rows: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([escaped(one_line(cell, CELL_LIMIT)) if isinstance(cell, str) else cell for cell in row])
    return out.getvalue()
