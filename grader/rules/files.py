"""A submission's sources as the rules see them: text in, syntax trees out, hostile text included.

Nothing here runs a student's code. Parsing may still be slow on text made for it, so the caller does it in an
expendable process with a deadline; what is refused here is text that no such process should be given.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from grader.errors import SubmissionError
from grader.model import Violation
from grader.parsing import notebooks
from grader.parsing.statements import parse_source, split_statements, written_file

SOURCE_LIMIT = 1_000_000
"""Characters of one file. Larger ones are not parsed; 50 MB of one-line statements would take minutes."""

NODE_LIMIT = 150_000
"""Nodes of one file's syntax trees, ten times those of the longest notebooks; more would take over ten seconds."""

NODES_OF_A_CHARACTER = 4
"""More than any text has: `~` makes two."""


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """One file of a submission. `id` is the expected file's id, "" for a file that nobody asked for.

    `path` is relative to the submission. `cells` are (number, source) of a notebook's code cells, numbers counting
    from 1 over all cells; None for a Python file. `unread`: why it cannot be read at all.
    """

    id: str
    path: str
    text: str = ""
    cells: tuple[tuple[int, str], ...] | None = None
    unread: str = ""

    @property
    def written(self) -> frozenset[str]:
        """The modules that a notebook's own cells write (`%%writefile model.py`)."""
        found = [written_file(source) for _, source in self.cells or ()]
        return frozenset(entry[0].rpartition("/")[2].removesuffix(".py") for entry in found if entry is not None)


@dataclass(frozen=True)
class Place:
    """Where something stands; `line` counts within the cell in a notebook."""

    path: str
    line: int | None = None
    cell: int | None = None

    def __str__(self) -> str:
        parts = [self.path]
        if self.cell is not None:
            parts.append(f"cell {self.cell}")
        if self.line is not None:
            parts.append(f"line {self.line}")
        return ", ".join(parts)

    def violation(self, rule: str, message: str, parts: tuple[str, ...] = ()) -> Violation:
        """A violation of `rule` found here; whoever shows it says the place."""
        return Violation(rule=rule, message=message, file=self.path, line=self.line, cell=self.cell, parts=parts)


@dataclass(frozen=True)
class Unit:
    """A piece that was parsed: the whole file, or one cell of a notebook."""

    tree: ast.Module
    cell: int | None = None


@dataclass(frozen=True)
class Broken:
    """A piece that Python cannot parse."""

    place: Place
    message: str


@dataclass(frozen=True)
class Parsed:
    """A file's pieces. `unchecked` says why the file was not looked at, "" if it was."""

    file: SourceFile
    units: tuple[Unit, ...] = ()
    broken: tuple[Broken, ...] = ()
    unchecked: str = ""


def source_file(file_id: str, path: str, text: str) -> SourceFile:
    """A source file of text, cut into cells if it is a notebook; a broken notebook is `unread`, and costs no other."""
    if not path.lower().endswith(".ipynb"):
        return SourceFile(id=file_id, path=path, text=text)
    try:
        cells = notebooks.read(text, path).code_cells
    except SubmissionError as error:
        return SourceFile(id=file_id, path=path, unread=str(error))
    return SourceFile(id=file_id, path=path, cells=tuple((cell.number, cell.source) for cell in cells))


def parse_file(file: SourceFile) -> Parsed:
    """The syntax trees of a file. Never raises for bad text: what cannot be parsed is in `broken` or `unchecked`.

    A file that nobody asked for is parsed if it is Python.
    """
    if file.unread:
        return Parsed(file, unchecked=file.unread)
    if not file.id and not file.path.lower().endswith((".py", ".ipynb")):
        return Parsed(file)
    size = len(file.text) if file.cells is None else sum(len(source) for _, source in file.cells)
    if size > SOURCE_LIMIT:
        why = f"it has {size:,} characters of code and at most {SOURCE_LIMIT:,} are read; move data out of the code"
        return Parsed(file, unchecked=why)
    parsed = _parse_text(file) if file.cells is None else _parse_pieces(file, file.cells)
    long = size * NODES_OF_A_CHARACTER > NODE_LIMIT
    if long and sum(1 for unit in parsed.units for _ in ast.walk(unit.tree)) > NODE_LIMIT:
        why = f"it has more than {NODE_LIMIT:,} names, numbers and operators; move data out of the code"
        return Parsed(file, unchecked=why)
    return parsed


def _parse_text(file: SourceFile) -> Parsed:
    try:
        return Parsed(file, (Unit(parse_source(file.text.removeprefix("\ufeff"))),))
    except SyntaxError:
        # What can be read of it is run (`grader.worker.importing`), so the rules hold for that.
        return _parse_pieces(file, ((None, file.text.removeprefix("\ufeff")),))


def _parse_pieces(file: SourceFile, cells: Sequence[tuple[int | None, str]]) -> Parsed:
    units: list[Unit] = []
    broken: list[Broken] = []
    for number, source in cells:
        written = written_file(source)
        statements = split_statements(source if written is None else written[1])
        body = [statement.node for statement in statements if statement.node is not None]
        units.append(Unit(ast.Module(body=body, type_ignores=[]), number))
        broken.extend(
            Broken(Place(file.path, statement.error_line or statement.first_line, number), statement.error)
            for statement in statements
            if statement.error is not None
        )
    return Parsed(file, tuple(units), tuple(broken))
