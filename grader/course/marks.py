"""`marks.csv`: the points that people give, for manual items and as overrides of automatic ones.

    submission,item,points,comment,by
    lovelace,theory.bptt,3.5,"the sign of the second term is missing",gh

Saved by any spreadsheet (see `sheets.py`), with decimal point or comma.
A line whose points are empty is a mark that was not given yet.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.course import sheets
from grader.errors import UsageError
from grader.model import Mark, Report

COLUMNS = ("submission", "item", "points", "comment", "by")
NEEDED = COLUMNS[:3]
SHOWN = ("maximum", "title")  # written into the template to help its reader, and ignored when it comes back

_NUMBER = re.compile(r"\+?(\d{1,6}([.,]\d{1,4})?|[.,]\d{1,4})")


def read(path: Path, assignment: Assignment) -> tuple[Mark, ...]:
    """The marks of a file, in its order. Raises `UsageError` that lists every bad line of it."""
    problems: list[str] = []
    marks: dict[tuple[str, str], tuple[int, Mark]] = {}
    for line, row in sheets.table(path, "marks", COLUMNS, NEEDED, shown=SHOWN):
        try:
            mark = _mark(row, assignment, line)
        except ValueError as error:
            problems.append(f"line {line}: {error}")
            continue
        if mark is None:
            continue
        key = (mark.submission, mark.item)
        if key in marks:
            problems.append(
                f"line {line}: {mark.submission} already has a mark for {mark.item} in line {marks[key][0]}"
            )
        else:
            marks[key] = (line, mark)
    if problems:
        raise UsageError(sheets.listed(path, "no mark was taken", problems))
    return tuple(mark for _, mark in marks.values())


def strangers(path: Path, marks: Iterable[Mark], keys: Collection[str]) -> tuple[tuple[str, str], ...]:
    """(key, sentence) for every submission that marks name and nobody handed in: such points would be lost silently."""
    lines: dict[str, list[int]] = {}
    for mark in marks:
        if mark.submission not in keys:
            lines.setdefault(mark.submission, []).append(mark.line)
    return tuple((key, _stranger(path, key, lines[key], keys)) for key in sorted(lines))


def _stranger(path: Path, key: str, lines: Sequence[int], keys: Collection[str]) -> str:
    advice = sheets.near(key, keys).removeprefix("; ") or "the keys stand in summary.csv"
    where = f"line {lines[0]}" if len(lines) == 1 else f"lines {', '.join(map(str, lines))}"
    return f"{path.name}, {where}: there is no submission {key!r}, so these marks count for nobody; {advice}"


def template(reports: Sequence[Report], assignment: Assignment) -> str:
    """A marks.csv to fill in: one line per submission and item that waits for a person."""
    known = {item.id for item in assignment.items}
    waiting = [
        (report.key, line.item, "", "", "", f"{line.maximum:f}", line.title)
        for report in reports
        for line in report.lines
        if line.item in known and line.state == "awaiting" and line.counted
    ]
    return sheets.text_in_rows([(*COLUMNS, *SHOWN), *waiting])


def listed(given: Iterable[Mark]) -> str:
    """A marks.csv with these marks."""
    rows = [(mark.submission, mark.item, f"{mark.points:f}", mark.comment, mark.by) for mark in given]
    return sheets.text_in_rows([COLUMNS, *rows])


def unknown_item(name: str, assignment: Assignment) -> str:
    """What is said of an item that the assignment does not have, with a near one."""
    near = sheets.near(name, [item.id for item in assignment.items])
    return f"unknown item {name!r}" + (near or f" in {assignment.slug}")


def _mark(row: dict[str, str], assignment: Assignment, line: int) -> Mark | None:
    """The mark of one row, or None where no points were given yet. Raises ValueError with what is wrong."""
    if not row.get("points"):
        return None
    if not row.get("submission"):
        raise ValueError("the submission is missing")
    try:
        item = assignment.item(row.get("item", ""))
    except KeyError:
        raise ValueError(unknown_item(row.get("item", ""), assignment)) from None
    if not _NUMBER.fullmatch(row["points"]):
        raise ValueError(f"the points are {row['points']!r}, expected a number from 0 to {item.points}")
    points = Decimal(row["points"].replace(",", "."))
    if points > item.points:
        raise ValueError(f"{points} points for {item.id}, expected 0 to {item.points}")
    return Mark(
        submission=sheets.as_id(row["submission"]),
        item=item.id,
        points=points,
        comment=row.get("comment", ""),
        by=row.get("by", ""),
        line=line,
    )
