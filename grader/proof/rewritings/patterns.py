"""Rewritings as a table: a pattern of an expression or statement, and other ways to say the same.

In a pattern `_a` … `_z` stand for any expression, the same one wherever the letter is repeated, `_t` and `_u` for what
may be a tensor, no list and no literal; `F.` and `nn.` stand for whatever name a file has for these modules.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from grader.parsing.statements import first_line, is_constant
from grader.proof.changes.making import Operator
from grader.proof.changes.source import ATOMS, Edit, Replacement, Source

IMPORTED = re.compile(r"^(?:from|import) torch\b", re.MULTILINE)
HOLE = re.compile(r"\b_[a-z]\b")
TENSORS = {"_t", "_u"}
ROOTS = {"torch", "nn", "F", "math", "np"}
LONGER = (("torch.nn.functional.", "F."), ("nn.functional.", "F."), ("torch.nn.", "nn."), ("functional.", "F."))
LEFT_OUT = ("ctx", "type_comment", "kind", "type_params")

Holes = dict[str, ast.expr]


def has_torch(text: str) -> bool:
    """Whether a file imports torch, whole or in part. One that only speaks of it is plain Python."""
    return IMPORTED.search(text) is not None


def spelt(*rows: tuple[str, str], inside: str = "") -> Operator:
    """The operator that rewrites whatever matches one of the rows. `inside` "class": only in classes."""
    table = [(_parsed(pattern), text) for pattern, text in rows]

    def operator(source: Source, node: ast.AST) -> Iterator[Edit]:
        if inside == "class" and (source.class_of(node) is None or source.function(node) is None):
            return
        for pattern, text in table:
            holes: Holes = {}
            if type(pattern) is type(node) and matches(node, pattern, holes):
                yield rewritten(source, node, text, holes)

    return operator


def rewritten(source: Source, node: ast.AST, text: str, holes: Holes) -> Edit:
    """The edit that puts a text with holes in the place of a node; lines of a statement keep its indentation."""
    if not isinstance(node, ast.stmt):
        filled = filled_in(source, text, holes)
        return source.replace(node, filled if isinstance(_parsed(text), ATOMS) else f"({filled})")
    indent = " " * node.col_offset
    return source.replace(node, filled_in(source, text.replace("\n", f"\n{indent}"), holes))


def filled_in(source: Source, text: str, holes: Holes) -> str:
    """A text with the holes filled in."""
    return HOLE.sub(lambda hole: source.bracketed(holes[hole[0]]), text)


def matches(node: ast.AST | None, pattern: ast.AST | None, holes: Holes) -> bool:
    """Whether a node is what a pattern says; `holes` learns what the letters stand for."""
    if isinstance(pattern, ast.Name) and HOLE.fullmatch(pattern.id):
        if not isinstance(node, ast.expr) or isinstance(node, ast.Starred):
            return False
        if pattern.id in TENSORS and isinstance(node, ast.List | ast.Tuple | ast.Constant | ast.JoinedStr):
            return False
        known = holes.setdefault(pattern.id, node)
        return known is node or ast.unparse(known) == ast.unparse(node)
    said = _dotted(pattern)
    if said:
        return _dotted(node) == said
    if type(node) is not type(pattern) or node is None or pattern is None:
        return False
    names = [name for name in pattern._fields if name not in LEFT_OUT]
    return all(_same(getattr(node, name, None), getattr(pattern, name, None), holes) for name in names)


def _same(value: object, wanted: object, holes: Holes) -> bool:
    if isinstance(wanted, ast.AST):
        return isinstance(value, ast.AST) and matches(value, wanted, holes)
    if isinstance(wanted, Sequence) and not isinstance(wanted, str | bytes):
        if not isinstance(value, Sequence) or len(value) != len(wanted):
            return False
        return all(_same(mine, theirs, holes) for mine, theirs in zip(value, wanted, strict=True))
    return type(value) is type(wanted) and value == wanted


def _dotted(node: ast.AST | None) -> str:
    """`F.softmax` for the name of a function in a module, however the module is called; else empty."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not parts or not isinstance(node, ast.Name) or node.id not in ROOTS:
        return ""
    name = ".".join([node.id, *reversed(parts)])
    for long, short in LONGER:
        if name.startswith(long):
            return short + name.removeprefix(long)
    return name


def _parsed(text: str) -> ast.AST:
    (statement,) = ast.parse(text).body[:1]
    return statement.value if isinstance(statement, ast.Expr) else statement


def above(source: Source, node: ast.AST, lines: str) -> Replacement:
    """The replacement that puts lines before the top-level statement that a node belongs to."""
    outer = [part for part in (node, *source.around(node)) if isinstance(part, ast.stmt)]
    start = source.start_of_line(first_line(outer[-1]))
    return Replacement(start, start, f"{lines}\n")


def first_of(node: ast.FunctionDef) -> ast.stmt:
    """The statement with which a function begins, behind its docstring; the docstring where there is nothing else."""
    first, *others = node.body
    return others[0] if others and is_constant(first) else first
