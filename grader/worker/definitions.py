"""Code cells → definitions, statement by statement. A notebook is never run from top to bottom.

Imports, functions, classes and assignments of literals are executed, each in its own try and on a clock; everything
else (training loops, downloads, drive mounts) is skipped. A cell that does not parse costs only what it defines.
"""

from __future__ import annotations

import ast
import linecache
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from grader.parsing.statements import Statement, split_statements, strip_magics
from grader.worker.clock import clock


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A code cell: its number in the notebook (from 1), the file name used in tracebacks, and its source."""

    number: int
    name: str
    source: str


@dataclass
class Definitions:
    """What was taken: names, failures by the name they would have defined, and notes for the report."""

    cells: Sequence[Cell]
    defined: set[str] = field(default_factory=set)
    failures: dict[str, BaseException] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def find_cell(self, assigns: Sequence[str], contains: str) -> Cell | None:
        """The cell that contains the text and assigns the most of the names; None when none assigns any."""
        best: tuple[int, Cell] | None = None
        for cell in self.cells:
            if contains and contains not in cell.source:
                continue
            bound = {name for statement in split_statements(cell.source) for name in statement.names}
            score = len(bound.intersection(assigns))
            if (score or not assigns) and (best is None or score > best[0]):
                best = (score, cell)
        return best[1] if best else None

    def run(self, cell: Cell, namespace: dict[str, object]) -> None:
        """Run the whole cell. Its own exceptions pass through."""
        source = strip_magics(cell.source)
        remember(cell)
        exec(compile(source, cell.name, "exec", dont_inherit=True), namespace)


def take_definitions(cells: Sequence[Cell], namespace: dict[str, object]) -> Definitions:
    """Execute the definitions of all cells in order in `namespace`."""
    taken = Definitions(cells)
    for cell in cells:
        remember(cell)
        for statement in split_statements(cell.source):
            _take(statement, cell, namespace, taken)
    return taken


def _take(statement: Statement, cell: Cell, namespace: dict[str, object], taken: Definitions) -> None:
    where = f"cell {cell.number}, line {statement.error_line or statement.first_line}"
    if statement.error is not None:
        taken.notes.append(f"{where}: {statement.error}")
        for name in defined_by(statement.source):
            taken.failures[name] = SyntaxError(f"{statement.error} ({where})")
        return
    if statement.kind is None or statement.node is None:
        return
    # Compiled from the node, so that line numbers are those of the cell.
    tree = ast.Module(body=[statement.node], type_ignores=[])
    try:
        with clock():
            exec(compile(tree, cell.name, "exec", dont_inherit=True), namespace)
    except (Exception, SystemExit) as error:
        taken.notes.append(f"{where}: {type(error).__name__}: {str(error)[:200]}")
        for name in statement.names:
            taken.failures[name] = error
        return
    taken.defined.update(statement.names)
    for name in statement.names:
        taken.failures.pop(name, None)


def defined_by(broken: str) -> list[str]:
    """The classes and functions that a piece of code would have defined had it parsed."""
    return re.findall(r"^\s*(?:class|def)\s+([A-Za-z_]\w*)", broken, re.MULTILINE)


def remember(cell: Cell) -> None:
    """Register the cell's source, so that tracebacks can show its lines."""
    lines = cell.source.splitlines(keepends=True)
    linecache.cache[cell.name] = (len(cell.source), None, lines, cell.name)


def split_percent(text: str, path: str) -> list[Cell]:
    """The code cells of a reference kept in percent format, numbered over all cells."""
    from grader.parsing.notebooks import percent_cells  # only the judge reads references; workers have no use for it

    return [
        Cell(number=number, name=f"{path}[cell {number}]", source=cell.source)
        for number, cell in enumerate(percent_cells(text), start=1)
        if cell.kind == "code"
    ]
