"""A class, or one self-check, for a terminal (`rich`) and for a log (plain text). Nothing here prints.

Statuses are words with a sign, never only a colour. Text from students' code is `rich.text.Text`, never markup.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from grader.model import Line, LineState, Report
from grader.reports.tables import ordered
from grader.reports.words import (
    STATE_SIGNS,
    STATE_WORDS,
    Block,
    by_question,
    explanation,
    heading,
    open_lines,
    rule_lines,
    staff_points,
    sums,
    urgent_first,
)
from grader.text import one_line
from grader.wording import points, points_word

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES: Mapping[LineState, str] = {
    "passed": "green",
    "partly": "yellow",
    "failed": "red",
    "not_attempted": "red",
    "skipped": "blue",
    "grader_error": "magenta",
    "awaiting": "blue",
    "marked": "cyan",
}
CLASS_COLUMNS = ("submission", "score", "open", "passed", "wrong", "not attempted", "note")
_LEFT_OUT = ("Binding",)
_BESIDE_A_PASS = ("", "Comment", "Note", "Points", "Curve")
MAX_ROWS = 12
MAX_CHARACTERS = 1200
_WORD_WIDTH = max(len(word) for word in STATE_WORDS.values()) + 2


@dataclass(frozen=True, kw_only=True)
class ClassRow:
    """One submission in the class table. `note` is the most urgent sentence that needs a person."""

    key: str
    score: str
    open_points: str
    passed: int
    wrong: int
    not_attempted: int
    note: str

    def cells(self) -> tuple[str, ...]:
        """The row as text, in the order of `CLASS_COLUMNS`."""
        counts = (str(self.passed), str(self.wrong), str(self.not_attempted))
        return (self.key, self.score, self.open_points, *counts, self.note)


def printed(text: Callable[[], RenderableType]) -> bool:
    """Print what a terminal shows; False where nobody looks at one, and rich is not even imported then."""
    if not (sys.stdout.isatty() or {"FORCE_COLOR", "TTY_COMPATIBLE"} & os.environ.keys()):
        return False
    from rich.console import Console

    console = Console()
    if console.is_terminal:
        console.print(text())
    return console.is_terminal


def class_rows(reports: Sequence[Report]) -> list[ClassRow]:
    """One row per submission, by key."""
    return [_class_row(report) for report in ordered(reports)]


def class_table(reports: Sequence[Report]) -> RenderableType:
    """The class as a rich table with its summary below."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for index, name in enumerate(CLASS_COLUMNS):
        table.add_column(name, justify="right" if 0 < index < len(CLASS_COLUMNS) - 1 else "left")
    for row in class_rows(reports):
        table.add_row(*(Text(cell, style="yellow" if cell and cell == row.note else "") for cell in row.cells()))
    return Group(table, Text(""), Text(class_summary(reports)))


def class_text(reports: Sequence[Report]) -> str:
    """The class as plain aligned text, for logs."""
    rows = [CLASS_COLUMNS, *(row.cells() for row in class_rows(reports))]
    widths = [max(len(row[index]) for row in rows) for index in range(len(CLASS_COLUMNS))]
    last = len(CLASS_COLUMNS) - 1
    lines = [
        "  ".join(
            cell.rjust(width) if 0 < index < last else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines, "", class_summary(reports)]) + "\n"


def class_summary(reports: Sequence[Report]) -> str:
    """`31 submissions, median 82.5 of 100, 2 refused, 4 need attention.`"""
    if not reports:
        return "No submissions."
    scores = sorted(report.score for report in reports if not report.unfinished) or [Decimal(0)]
    middle = (scores[(len(scores) - 1) // 2] + scores[len(scores) // 2]) / 2
    totals = {report.total for report in reports}
    of = f" of {points(totals.pop())}" if len(totals) == 1 else ""
    count = f"{len(reports)} submissions" if len(reports) != 1 else "1 submission"
    parts = [count, f"median {points(middle)}{of}"]
    counts = {
        "unfinished": sum(report.unfinished for report in reports),
        "refused": sum(bool(report.refused) for report in reports),
        "with open points": sum(report.open_points > 0 for report in reports),
        "to look at": sum(bool(report.attention) for report in reports),
    }
    return ", ".join(parts + [f"{number} {word}" for word, number in counts.items() if number]) + "."


def check_report(report: Report) -> RenderableType:
    """One submission for its author, as a rich renderable."""
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    parts: list[RenderableType] = [Text(_title(report), style="bold")]
    for name, title, lines in by_question(report):
        shown = urgent_first(line for line in lines if _is_shown(line))
        if shown:
            parts += [Text(""), Text(f"{name}  {title}", style="bold")]
        for line in shown:
            row = Text.assemble("  ", (_word(line).ljust(_WORD_WIDTH), _STYLES[line.state]), "  ", heading(line))
            row.append(f"  {_points(line)}", style="dim")
            parts.append(row)
            parts += [Padding(Text(text), (0, 0, 0, 6)) for text in _details(line)]
    parts += [Text(line) for line in ("", *_tail(report))]
    return Group(*parts)


def check_text(report: Report) -> str:
    """One submission for its author, as plain text."""
    out = [_title(report)]
    for name, title, lines in by_question(report):
        shown = urgent_first(line for line in lines if _is_shown(line))
        if shown:
            out += ["", f"{name}  {title}"]
        for line in shown:
            out.append(f"  {_word(line).ljust(_WORD_WIDTH)}  {heading(line)}  {_points(line)}")
            out += [f"      {row}" for text in _details(line) for row in text.splitlines()]
    return "\n".join([*out, "", *_tail(report)]) + "\n"


def _is_shown(line: Line) -> bool:
    """What was not run at home, or waits for a person, is listed at the end in one line each."""
    return line.counted and line.state not in ("skipped", "awaiting")


def _title(report: Report) -> str:
    return f"{one_line(report.title)}: {one_line(report.key)}"


def _word(line: Line) -> str:
    return f"{STATE_SIGNS[line.state]} {STATE_WORDS[line.state]}"


def _points(line: Line) -> str:
    return f"({points(line.score)} of {points(line.maximum)}{', extra credit' if line.extra_credit else ''})"


def _details(line: Line) -> Iterator[str]:
    """A pass needs no words, unless somebody wrote some."""
    for block in explanation(line):
        if block.label not in _LEFT_OUT and (line.state != "passed" or block.label in _BESIDE_A_PASS):
            yield _labelled(block)


def _labelled(block: Block) -> str:
    text = _shortened(block.text)
    if not block.label:
        return text
    separator = "\n" if "\n" in text else " "
    return f"{block.label}:{separator}{text}"


def _shortened(text: str) -> str:
    """The first lines of a text: a terminal is no place for forty epochs."""
    rows = text.splitlines()
    kept = "\n".join(rows[:MAX_ROWS])
    if len(kept) > MAX_CHARACTERS:
        return f"{kept[:MAX_CHARACTERS]}… ({len(text) - MAX_CHARACTERS} more characters)"
    return f"{kept}\n… ({len(rows) - MAX_ROWS} more lines)" if len(rows) > MAX_ROWS else kept


def _tail(report: Report) -> list[str]:
    """What was reached, what was not run, and what rules say."""
    lines = []
    if report.refused:
        lines += [f"The submission could not be taken in: {one_line(report.refused, 1000)}", ""]
    if report.applied:
        lines += ["Rules:", *(f"  {line}" for line in rule_lines(report.applied)), ""]
    if report.notes:
        lines += ["Notes:", *(f"  {one_line(note, 500)}" for note in report.notes), ""]
    waiting = [line for line in open_lines(report) if line.state != "awaiting"]
    if waiting or staff_points(report):
        by_staff = [f"  {staff_points(report)}"] if staff_points(report) else []
        lines += ["Not decided here:", *(f"  {_waiting(line)}" for line in waiting), *by_staff, ""]
    return [*lines, _sum_line(report)]


def _waiting(line: Line) -> str:
    why = one_line(line.message, 200) if line.visibility == "visible" else ""
    return f"{_word(line)}: {heading(line)} ({points(line.maximum)}){f' – {why}' if why else ''}"


def _sum_line(report: Report) -> str:
    decided = [line for line in report.lines if line.counted and line.score is not None]
    states = Counter(line.state for line in decided)
    parts = ", ".join(f"{count} {STATE_WORDS[state]}" for state in STATE_WORDS if (count := states[state]))
    reached = f"{points(report.score)} of {points_word(sums(decided).maximum)}"
    without = f" ({points(report.would_be)} without rules)" if report.would_be != report.score else ""
    beyond = f"; {points_word(report.open_points)} are not decided here" if report.open_points else ""
    return f"{parts or 'nothing decided'}: {reached}{without}{beyond}."


def _class_row(report: Report) -> ClassRow:
    states = Counter(line.state for line in report.lines if line.counted)
    return ClassRow(
        key=one_line(report.key, 60),
        score="unfinished" if report.unfinished else f"{points(report.score)} of {points(report.total)}",
        open_points=points(report.open_points) if report.open_points else "",
        passed=states["passed"] + states["marked"],
        wrong=states["failed"] + states["partly"],
        not_attempted=states["not_attempted"],
        note=one_line(report.attention[0], 120) if report.attention else "",
    )
