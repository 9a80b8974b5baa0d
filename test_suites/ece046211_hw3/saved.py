"""Reading a notebook as it was handed in: which cell does what, whether it was run, and what stands below it.

Judge side only. Cells are found by what their code does, never by number: students insert, split and merge cells.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from grader.parsing.following import Function, called, followed, functions_of
from grader.parsing.notebooks import Cell, Notebook

# What probes put into the notebook's namespace; a cell that makes these need not be run for another one.
GIVEN = frozenset(
    "vocab itos device tokenizer train_data val_data test_data train_iter val_iter test_iter".split()  # noqa: SIM905
)
# What the assignment itself names: a call of one of these is what is looked for, whatever the function does inside.
NAMED = frozenset(
    "batchify data_process get_batch PositionalEncoding TransformerModel evaluate train generate".split()  # noqa: SIM905
)
_HOLE = re.compile(r"=\s*(#.*)?$", re.MULTILINE)


@dataclass(frozen=True)
class CodeCell:
    """A code cell and what its code does when it is run, calls of the notebook's own `functions` followed."""

    cell: Cell
    functions: Mapping[str, Function] = field(default_factory=dict, compare=False, repr=False)

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
        return self.cell.statements

    @cached_property
    def code(self) -> str:
        """The code without its comments; pieces that do not parse are left out."""
        return "\n".join(ast.unparse(piece.node) for piece in self.pieces if piece.node is not None)

    @cached_property
    def defines(self) -> frozenset[str]:
        """Functions and classes defined here."""
        return frozenset(name for piece in self.pieces if piece.kind in ("function", "class") for name in piece.names)

    @property
    def nodes(self) -> tuple[ast.stmt, ...]:
        """The statements that can be read."""
        return tuple(piece.node for piece in self.pieces if piece.node is not None)

    @cached_property
    def running(self) -> tuple[ast.stmt, ...]:
        """The statements that do something when the cell is run, those of functions that it calls among them."""
        return followed(self._top, self.functions)

    @cached_property
    def _top(self) -> tuple[ast.stmt, ...]:
        definitions = ("import", "function", "class")
        nodes = (piece.node for piece in self.pieces if piece.kind not in definitions)
        return tuple(node for node in nodes if node is not None and not _defines_by_lambda(node))

    @cached_property
    def fields(self) -> tuple[ast.stmt, ...]:
        """The statements at the top of classes: `bptt: int = 35` of a configuration."""
        return tuple(step for piece in self.pieces if piece.kind == "class" for step in getattr(piece.node, "body", ()))

    @cached_property
    def assigns(self) -> frozenset[str]:
        """Names that are set, those that functions set with `global` among them."""
        own = {name for piece in self.pieces if piece.kind in (None, "literal") for name in piece.names}
        inner = [node for step in self.running if step not in self._top for node in ast.walk(step)]
        shared = {node.id for node in inner if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
        return frozenset(own | {name for name in shared if "." not in name})

    @cached_property
    def calls(self) -> frozenset[str]:
        """What is called: `train(…)` is train, `model.train(…)` is .train, `torch.optim.SGD(…)` is .SGD."""
        found = {called(node) for step in self.running for node in ast.walk(step) if isinstance(node, ast.Call)}
        return frozenset(found - {""})

    @cached_property
    def reads(self) -> frozenset[str]:
        """Names and attributes that are read."""
        nodes = [node for step in self.running for node in ast.walk(step)]
        return self.mentions | {node.attr for node in nodes if isinstance(node, ast.Attribute)}

    @cached_property
    def mentions(self) -> frozenset[str]:
        """Names that are read, and no attributes."""
        nodes = [node for step in self.running for node in ast.walk(step)]
        return frozenset(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))

    @cached_property
    def shows(self) -> bool:
        """Whether the cell prints something, or ends with a value."""
        return bool(self.calls & {"print", "display", ".write"}) or isinstance([*self._top, None][-1], ast.Expr)


def _defines_by_lambda(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda)


@dataclass(frozen=True)
class Saved:
    """The notebook of one submission."""

    notebook: Notebook

    @cached_property
    def cells(self) -> tuple[CodeCell, ...]:
        plain = [CodeCell(cell) for cell in self.notebook.code_cells]
        known = functions_of((node for cell in plain for node in cell.nodes), NAMED)
        cells = []
        for cell in plain:  # a function that is defined anew is the new one from there on
            known = known | functions_of(cell.nodes, NAMED)
            cells.append(CodeCell(cell.cell, known))
        return tuple(cells)

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
        """Cells whose running code calls one of these; where none does by name, those that mention one as a value."""
        found = tuple(cell for cell in self.cells if cell.calls.intersection(names))
        return found or tuple(cell for cell in self.cells if cell.mentions.intersection(names))

    def defining(self, name: str) -> CodeCell | None:
        """The last cell that defines this function or class."""
        return next((cell for cell in reversed(self.cells) if name in cell.defines), None)

    def function(self, name: str) -> Function | None:
        """The last function of this name."""
        return functions_of(node for cell in self.cells for node in cell.nodes).get(name)

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
