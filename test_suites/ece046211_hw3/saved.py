"""Reading a notebook as it was handed in: which cell does what, whether it was run, and what stands below it.

Judge side only. Cells are found by what their code does, never by number: students insert, split and merge cells.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cached_property

from grader.parsing.notebooks import Cell, Notebook, statements

# What probes put into the notebook's namespace; a cell that makes these need not be run for another one.
GIVEN = frozenset(
    "vocab itos device tokenizer train_data val_data test_data train_iter val_iter test_iter".split()  # noqa: SIM905
)
_HOLE = re.compile(r"=\s*(#.*)?$", re.MULTILINE)


@dataclass(frozen=True)
class CodeCell:
    """A code cell and what its code does at the top level (outside functions and classes)."""

    cell: Cell

    @property
    def number(self) -> int:
        return self.cell.number

    @property
    def text(self) -> str:
        """The saved text output."""
        return self.cell.outputs

    @cached_property
    def pieces(self):
        """The statements; a piece that does not parse has no node."""
        return statements(self.cell.source)

    @cached_property
    def code(self) -> str:
        """The code without its comments; pieces that do not parse are left out."""
        return "\n".join(ast.unparse(piece.node) for piece in self.pieces if piece.node is not None)

    @cached_property
    def defines(self) -> frozenset[str]:
        """Functions and classes defined here."""
        return frozenset(name for piece in self.pieces if piece.kind in ("function", "class") for name in piece.names)

    @cached_property
    def running(self) -> tuple[ast.stmt, ...]:
        """The statements that do something when the cell is run."""
        definitions = ("import", "function", "class")
        return tuple(piece.node for piece in self.pieces if piece.node is not None and piece.kind not in definitions)

    @cached_property
    def assigns(self) -> frozenset[str]:
        return frozenset(name for piece in self.pieces if piece.kind in (None, "literal") for name in piece.names)

    @cached_property
    def calls(self) -> frozenset[str]:
        """What is called: `train(…)` is train, `model.train(…)` is .train, `torch.optim.SGD(…)` is .SGD."""
        found = {called(node) for step in self.running for node in ast.walk(step) if isinstance(node, ast.Call)}
        return frozenset(found - {""})

    @cached_property
    def reads(self) -> frozenset[str]:
        """Names and attributes that are read."""
        nodes = [node for step in self.running for node in ast.walk(step)]
        names = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        return frozenset(names | {node.attr for node in nodes if isinstance(node, ast.Attribute)})


def called(node: ast.Call) -> str:
    """The name of what a call calls, `.name` for an attribute, or nothing."""
    target = node.func
    return f".{target.attr}" if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""


@dataclass(frozen=True)
class Saved:
    """The notebook of one submission."""

    notebook: Notebook

    @cached_property
    def cells(self) -> tuple[CodeCell, ...]:
        return tuple(CodeCell(cell) for cell in self.notebook.code_cells)

    @cached_property
    def _counts_kept(self) -> bool:
        # Some front ends save outputs without execution counts; then a missing count says nothing about any cell.
        counted = [cell.cell.execution_count is not None for cell in self.cells if _has_output(cell)]
        return all(counted) and any(cell.cell.execution_count is not None for cell in self.cells)

    def was_run(self, cell: CodeCell) -> bool:
        """Whether a cell was run before the notebook was saved, as far as the file tells."""
        if cell.cell.execution_count is not None or _has_output(cell):
            return True
        return not self._counts_kept and any(_has_output(later) for later in self.cells if later.number > cell.number)

    def run(self) -> tuple[CodeCell, ...]:
        """The cells that were run."""
        return tuple(cell for cell in self.cells if self.was_run(cell))

    def calling(self, *names: str) -> tuple[CodeCell, ...]:
        """Cells whose running code calls one of these."""
        return tuple(cell for cell in self.cells if cell.calls.intersection(names))

    def defining(self, name: str) -> CodeCell | None:
        """The last cell that defines this function or class."""
        return next((cell for cell in reversed(self.cells) if name in cell.defines), None)

    def unfilled(self, name: str) -> bool:
        """Whether the definition of `name` still has a hole of the template that is not even Python (`target = `)."""
        return any(
            piece.error is not None and name in piece.names and _HOLE.search(piece.source)
            for cell in self.cells
            for piece in cell.pieces
        )

    def with_what_they_need(self, wanted: tuple[CodeCell, ...]) -> tuple[CodeCell, ...]:
        """These cells, and the earlier ones that compute what they read; literals need no cell, probes give `GIVEN`."""
        chosen = {cell.number: cell for cell in wanted}
        waiting = list(wanted)
        while waiting:
            cell = waiting.pop()
            for name in cell.reads - cell.assigns - GIVEN:
                source = self._computing(name, cell.number)
                if source is not None and source.number not in chosen:
                    chosen[source.number] = source
                    waiting.append(source)
        return tuple(chosen[number] for number in sorted(chosen))

    def _computing(self, name: str, before: int) -> CodeCell | None:
        earlier = [cell for cell in self.cells if cell.number < before and name in cell.assigns]
        if not earlier or earlier[-1].assigns & GIVEN or earlier[-1].calls & {"train", "evaluate"}:
            return None
        literal = any(piece.kind == "literal" and name in piece.names for piece in earlier[-1].pieces)
        return None if literal else earlier[-1]


def _has_output(cell: CodeCell) -> bool:
    return bool(cell.cell.outputs.strip()) or cell.cell.has_image
