"""The instructor's own export of a gradebook: a column filled in – in Moodle two – and every other byte as it was.

Canvas: `Student, ID, SIS User ID, SIS Login ID, Section`, then assignments as `Title (number)`; below, a row of the
points possible, and perhaps one about posting. Moodle's grading worksheet: `Identifier` (`Participant 12`), names,
`Grade`, `Maximum grade`. Both translate their headings, so columns are known by their form and by what stands in them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from grader.course import sheets
from grader.errors import UsageError
from grader.model import Person

# What Canvas writes where a grade would change nothing, or take away what somebody decided.
LEFT = {"ex": "is excused there, and stays so", "n/a": "is not given this assignment there"}
_CANVAS_COLUMN = re.compile(r"(?P<title>.*\S)\s*\((?P<number>\d+)\)", re.DOTALL)
_TEST_STUDENTS = ("student, test", "test student")
_TEST_LOGIN = re.compile(r"[0-9a-f]{40}")  # which the test student has in every language
_PARTICIPANT = re.compile(r"\D+(\d+)")  # `Participant 31`, `Teilnehmer/in31`
# "Grade" as Moodle's language packs translate it in the worksheet; another language names it with --column.
_GRADE = (
    "grade", "bewertung", "note", "calificación", "qualificació", "valutazione", "nota", "cijfer", "betyg", "karakter",
    "ocena", "not", "оценка", "оцінка", "ציון", "الدرجة", "评分", "成绩", "評点", "評定", "성적",
)  # fmt: skip
_COMMENTS = ("feedback comments", "feedback als kommentar", "feedback par commentaires")


@dataclass(frozen=True)
class Cell:
    """A cell and where it stands in the text, quotes included."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """A CSV file, taken apart so that single cells can be replaced. `lines` are those on which rows end."""

    path: Path
    text: str
    encoding: str
    delimiter: str
    rows: tuple[tuple[Cell, ...], ...]
    lines: tuple[int, ...]

    def cell(self, row: int, column: int) -> str:
        """The content of a cell without surrounding space; "" where a row is too short."""
        cells = self.rows[row]
        return cells[column].text.strip() if column < len(cells) else ""

    def heading(self) -> list[str]:
        """The first row."""
        return [cell.text.strip().removeprefix("\ufeff") for cell in self.rows[0]]


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where what stands: the column to be filled, that of comments, if there is one, the columns that say who somebody
    is, the rows of students.

    `numbered`: the first column may be Moodle's `Participant 12`. `possible`: the points that the sheet says the
    assignment has, by row (Moodle) or once for all (row 0: Canvas).
    """

    column: int
    who: tuple[int, ...]
    students: tuple[int, ...]
    numbered: bool = False
    comments: int | None = None
    possible: Mapping[int, Decimal] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Matched:
    """The row of each person (by number in the list), and sentences on those found in one direction only."""

    rows: Mapping[int, int]
    problems: tuple[str, ...]


def read(path: Path) -> Sheet:
    """Take a file apart. Raises UsageError, with the line, for what is no CSV."""
    text, encoding = sheets.decoded(path, "gradebook", old_windows=True)
    delimiter, start = sheets.delimiter_of(text)
    mark = re.escape(delimiter)
    pattern = re.compile(rf'("[^"]*(?:""[^"]*)*"|(?!")[^{mark}\r\n]*)({mark}|\r\n|\n|\r|\Z)')
    rows: list[tuple[Cell, ...]] = []
    lines: list[int] = []
    row: list[Cell] = []
    place = start + text.startswith("\ufeff", start)
    line = 1 + text.count("\n", 0, start)
    while place < len(text) or row:
        found = pattern.match(text, place)
        if found is None:
            raise UsageError(f"{path}: line {line}: a quote is not closed, or text stands behind one; export it again")
        raw = found[1]
        row.append(Cell(*found.span(1), raw[1:-1].replace('""', '"') if raw.startswith('"') else raw))
        place, line = found.end(), line + len(re.findall(r"\r\n|\n|\r", raw))
        if found[2] != delimiter:
            rows.append(tuple(row))
            lines.append(line)
            row, line = [], line + 1
    if not rows:
        raise UsageError(f"{path}: an empty file; export the gradebook again")
    return Sheet(path=path, text=text, encoding=encoding, delimiter=delimiter, rows=tuple(rows), lines=tuple(lines))


def canvas(sheet: Sheet, wanted: str) -> Layout:
    """The layout of Canvas's export; `wanted` is the assignment's title, number or both. Raises UsageError."""
    known = {
        place: found
        for place, name in enumerate(sheet.heading())
        if place >= 2 and (found := _CANVAS_COLUMN.fullmatch(name))
    }
    if not known:
        raise UsageError(f"{sheet.path}:1: no column `Title (number)`; expected Canvas's own export of the gradebook")
    fitting = [
        place for place, found in known.items() if not wanted or wanted in (found[0], found["title"], found["number"])
    ]
    column = _only(sheet, fitting, wanted, [found[0] for found in known.values()])
    who = tuple(range(1, min(known)))
    students = tuple(row for row in range(1, len(sheet.rows)) if any(sheet.cell(row, place) for place in who))
    above = range(1, students[0] if students else len(sheet.rows))
    possible = [points for row in above if (points := number_of(sheet.cell(row, column))) is not None]
    return Layout(column=column, who=who, students=students, possible={0: possible[-1]} if possible else {})


def moodle(sheet: Sheet, wanted: str, comments: str = "") -> Layout:
    """The layout of Moodle's grading worksheet, in any language. Raises UsageError.

    `wanted` and `comments` name the columns where they are not recognised.
    """
    heading = sheet.heading()
    column = _only(sheet, _called_one_of(heading, (wanted,) if wanted else _GRADE), wanted, heading)
    said = _called_one_of(heading, (comments,) if comments else _COMMENTS)
    students = tuple(row for row in range(1, len(sheet.rows)) if any(cell.text.strip() for cell in sheet.rows[row]))
    beside = {row: number_of(sheet.cell(row, column + 1)) for row in students}
    possible = {row: points for row, points in beside.items() if points is not None}
    return Layout(
        column=column,
        who=tuple(range(column)),
        students=students,
        numbered=True,
        comments=_only(sheet, said, comments, heading, "--comments") if said or comments else None,
        possible=possible if len(possible) == len(students) else {},
    )


def _called_one_of(heading: Sequence[str], words: Sequence[str]) -> list[int]:
    known = [word.casefold() for word in words]
    return [place for place, name in enumerate(heading) if name.casefold() in known]


def _only(sheet: Sheet, fitting: Sequence[int], wanted: str, known: Sequence[str], option: str = "--column") -> int:
    if len(fitting) == 1:
        return fitting[0]
    there = f"no column {wanted!r}{sheets.near(wanted, known)}" if wanted and not fitting else "not one column"
    raise UsageError(f"{sheet.path}:1: {there}; say {option} with one of: {'; '.join(known)}")


def matched(sheet: Sheet, layout: Layout, people: Sequence[Person]) -> Matched:
    """Who stands where: by id, by e-mail, or else by key, each in the one column that knows most of them.

    Raises UsageError for a row of which two columns are ids or addresses of different people.
    """
    _check_rows(sheet, layout, people)
    kinds = [[person.person_id for person in people], [person.email for person in people], [p.key for p in people]]
    places = [_places(sheet, layout, kind) for kind in kinds]
    rows: dict[int, int] = {}
    problems: list[str] = []
    taken: dict[int, str] = {}
    for number, person in enumerate(people):
        by_id, by_email, by_key = (kind.get(_form(own[number]), ()) for kind, own in zip(places, kinds, strict=True))
        found = {*by_id, *by_email} or set(by_key)
        if len(found) != 1:
            lines = ", ".join(str(sheet.lines[row]) for row in sorted(found))
            why = f"fits the lines {lines}" if found else "is not there"
            problems.append(f"{person.key} {why} ({sheet.path.name})")
            continue
        [row] = found
        if row in taken and taken[row] != person.key:
            raise UsageError(f"{sheet.path}:{sheet.lines[row]}: {taken[row]} and {person.key} are both this one person")
        taken[row] = person.key
        rows[number] = row
    strange = [row for row in layout.students if row not in taken and not _is_test_student(sheet, row)]
    problems += [
        f"{sheet.path.name}, line {sheet.lines[row]}: nobody was graded as {_called(sheet, layout, row)}"
        for row in strange
    ]
    return Matched(rows=rows, problems=tuple(problems))


def _check_rows(sheet: Sheet, layout: Layout, people: Sequence[Person]) -> None:
    owners = {_form(mark): person.key for person in people for mark in (person.person_id, person.email) if mark}
    for row in layout.students:
        cells = [cell for column in layout.who if _form(cell := sheet.cell(row, column)) in owners]
        if len(named := {owners[_form(cell)]: cell for cell in cells}) > 1:
            told = " and ".join(f"{key} (by {cell})" for key, cell in named.items())
            raise UsageError(
                f"{sheet.path}:{sheet.lines[row]}: this row is of different people, {told}; export the sheet again, or "
                "correct who it is"
            )


def _places(sheet: Sheet, layout: Layout, names: Sequence[str]) -> dict[str, list[int]]:
    """The rows by what stands in the column that knows most of these names."""
    wanted = {_form(name) for name in names if name}
    best: dict[str, list[int]] = {}
    score = 0
    for column in layout.who:
        found: dict[str, list[int]] = {}
        for row in layout.students:
            for form in _forms(sheet.cell(row, column), numbered=layout.numbered and column == 0):
                found.setdefault(form, []).append(row)
        if (known := len(wanted & found.keys())) > score:
            best, score = found, known
    return best


def _form(name: str) -> str:
    return sheets.as_id(name).casefold()


def _forms(cell: str, *, numbered: bool) -> Iterator[str]:
    """What a cell may be known by; Moodle writes a number behind a word of its language."""
    if cell:
        yield _form(cell)
        if numbered and (found := _PARTICIPANT.fullmatch(cell)):
            yield found[1]


def _is_test_student(sheet: Sheet, row: int) -> bool:
    cells = [cell.text.strip().casefold() for cell in sheet.rows[row]]
    return any(cell in _TEST_STUDENTS or _TEST_LOGIN.fullmatch(cell) for cell in [*cells, ", ".join(cells[:2])])


def _called(sheet: Sheet, layout: Layout, row: int) -> str:
    return next((text for column in layout.who if (text := sheet.cell(row, column))), "?")


def number_of(cell: str) -> Decimal | None:
    """The number in a cell, with decimal point or comma."""
    try:
        found = Decimal(cell.replace(",", "."))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def filled(sheet: Sheet, layout: Layout, points: Mapping[int, str], comments: Mapping[int, str] | None = None) -> str:
    """The text with these points, and comments, in their rows; numbers are written as the sheet writes them.

    Raises UsageError for a row that ends before the column.
    """
    comma = _writes_commas(sheet)
    new = {(row, layout.column): number.replace(".", ",") if comma else number for row, number in points.items()}
    if layout.comments is not None:
        new |= {(row, layout.comments): text for row, text in (comments or {}).items()}
    text, last = [], 0
    for row, column in sorted(new):
        if column >= len(sheet.rows[row]):
            cells = f"{len(sheet.rows[row])} cells, expected {len(sheet.rows[0])}"
            raise UsageError(f"{sheet.path}:{sheet.lines[row]}: {cells}; export it again")
        cell = sheet.rows[row][column]
        text += [sheet.text[last : cell.start], _cell(sheet, cell, new[row, column])]
        last = cell.end
    return "".join([*text, sheet.text[last:]])


def _cell(sheet: Sheet, before: Cell, text: str) -> str:
    """What stands in a cell's place: in quotes where there were some, or where it needs them."""
    quoted = sheet.text[before.start : before.start + 1] == '"' or set(text) & {sheet.delimiter, '"', "\r", "\n"}
    return '"' + text.replace('"', '""') + '"' if quoted else text


def _writes_commas(sheet: Sheet) -> bool:
    """Whether decimals have a comma here; where none tells, sheets separated by semicolons are from such a place."""
    cells: Iterable[str] = (cell.text.strip() for row in sheet.rows[1:] for cell in row)
    marks = Counter(cell[-3:].strip("0123456789") for cell in cells if re.fullmatch(r"\d+[.,]\d{1,2}", cell))
    return marks[","] > marks["."] or (not marks and sheet.delimiter == ";")
