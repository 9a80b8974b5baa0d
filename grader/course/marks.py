"""`marks.csv`: the points that people give, for manual items and as overrides of automatic ones.

    submission,item,points,comment,by
    lovelace,theory.bptt,3.5,"the sign of the second term is missing",gh

Saved by any spreadsheet (see `sheets.py`), with decimal point or comma.
A line whose points are empty is a mark that was not given yet.
"""

from __future__ import annotations

import csv
import io
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
MAX_SHOWN = 20

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"\+?(\d{1,6}([.,]\d{1,4})?|[.,]\d{1,4})")


def read(path: Path, assignment: Assignment) -> tuple[Mark, ...]:
    """The marks of a file, in its order. Raises `UsageError` that lists every bad line of it."""
    problems: list[str] = []
    marks: dict[tuple[str, str], tuple[int, Mark]] = {}
    for line, row in _rows(path):
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
        raise UsageError(_listed(path, problems))
    return tuple(mark for _, mark in marks.values())


def strangers(path: Path, marks: Iterable[Mark], keys: Collection[str]) -> tuple[tuple[str, str], ...]:
    """(key, sentence) for every submission that marks name and nobody handed in: such points would be lost silently."""
    lines: dict[str, list[int]] = {}
    for mark in marks:
        if mark.submission not in keys:
            lines.setdefault(mark.submission, []).append(mark.line)
    return tuple((key, _stranger(path, key, lines[key], keys)) for key in sorted(lines))


def _stranger(path: Path, key: str, lines: Sequence[int], keys: Collection[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(key, list(keys), n=1)
    advice = f"did you mean {near[0]!r}?" if near else "the keys stand in summary.csv"
    where = f"line {lines[0]}" if len(lines) == 1 else f"lines {', '.join(map(str, lines))}"
    return f"{path.name}, {where}: there is no submission {key!r}, so these marks count for nobody; {advice}"


def template(reports: Sequence[Report], assignment: Assignment) -> str:
    """A marks.csv to fill in: one line per submission and item that waits for a person."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow((*COLUMNS, *SHOWN))
    known = {item.id for item in assignment.items}
    for report in reports:
        for line in report.lines:
            if line.item in known and line.state == "awaiting" and line.counted:
                cells = (report.key, line.item, "", "", "", f"{line.maximum:f}", line.title)
                writer.writerow([escaped(cell) for cell in cells])
    return out.getvalue()


def listed(given: Iterable[Mark]) -> str:
    """A marks.csv with these marks."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for mark in given:
        writer.writerow(
            [escaped(cell) for cell in (mark.submission, mark.item, f"{mark.points:f}", mark.comment, mark.by)]
        )
    return out.getvalue()


def escaped(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe before the characters that begin one."""
    return f"'{cell}" if cell.lstrip(" ").startswith(_FORMULA) else cell


def unescaped(cell: str) -> str:
    """What `escaped` was given."""
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip(" ").startswith(_FORMULA) else cell


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Each line's number (of its end, as editors show it) and cells by column."""
    rows = sheets.rows(path, "marks")
    header = [name.lower() for name in rows[0][1]] if rows else []
    while header and not header[-1]:
        header.pop()  # what a spreadsheet adds for an empty column
    _check_header(header, path)
    long = [
        f"line {line}: {len(cells)} cells, expected {len(header)}"
        for line, cells in rows[1:]
        if any(cells[len(header) :])
    ]
    if long:
        raise UsageError(_listed(path, [*long, "a comment that holds the separator stands in double quotes"]))
    return [(line, dict(zip(header, map(unescaped, cells), strict=False))) for line, cells in rows[1:]]


def _check_header(header: list[str], path: Path) -> None:
    missing = [name for name in NEEDED if name not in header]
    unknown = [name for name in header if name not in COLUMNS + SHOWN]
    twice = sorted({name for name in header if header.count(name) > 1})
    if missing or unknown or twice:
        found = ", ".join(header) or "an empty file"
        raise UsageError(f"{path}: line 1: expected the columns {', '.join(COLUMNS)}; found {found}")


def _mark(row: dict[str, str], assignment: Assignment, line: int) -> Mark | None:
    """The mark of one row, or None where no points were given yet. Raises ValueError with what is wrong."""
    if not row.get("points"):
        return None
    if not row.get("submission"):
        raise ValueError("the submission is missing")
    try:
        item = assignment.item(row.get("item", ""))
    except KeyError:
        raise ValueError(_unknown_item(row.get("item", ""), assignment)) from None
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


def _unknown_item(name: str, assignment: Assignment) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, [item.id for item in assignment.items], n=1)
    return f"unknown item {name!r}" + (f"; did you mean {near[0]!r}?" if near else f" in {assignment.slug}")


def _listed(path: Path, problems: list[str]) -> str:
    shown = problems[:MAX_SHOWN]
    if len(problems) > MAX_SHOWN:
        shown.append(f"… and {len(problems) - MAX_SHOWN} more")
    return "\n".join([f"{path}: no mark was taken, because", *(f"  {problem}" for problem in shown)])
