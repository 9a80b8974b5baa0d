"""A file as text and as syntax tree: exact positions, parents, scopes, and the solution regions in it."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from grader.parsing.statements import parse_source
from grader.templates.markers import Region, find_regions, python_comments

Function = ast.FunctionDef | ast.AsyncFunctionDef
# These bind at least as tightly as whatever may stand around them.
ATOMS = (ast.Name, ast.Call, ast.Attribute, ast.Subscript, ast.List, ast.Dict, ast.Set, ast.Constant)

# What these show stands in saved outputs, which an edit of the code does not change.
SHOWN = frozenset({"print", "figure", "plot", "subplot", "xlabel", "ylabel", "title", "legend", "show"})


@dataclass(frozen=True, order=True)
class Replacement:
    """Characters `start` to `end` of a text become `text`."""

    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Edit:
    """What a change does to a file: replacements that do not overlap. The first says where the change stands."""

    replacements: tuple[Replacement, ...]


class Source:
    """One file. `path` is relative to the reference; line ends are LF."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.tree = parse_source(text)
        self._lines = text.split("\n")
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line) + 1)
        self._parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    @cached_property
    def regions(self) -> list[Region]:
        """The solution regions. Raises AuthorError where markers are not balanced."""
        return find_regions(python_comments(self.text, self.path), self.path)

    @cached_property
    def is_of_arrays(self) -> bool:
        """Whether the file computes with NumPy alone: some names mean other things there than in torch."""
        imports = [node for node in ast.walk(self.tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {node.module for node in imports if isinstance(node, ast.ImportFrom)}
        names |= {alias.name for node in imports for alias in node.names}
        tops = {(name or "").split(".")[0] for name in names}
        return "numpy" in tops and "torch" not in tops

    @cached_property
    def comments(self) -> list[tuple[int, int]]:
        """Where comments start and end, in characters."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        starts = [(self._starts[token.start[0] - 1] + token.start[1], token) for token in tokens]
        return [(start, start + len(token.string)) for start, token in starts if token.type == tokenize.COMMENT]

    # --- positions --------------------------------------------------------------------------------------------

    def span(self, node: ast.AST) -> tuple[int, int]:
        """Where a node's text starts and ends, in characters. Brackets around an expression are not part of it."""
        assert isinstance(node, ast.expr | ast.stmt | ast.keyword | ast.arg)
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)

    def _offset(self, line: int, column: int) -> int:
        # ast counts columns in UTF-8 bytes.
        text = self._lines[line - 1]
        return self._starts[line - 1] + len(text.encode()[:column].decode())

    def line_of(self, offset: int) -> int:
        """The line, from 1, that a character stands in."""
        return self.text.count("\n", 0, offset) + 1

    def start_of_line(self, line: int) -> int:
        """Where a line, counted from 1, starts."""
        return self._starts[line - 1]

    def lines_around(self, start: int, end: int) -> tuple[int, int]:
        """The whole lines that a stretch of characters stands in."""
        stop = self.text.find("\n", end)
        return self.text.rfind("\n", 0, start) + 1, len(self.text) if stop < 0 else stop

    def segment(self, node: ast.AST) -> str:
        """The text of a node."""
        start, end = self.span(node)
        return self.text[start:end]

    def bracketed(self, node: ast.expr) -> str:
        """The text of an expression, in brackets unless it may stand anywhere without."""
        text = self.segment(node)
        if isinstance(node, ATOMS) or (isinstance(node, ast.Tuple) and text.startswith("(")):
            return text
        return f"({text})"

    # --- surroundings -----------------------------------------------------------------------------------------

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node that a node stands in."""
        return self._parents.get(node)

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a node, from the inside."""
        inner = self._parents.get(node)
        while inner is not None:
            yield inner
            inner = self._parents.get(inner)

    def statement(self, node: ast.AST) -> ast.stmt:
        """The innermost statement that a node belongs to."""
        if isinstance(node, ast.stmt):
            return node
        return next(outer for outer in self.around(node) if isinstance(outer, ast.stmt))

    def function(self, node: ast.AST) -> Function | None:
        """The innermost function around a node."""
        return next((outer for outer in self.around(node) if isinstance(outer, Function)), None)

    def class_of(self, node: ast.AST) -> ast.ClassDef | None:
        """The innermost class around a node."""
        return next((outer for outer in self.around(node) if isinstance(outer, ast.ClassDef)), None)

    def scope(self, node: ast.AST) -> str:
        """The qualified name of the class or function around a node; empty at the top level of the file."""
        outer = [node, *self.around(node)]
        names = [entry.name for entry in outer if isinstance(entry, ast.ClassDef | Function)]
        return ".".join(reversed(names))

    def siblings(self, statement: ast.stmt) -> list[ast.stmt]:
        """The block of statements that a statement belongs to."""
        outer = self._parents[statement]
        for name in ("body", "orelse", "finalbody"):
            block = getattr(outer, name, [])
            if isinstance(block, list) and statement in block:
                return block
        return [statement]

    def anywhere(self) -> Iterator[ast.expr | ast.stmt]:
        """Every expression and statement that may be changed, in order of position."""
        found = [node for node in ast.walk(self.tree) if isinstance(node, ast.expr | ast.stmt)]
        found.sort(key=self.span)
        yield from (node for node in found if not self._is_fixed(node))

    def in_regions(self) -> Iterator[ast.expr | ast.stmt]:
        """Those of them that stand in solution regions."""
        yield from (node for node in self.anywhere() if self.is_asked_for(node))

    def is_asked_for(self, node: ast.expr | ast.stmt) -> bool:
        """Whether a node stands in a solution region: students write it, the rest is given."""
        last = node.end_lineno or node.lineno
        return any(region.covers(node.lineno) and region.covers(last) for region in self.regions)

    def _is_fixed(self, node: ast.expr | ast.stmt) -> bool:
        """Text inside f-strings has no exact positions before Python 3.12; annotations change nothing."""
        if self._is_only_shown(node):
            return True
        child: ast.AST = node
        for outer in (node, *self.around(node)):
            if isinstance(outer, ast.JoinedStr) or _is_annotation(child, outer):
                return True
            child = outer
        return False

    def _is_only_shown(self, node: ast.AST) -> bool:
        """Whether a node stands at the top level, in a statement that prints or plots."""
        if self.function(node) is not None or isinstance(node, Function):
            return False
        outer = [self.statement(node), *(part for part in self.around(node) if isinstance(part, ast.stmt))]
        return any(_shows(statement) for statement in outer)

    # --- editing ----------------------------------------------------------------------------------------------

    def replace(self, node: ast.AST, text: str) -> Edit:
        """The edit that puts `text` in the place of a node."""
        return Edit((Replacement(*self.span(node), text),))

    def inserted(self, place: int, text: str) -> Edit:
        """The edit that puts `text` before a character."""
        return Edit((Replacement(place, place, text),))

    def replaced(self, outer: ast.AST, *parts: tuple[ast.AST, str]) -> str:
        """The text of `outer` with some nodes in it replaced."""
        start, end = self.span(outer)
        text = self.text[start:end]
        for node, new in sorted(parts, key=lambda part: self.span(part[0]), reverse=True):
            first, last = self.span(node)
            text = text[: first - start] + new + text[last - start :]
        return text

    def exchange(self, left: ast.expr, right: ast.expr) -> Edit:
        """The edit that lets two expressions of one statement change places."""
        return Edit(
            (Replacement(*self.span(left), self.bracketed(right)), Replacement(*self.span(right), self.bracketed(left)))
        )

    def applied(self, edit: Edit) -> str:
        """The whole text after an edit."""
        text = self.text
        for part in sorted(edit.replacements, reverse=True):
            text = text[: part.start] + part.text + text[part.end :]
        return text


def _shows(statement: ast.stmt) -> bool:
    calls = (part.func for part in ast.walk(statement) if isinstance(part, ast.Call))
    names = (func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in calls)
    return not SHOWN.isdisjoint(names)


def _is_annotation(node: ast.AST, outer: ast.AST) -> bool:
    if isinstance(outer, ast.arg | ast.AnnAssign):
        return outer.annotation is node
    return isinstance(outer, Function) and outer.returns is node
