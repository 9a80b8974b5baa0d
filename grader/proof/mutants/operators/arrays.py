"""Slips of NumPy code: an array shared where a copy was meant, and values that are cut to another dtype."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from grader.proof.changes.calls import called, keyword, of_module, subject, with_argument
from grader.proof.changes.source import Edit, Source

COPIES = frozenset({"copy", "array"})
FILLED = frozenset({"zeros", "ones", "empty", "full", "zeros_like", "ones_like", "empty_like", "full_like"})


def copy_dropped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """No copy: what is written to one array is written to the other."""
    if not source.is_of_arrays or not isinstance(node, ast.Call) or called(node) not in COPIES:
        return
    shared = subject(node)
    if shared is not None and not isinstance(shared, ast.List | ast.Tuple | ast.Constant | ast.ListComp):
        yield source.replace(node, source.bracketed(shared))


def dtype_changed(source: Source, node: ast.AST) -> Iterator[Edit]:
    """An array of whole numbers, which cuts what is written to it; a conversion left out."""
    if not source.is_of_arrays or not isinstance(node, ast.Call):
        return
    if called(node) in FILLED and of_module(node):
        if given := keyword(node, "dtype"):
            yield source.replace(given.value, "int")
        elif len(node.args) < 2 or called(node).startswith("full"):
            yield with_argument(source, node, "dtype=int")
    elif called(node) == "astype" and (converted := subject(node)) is not None:
        yield source.replace(node, source.bracketed(converted))
