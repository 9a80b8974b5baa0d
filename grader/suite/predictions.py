"""Predictions that were handed in, on inputs that the course gave out: read within caps, measured against labels that
only the judge has.

A CSV has a heading; its columns are those of the labels' file, in any order, rows in any order where there is a column
`id`. A `.npy` has one row for each label, in their order. Whatever is wrong with the file is the student's to repair,
and the message says what.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy
from numpy.lib import format as npy

from grader.assignment.assignment import Predictions
from grader.course.sheets import delimiter_of
from grader.errors import AuthorError
from grader.suite.agreement import Disagreement, Mismatch, PartialCredit
from grader.thresholds import PREDICTED, credit_for

ID = "id"
MAX_BYTES = 64 << 20
MAX_CELL = 200
SHOWN = 4

Columns = dict[str, list[str]]


class HandedIn(Protocol):
    """What a test sees as `submission`, as far as this needs it."""

    def content(self, file_id: str) -> bytes: ...
    def name(self, file_id: str) -> str: ...


def measured(submission: HandedIn, file_id: str, labels: Path, wanted: Predictions) -> None:
    """End the item with the credit of the predictions. Raises PartialCredit, or Disagreement for what earns nothing."""
    truth = labels_of(labels)
    raw = submission.content(file_id)
    _require(len(raw) <= MAX_BYTES, f"the file has {len(raw) >> 20} MiB, at most {MAX_BYTES >> 20} are read")
    rows = len(next(iter(truth.values())))
    is_array = submission.name(file_id).lower().endswith(".npy")
    found = _from_npy(raw, truth, rows) if is_array else _from_csv(raw, truth, rows)
    value = figure(wanted.metric, found, truth)
    credit = credit_for(wanted, wanted, wanted.full, value)
    side = "least" if wanted.higher_is_better else "most"
    text = f"{wanted.metric.replace('_', ' ')} {value:.4g} on {rows} rows; wanted at {side} {wanted.full:g}."
    figures = {PREDICTED: {"value": value, "metric": wanted.metric}}
    if credit <= 0:
        raise Disagreement(
            [Mismatch(name=PREDICTED, reason="misses the mark", lines=(text,), figures=figures[PREDICTED])]
        )
    raise PartialCredit(credit, text, figures=figures)


def labels_of(path: Path) -> Columns:
    """The labels by column. Raises AuthorError for a file that is no table of them."""
    try:
        heading, *rows = csv.reader(path.read_text(encoding="utf-8-sig").splitlines())
    except (OSError, ValueError, csv.Error) as error:
        raise AuthorError(f"the labels cannot be read: {error}", path) from None
    ragged = next((number for number, row in enumerate(rows, start=2) if len(row) != len(heading)), None)
    columns = {name: [row[place].strip() for row in rows] for place, name in enumerate(heading)} if not ragged else {}
    if not rows or ragged or not set(columns) - {ID} or len(set(columns.get(ID, ()))) < len(columns.get(ID, ())):
        raise AuthorError("expected a heading, and under it one row for each label, each id once", path, ragged or 1)
    return columns


def guessed(metric: str, truth: Columns) -> float:
    """The figure of an answer that is the same for every row: the commonest label, or the mean."""
    constant: Columns = {}
    for name, column in truth.items():
        common = Counter(column).most_common(1)[0][0]
        mean = repr(sum(map(_number, column)) / len(column)) if metric in ERRORS else common
        constant[name] = [mean] * len(column)
    return figure(metric, constant, truth)


def figure(metric: str, found: Columns, truth: Columns) -> float:
    """The metric over all columns but the ids."""
    names = [name for name in truth if name != ID]
    if metric in ERRORS:
        pairs = [(_number(a), _number(b)) for name in names for a, b in zip(found[name], truth[name], strict=True)]
        return ERRORS[metric]([mine - theirs for mine, theirs in pairs])
    mine, theirs = (list(zip(*(table[name] for name in names), strict=True)) for table in (found, truth))
    hits = [_same(a, b) for a, b in zip(mine, theirs, strict=True)]
    if metric == "accuracy":
        return sum(hits) / len(hits)
    shares = []
    for label in dict.fromkeys(theirs):
        right = sum(hit for hit, b in zip(hits, theirs, strict=True) if b == label)
        shares.append(2 * right / (theirs.count(label) + sum(_same(a, label) for a in mine)))
    return sum(shares) / len(shares)


def _squares(errors: Sequence[float]) -> float:
    return sum(error * error for error in errors) / len(errors)


ERRORS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mse": _squares,
    "rmse": lambda errors: math.sqrt(_squares(errors)),
    "mae": lambda errors: sum(map(abs, errors)) / len(errors),
}


def _same(mine: Sequence[str], theirs: Sequence[str]) -> bool:
    """Equal labels; a number is one however it is written, `3.0` for 3."""
    return all(a == b or (_number(a) == _number(b)) for a, b in zip(mine, theirs, strict=True))


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise Disagreement(
            [Mismatch(name="", reason="unreadable predictions", lines=(f"The predictions cannot be used: {what}.",))]
        )


def _from_npy(raw: bytes, truth: Columns, rows: int) -> Columns:
    """The columns of an array whose header says exactly what is there; nothing is unpickled."""
    names = [name for name in truth if name != ID]
    stream = io.BytesIO(raw)
    try:
        version = npy.read_magic(stream)
        shape, fortran, dtype = (npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0)(stream)
    except (ValueError, SyntaxError, RecursionError):
        _require(False, "it is no .npy file; save it with numpy.save")
    _require(dtype.kind in "iufbU", f"an array of {dtype} is not read: expected numbers or texts")
    wanted = [(rows,), (rows, 1)] if len(names) == 1 else [(rows, len(names))]
    _require(shape in wanted, f"the array has shape {shape}, expected {wanted[0]}")
    body = stream.read()
    _require(len(body) == math.prod(shape) * dtype.itemsize, "the file is cut short, or too long")
    values = (
        numpy.frombuffer(body, dtype).reshape(shape[::-1]).T
        if fortran
        else numpy.frombuffer(body, dtype).reshape(shape)
    )
    table = values.reshape(rows, len(names)).tolist()
    return _checked({name: [str(row[place]) for row in table] for place, name in enumerate(names)}, truth, {})


def _from_csv(raw: bytes, truth: Columns, rows: int) -> Columns:
    text = _text(raw)
    delimiter, start = delimiter_of(text)
    reader = csv.reader(io.StringIO(text[start:], newline=""), delimiter=delimiter)
    try:
        table = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(map(str.strip, row))]
    except csv.Error as error:
        _require(False, f"line {reader.line_num} is no line of a CSV ({error})")
    heading = table[0][1] if table else []
    wanted = ", ".join(truth)
    _require(
        sorted(heading) == sorted(truth),
        f"the first line must name the columns {wanted}; it is {', '.join(heading)[:200]!r}",
    )
    wrong = next(
        (line for line, row in table if len(row) != len(heading) or any(len(cell) > MAX_CELL for cell in row)), 0
    )
    _require(not wrong, f"line {wrong} does not have {len(heading)} short cells, one under each name of the heading")
    lines = [line for line, _ in table[1:]]
    columns = {name: [row[place] for _, row in table[1:]] for place, name in enumerate(heading)}
    if ID in truth:
        columns, lines = _in_order(columns, truth[ID], lines)
    _require(len(lines) == rows, f"{len(lines)} rows, expected {rows}")
    return _checked(columns, truth, dict(enumerate(lines)))


def _in_order(columns: Columns, ids: Sequence[str], lines: Sequence[int]) -> tuple[Columns, list[int]]:
    """The rows in the order of the labels'."""
    places: dict[str, int] = {}
    for place, name in enumerate(columns[ID]):
        first = places.setdefault(name, place)
        _require(first == place, f"the id {name!r} stands in lines {lines[first]} and {lines[place]}")
    missing, strange = [name for name in ids if name not in places], [name for name in places if name not in set(ids)]
    for those, what in ((missing, "are missing"), (strange, "were not asked for")):
        _require(not those, f"{len(those)} ids {what}, such as {', '.join(map(repr, those[:SHOWN]))}")
    order = [places[name] for name in ids]
    return {name: [column[place] for place in order] for name, column in columns.items()}, [lines[at] for at in order]


def _checked(columns: Columns, truth: Columns, lines: Mapping[int, int]) -> Columns:
    """The columns, where every cell is there, and a number where labels are numbers."""
    for name, column in columns.items():
        numeric = name != ID and all(math.isfinite(_number(cell)) for cell in truth[name])
        bad = [place for place, cell in enumerate(column) if not cell or (numeric and not math.isfinite(_number(cell)))]
        if bad:
            where = f"line {lines[bad[0]]}" if lines else f"row {bad[0]}"
            what = f"a finite number is expected in {name!r}" if numeric else f"{name!r} is empty"
            _require(False, f"{where}: {what}; {len(bad)} such cells, the first holds {column[bad[0]]!r}")
    return columns


def _text(raw: bytes) -> str:
    """The file's text, UTF-8 or UTF-16 with its mark, as spreadsheets save it."""
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        _require(False, f"line {line} is not UTF-8; save it as CSV UTF-8")
        raise
