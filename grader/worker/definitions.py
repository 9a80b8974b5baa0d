"""Code cells → definitions, statement by statement. A notebook is never run from top to bottom.

Imports, functions, classes and plain assignments are executed, each in its own try and on a clock. Other assignments
(`act = nn.GELU()`) run where a definition reads their names; branches (`if`, `try`, `with`) are taken as Python would
take them. Everything else (training loops, downloads, drive mounts) is skipped, and `missed` says so by name. A cell
that does not parse costs only what it defines.
"""

from __future__ import annotations
import __future__

import ast
import contextlib
import linecache
import re
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import CodeType, ModuleType

import torch
from torch import nn

from grader.parsing import cheap
from grader.parsing.statements import (
    Statement,
    bound_names,
    definition_kind,
    is_placeholder,
    split_statements,
    strip_magics,
    written_file,
)
from grader.worker.absent import is_absent
from grader.worker.capture import muted
from grader.worker.clock import TookTooLong, clock

COMPUTED_SECONDS = 1.0  # for one computed assignment
ALL_COMPUTED_SECONDS = 4.0  # for all of one file
COMPUTED_MIB = 128  # what one may leave in memory


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A code cell: its number in the notebook (from 1), the file name used in tracebacks, and its source."""

    number: int
    name: str
    source: str

    def names(self) -> set[str]:
        """What its statements bind at the top level."""
        return {name for statement in split_statements(self.source) for name in statement.names}


@dataclass
class Definitions:
    """What was taken: names, failures by the name they would have defined, and notes for the report.

    `skipped` says of a name that is set somewhere, but not here, where that is and why it was not done; `unread` does
    it for those that no definition reads. `broken` is the first thing in a `.py` file that Python cannot read;
    `written` are the modules that a notebook's cells write.
    """

    cells: Sequence[Cell] | None = None  # None for a `.py` file
    defined: set[str] = field(default_factory=set)
    failures: dict[str, BaseException] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    unread: dict[str, Callable[[], None]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    broken: SyntaxError | None = None
    flags: int = 0

    def find_cell(self, assigns: Sequence[str], contains: str) -> Cell | None:
        """The cell that contains the text and assigns the most of the names; None when none assigns any."""
        best: tuple[int, Cell] | None = None
        for cell in self.cells or ():
            if contains and contains not in cell.source:
                continue
            score = len(cell.names().intersection(assigns))
            if (score or not assigns) and (best is None or score > best[0]):
                best = (score, cell)
        return best[1] if best else None

    def cells_with(self, name: str) -> list[Cell]:
        """The cells that assign a name."""
        return [cell for cell in self.cells or () if name in cell.names()]

    def run(self, cell: Cell, namespace: dict[str, object], keep: Collection[str] = ()) -> None:
        """Run the whole cell, but for what would only set names of `keep` anew. Its own exceptions pass through."""
        tree = ast.parse(strip_magics(cell.source), cell.name)
        tree.body = [node for node in tree.body if not (names := bound_names(node)) or not set(names).issubset(keep)]
        remember(cell)
        exec(compile(tree, cell.name, "exec", self.flags, dont_inherit=True), namespace)

    def compute(self, name: str) -> bool:
        """Set a name that no definition reads, since a probe does: `Model = make_model()`. Whether it is there now."""
        step = self.unread.pop(name, None)
        if step is None:
            return False
        step()
        self.unread[name] = step  # what one probe changes is put back after it
        return name not in self.skipped

    def missed(self, name: str) -> str:
        """Why a name that the file sets is not there, as a sentence's second half; "" when nothing is known of it."""
        if name in self.skipped:
            return self.skipped[name]
        failure = self.failures.get(name)
        return "" if failure is None else f"what sets it raised {type(failure).__name__}: {str(failure)[:200]}"


def take_definitions(cells: Sequence[Cell], namespace: dict[str, object], scratch: str = "") -> Definitions:
    """Execute the definitions of all cells in order in `namespace`; files that cells write are put below `scratch`."""
    taken = Definitions(cells)
    pieces: list[tuple[Cell, Statement]] = []
    for cell in cells:
        remember(cell)
        written = written_file(cell.source)
        if written is not None:
            if scratch and write_below(scratch, *written):
                taken.written.append(Path(written[0]).stem)
            continue
        pieces += [(cell, statement) for statement in split_statements(cell.source)]
    taker = _Taker(taken, namespace)
    taker.prepare([(cell, piece.node) for cell, piece in pieces if piece.node is not None])
    for cell, piece in pieces:
        if piece.node is None:
            note_broken(piece, f"cell {cell.number}, ", taken)
        else:
            taker.take(piece.node, cell)
    return taken


_COOKIE = re.compile(r"(coding[:=][ \t]*)[-\w.]+")


def write_below(folder: str, path: str, text: str) -> bool:
    """Write a file that a cell writes; whether it is a module now. What lies elsewhere is not written."""
    place = Path(folder, path.removeprefix("/content/"))
    if ".." in place.parts or not place.is_relative_to(folder):
        return False
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)  # a link to a file of this name that was handed in
        place.write_text(_as_utf_8(text) if place.suffix == ".py" else text, encoding="utf-8")
        return place.suffix == ".py" and place.parent == Path(folder)
    return False


def _as_utf_8(text: str) -> str:
    """The text, with the encoding that it is written in: what Python imports is what the rules have read."""
    lines = text.split("\n")
    return "\n".join([*(_COOKIE.sub(r"\1utf-8", line) if "#" in line else line for line in lines[:2]), *lines[2:]])


def note_broken(piece: Statement, place: str, taken: Definitions) -> None:
    """Note a piece that does not parse, and what it would have defined."""
    where = f"{place}line {piece.error_line or piece.first_line}"
    taken.notes.append(f"{where}: {piece.error}")
    hole = next(filter(is_placeholder, piece.source.split("\n")), "")
    for name in defined_by(piece.source):
        taken.failures[name] = failure = SyntaxError(f"{piece.error} ({where})")
        failure.text = hole


class _Taker:
    """Takes the statements of a notebook one by one."""

    def __init__(self, taken: Definitions, namespace: dict[str, object]) -> None:
        self._taken = taken
        self._namespace = namespace
        self._codes: dict[int, CodeType] = {}
        self._needed: set[str] = set()
        self._left = ALL_COMPUTED_SECONDS

    def prepare(self, nodes: Sequence[tuple[Cell, ast.stmt]]) -> None:
        """Find out which names the definitions read, and what the assignments of those read in turn."""
        every = [(cell, leaf) for cell, node in nodes for leaf in cheap.leaves([node])]
        self._taken.flags = future_flags(leaf for _, leaf in every)
        computed: list[tuple[frozenset[str], frozenset[str]]] = []
        for cell, leaf in every:
            if isinstance(leaf, cheap.Definition):
                with contextlib.suppress(SyntaxError, ValueError, RecursionError):  # said when it is taken
                    self._needed.update(cheap.globals_read(self._compiled(leaf, cell)))
            elif isinstance(leaf, cheap.Assignment):
                lambdas = [inner for inner in ast.walk(leaf) if isinstance(inner, ast.Lambda)]
                if lambdas and cheap.is_plain(leaf.value):
                    self._needed.update(*map(cheap.reads, lambdas))
                computed.append((frozenset(bound_names(leaf)) | cheap.changed_roots(leaf), cheap.reads(leaf)))
        grown = True
        while grown:
            size = len(self._needed)
            for names, read in computed:
                if names & self._needed:
                    self._needed |= read
            grown = len(self._needed) > size

    def take(self, node: ast.stmt, cell: Cell) -> None:
        """Execute one statement if it defines something, else note what it would have set."""
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            return
        if definition_kind(node) is not None:
            self._define(node, cell)
        elif isinstance(node, cheap.Assignment):
            self._assign(node, cell)
        elif cheap.is_change(node):
            self._change(node, cell)
        elif isinstance(node, cheap.Block):
            self._branch(node, cell)
        else:
            self._skip(node, cell, "the grader does not run loops and calls that stand outside definitions")

    # --- the kinds of statements ------------------------------------------------------------------------------

    def _define(self, node: ast.stmt, cell: Cell) -> None:
        try:
            with clock():
                exec(self._compiled(node, cell), self._namespace)
        except (Exception, SystemExit) as error:
            self._taken.notes.append(f"{place(node, cell)}: {type(error).__name__}: {str(error)[:200]}")
            for name in bound_names(node):
                self._taken.failures[name] = error
            return
        self._have(bound_names(node))

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, cell: Cell) -> None:
        if node.value is None:
            return
        names = frozenset(bound_names(node))
        if cheap.changed_roots(node):
            self._change(node, cell)
        elif cheap.is_plain(node.value) or names & self._needed:
            self._compute(node, cell, cheap.reads(node.value, lambdas=False))
        else:
            self._put_off(node, cell, "it is computed, and no function or class reads it")

    def _change(self, node: ast.stmt, cell: Cell) -> None:
        """`Attention.forward = f`: for what is there, and never for a part of a library."""
        roots = cheap.changed_roots(node)
        known = [self._namespace[root] for root in roots if root in self._namespace]
        plain = cheap.is_plain(getattr(node, "value", None)) or cheap.is_change(node) or bool(roots & self._needed)
        if plain and len(known) == len(roots) and not any(isinstance(value, ModuleType) for value in known):
            self._compute(node, cell, cheap.reads(node, lambdas=False) - roots)

    def _compute(self, node: ast.stmt, cell: Cell, read: frozenset[str]) -> None:
        names = bound_names(node)
        lacking = sorted(name for name in read if name in self._taken.skipped or is_absent(self._namespace.get(name)))
        if lacking:
            self._put_off(node, cell, f"it needs {lacking[0]}, which is not here")
            return
        before = {name: self._namespace[name] for name in names if name in self._namespace}
        trouble = self._computed(node, cell)
        if not trouble and any(is_absent(self._namespace.get(name)) for name in names):
            trouble = "it needs a module that is not here"
        if not trouble:
            self._have(names)
            return
        for name in names:
            self._namespace.pop(name, None)
        self._namespace.update(before)
        self._skip(node, cell, trouble)

    def _put_off(self, node: ast.stmt, cell: Cell, why: str) -> None:
        """Leave a statement out until a probe asks for what it sets."""
        self._skip(node, cell, why)
        self._taken.unread.update(dict.fromkeys(bound_names(node), partial(self._compute_late, node, cell)))

    def _compute_late(self, node: ast.stmt, cell: Cell) -> None:
        read = cheap.reads(node, lambdas=False)
        for name in read - self._namespace.keys():
            self._taken.compute(name)
        self._compute(node, cell, read)

    def _computed(self, node: ast.stmt, cell: Cell) -> str:
        """Why the statement could not be run; "" when it was."""
        if self._left <= 0:
            return "the assignments above it took too long"
        started = time.monotonic()
        try:
            with muted(), clock(min(COMPUTED_SECONDS, self._left)):
                exec(self._compiled(node, cell), self._namespace)
        except TookTooLong:
            return f"it takes longer than {COMPUTED_SECONDS:g} s"
        except (Exception, SystemExit) as error:
            return f"it raised {type(error).__name__}: {str(error)[:200]}"
        finally:
            self._left -= time.monotonic() - started
        held = sum(held_mib(self._namespace.get(name)) for name in bound_names(node))
        return "" if held <= COMPUTED_MIB else f"it takes more than {COMPUTED_MIB} MiB of memory"

    def _branch(self, node: ast.stmt, cell: Cell) -> None:
        if isinstance(node, ast.If):
            self._if(node, cell)
        elif isinstance(node, ast.Try | ast.TryStar):
            before = len(self._taken.notes)
            self._take_all(node.body, cell)
            failed = len(self._taken.notes) > before
            # What only the handlers define is there for the case that the body cannot.
            for step in [inner for handler in node.handlers for inner in handler.body] if failed else node.orelse:
                self.take(step, cell)
            self._take_all(node.finalbody, cell)
        elif isinstance(node, ast.With):
            self._take_all(node.body, cell)

    def _if(self, node: ast.If, cell: Cell) -> None:
        main = isinstance(node.test, ast.Compare) and cheap.reads(node.test) == {"__name__"}
        chosen: bool | None = True if main else None  # a notebook is always the main program
        if chosen is None and cheap.is_plain(node.test):
            test = ast.Expression(node.test)
            try:
                with clock(COMPUTED_SECONDS):
                    chosen = bool(eval(compile(test, cell.name, "eval", dont_inherit=True), self._namespace))
            except (Exception, SystemExit):
                chosen = None
        if chosen is None:
            self._skip(node, cell, "the grader cannot tell whether this branch is taken")
        else:
            self._take_all(node.body if chosen else node.orelse, cell)

    def _take_all(self, body: Iterable[ast.stmt], cell: Cell) -> None:
        for node in body:
            self.take(node, cell)

    # --- bookkeeping ------------------------------------------------------------------------------------------

    def _compiled(self, node: ast.stmt, cell: Cell) -> CodeType:
        # Compiled from the node, so that line numbers are those of the cell.
        code = self._codes.get(id(node))
        if code is None:
            tree = ast.Module(body=[node], type_ignores=[])
            code = compile(tree, cell.name, "exec", self._taken.flags, dont_inherit=True)
            self._codes[id(node)] = code
        return code

    def _have(self, names: Iterable[str]) -> None:
        for name in names:
            self._taken.defined.add(name)
            self._taken.failures.pop(name, None)
            self._taken.skipped.pop(name, None)

    def _skip(self, node: ast.stmt, cell: Cell, why: str) -> None:
        for name in {name for leaf in cheap.leaves([node]) for name in bound_names(leaf)}:
            if name not in self._namespace:
                self._taken.skipped[name] = f"{place(node, cell)} sets it and was left out: {why}"


def future_flags(leaves: Iterable[ast.stmt]) -> int:
    """What `from __future__ import …` asks of the compiler, for the whole file."""
    flags = 0
    for leaf in leaves:
        if isinstance(leaf, ast.ImportFrom) and leaf.module == "__future__":
            for alias in leaf.names:
                flags |= getattr(getattr(__future__, alias.name, None), "compiler_flag", 0)
    return flags


def place(node: ast.stmt, cell: Cell) -> str:
    """ "cell 3, line 2"."""
    return f"cell {cell.number}, line {node.lineno}"


def held_mib(value: object) -> float:
    """What the tensors of a model, or of a short list of them, hold, in MiB."""
    if isinstance(value, nn.Module):
        return sum(tensor.nbytes for tensor in (*value.parameters(), *value.buffers())) / (1 << 20)
    if isinstance(value, list | tuple):
        return sum(held_mib(entry) for entry in value[:100])
    return value.nbytes / (1 << 20) if isinstance(value, torch.Tensor) else 0.0


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
