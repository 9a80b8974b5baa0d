"""`marks.csv` and `marks/<who>.csv`: the points that people give, for manual items and as overrides of automatic ones.

    submission,item,points,comment,by
    lovelace,theory.bptt,3.5,"the sign of the second term is missing",gh

Saved by any spreadsheet (see `sheets.py`), with decimal point or comma. A line whose points are empty is a mark that
was not given yet; in the file of one marker it says that its submission is theirs to mark.
Each marker has a file of their own, so that nobody writes into another's; where two give one item different points,
neither counts until marks.csv, the last word, has a line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.course import sheets
from grader.errors import UsageError
from grader.model import Mark, Report
from grader.wording import points

FILE, FOLDER = "marks.csv", "marks"
COLUMNS = ("submission", "item", "points", "comment", "by")
NEEDED = COLUMNS[:3]
SHOWN = ("maximum", "title")  # written into the template to help its reader, and ignored when it comes back

_ATTEMPT = re.compile(r"(?P<key>.+)~\d+")
_LOOK_ALIKE = str.maketrans("OoIl", "0011")
_NUMBER = re.compile(r"\+?(\d{1,6}([.,]\d{1,4})?|[.,]\d{1,4})")


@dataclass(frozen=True)
class Sheet:
    """One file: the marks that it gives, in its order, and the submissions that it names without points."""

    marks: tuple[Mark, ...] = ()
    reserved: frozenset[str] = frozenset()

    @cached_property
    def given(self) -> dict[tuple[str, str], Mark]:
        """The marks by submission and item."""
        return {(mark.submission, mark.item): mark for mark in self.marks}


@dataclass(frozen=True)
class Given:
    """All marks of a results folder that count, and (submission, sentence) for each item that markers dispute."""

    marks: tuple[Mark, ...]
    disputes: tuple[tuple[str, str], ...] = ()


def files(folder: Path) -> dict[str, Path]:
    """The files of marks in a results folder, by their names there; marks.csv comes first."""
    known = [folder / FILE, *sorted((folder / FOLDER).glob("[!.]*.csv"))]
    return {path.relative_to(folder).as_posix(): path for path in known if path.is_file()}


def given(folder: Path, assignment: Assignment) -> Given:
    """What people gave in a results folder. Raises `UsageError` that lists every bad line of a file."""
    found: dict[tuple[str, str], list[Mark]] = {}
    for name, path in files(folder).items():
        for mark in read(path, assignment):
            mark = replace(mark, by=mark.by or ("" if name == FILE else path.stem), file=name)
            found.setdefault((mark.submission, mark.item), []).append(mark)
    counted, disputes = [], []
    for (key, item), marks in found.items():
        if marks[0].file == FILE or len({mark.points for mark in marks}) == 1:
            counted.append(marks[0] if marks[0].file == FILE else _agreed(marks))
        else:
            said = ", ".join(f"{mark.by or mark.file} gives {points(mark.points)}" for mark in marks)
            disputes.append((key, f"Marks differ for {item}: {said}. It stays open until {FILE} has a line for it."))
    return Given(tuple(counted), tuple(disputes))


def _agreed(marks: Sequence[Mark]) -> Mark:
    """One mark of several with the same points: everybody's comment and name."""
    comments = dict.fromkeys(mark.comment for mark in marks if mark.comment)
    names = dict.fromkeys(mark.by for mark in marks if mark.by)
    return replace(marks[0], comment=" / ".join(comments), by=", ".join(names))


def read(path: Path, assignment: Assignment) -> tuple[Mark, ...]:
    """The marks of a file, in its order. Raises `UsageError` that lists every bad line of it."""
    return read_sheet(path, assignment).marks


def read_sheet(path: Path, assignment: Assignment) -> Sheet:
    """A whole file. Raises `UsageError` that lists every bad line of it."""
    problems: list[str] = []
    marks: dict[tuple[str, str], tuple[int, Mark]] = {}
    reserved: set[str] = set()
    for line, row in sheets.table(path, "marks", COLUMNS, NEEDED, shown=SHOWN):
        try:
            mark = mark_of(row, assignment, line)
        except ValueError as error:
            problems.append(f"line {line}: {error}")
            continue
        if mark is None:
            reserved |= {sheets.as_id(row["submission"])} - {""}
            continue
        key = (mark.submission, mark.item)
        if key in marks:
            problems.append(
                f"line {line}: {mark.submission} already has a mark for {mark.item} in line {marks[key][0]}"
            )
        else:
            marks[key] = (line, replace(mark, file=path.name))
    if problems:
        raise UsageError(sheets.listed(path, "no mark was taken", problems))
    return Sheet(tuple(mark for _, mark in marks.values()), frozenset(reserved))


def write_sheet(path: Path, sheet: Sheet) -> None:
    """Replace a marker's file in one step, in an order that two versions of it merge by."""
    rows = [[key, "", "", "", path.stem] for key in sorted(sheet.reserved)]
    rows += [_cells(mark) for _, mark in sorted(sheet.given.items())]
    make_folder(path.parent)
    mode = 0o600 | path.parent.stat().st_mode & 0o040
    sheets.write_private(path, sheets.text_in_rows([COLUMNS, *rows]), mode=mode)


def make_folder(folder: Path) -> None:
    """Make the folder of markers' files, open to the group that the results folder is open to."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        folder.chmod(0o700 | folder.parent.stat().st_mode & 0o2070)


def united(paths: Sequence[Path], assignment: Assignment) -> Sheet:
    """Several versions of one marker's file as one. Raises `UsageError` where they give an item different points."""
    found: dict[tuple[str, str], tuple[Path, Mark]] = {}
    reserved: frozenset[str] = frozenset()
    for path in paths:
        sheet = read_sheet(path, assignment)
        reserved |= sheet.reserved
        for place, mark in sheet.given.items():
            other, earlier = found.setdefault(place, (path, mark))
            if earlier != mark:
                raise UsageError(f"{other} and {path} differ for {' and '.join(place)}: make them equal, or leave one")
    return Sheet(tuple(mark for _, mark in found.values()), reserved)


def strangers(marks: Iterable[Mark], keys: Collection[str]) -> tuple[tuple[str, str], ...]:
    """(key, sentence) for every submission that marks name and nobody handed in: such points would be lost silently."""
    lines: dict[tuple[str, str], list[int]] = {}
    for mark in marks:
        if mark.submission not in keys:
            lines.setdefault((mark.submission, mark.file), []).append(mark.line)
    return tuple((key, _stranger(name, key, lines[key, name], keys)) for key, name in sorted(lines))


def _stranger(name: str, key: str, lines: Sequence[int], keys: Collection[str]) -> str:
    meant = _meant(key, keys)
    advice = f"did you mean {meant!r}?" if meant else "the keys stand in summary.csv"
    where = f"line {lines[0]}" if len(lines) == 1 else f"lines {', '.join(map(str, lines))}"
    return f"{name}, {where}: there is no submission {key!r}, so these marks count for nobody; {advice}"


def _meant(key: str, keys: Collection[str]) -> str:
    """The key of which this is an attempt, or for which one character was mistaken; a near one is somebody else's."""
    if (attempt := _ATTEMPT.fullmatch(key)) and attempt["key"] in keys:
        return attempt["key"]
    alike = [other for other in keys if other.translate(_LOOK_ALIKE) == key.translate(_LOOK_ALIKE)]
    near = [other for other in alike if sum(a != b for a, b in zip(other, key, strict=True)) == 1]
    return near[0] if len(near) == 1 else ""


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
    return sheets.text_in_rows([COLUMNS, *map(_cells, given)])


def _cells(mark: Mark) -> list[str]:
    return [mark.submission, mark.item, f"{mark.points:f}", mark.comment, mark.by]


def unknown_item(name: str, assignment: Assignment) -> str:
    """What is said of an item that the assignment does not have, with a near one."""
    near = sheets.near(name, [item.id for item in assignment.items])
    return f"unknown item {name!r}" + (near or f" in {assignment.slug}")


def mark_of(row: Mapping[str, str], assignment: Assignment, line: int = 0) -> Mark | None:
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
