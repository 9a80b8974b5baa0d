"""Fingerprints of what students wrote themselves: equal ones mean the same syntax trees, names included.

Comments, layout, documentation and the names of files make no difference; the template's own statements and methods are
taken away first, since everybody has them. Little code is alike by chance, so it gets no fingerprint.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.errors import GraderError
from grader.parsing import notebooks
from grader.parsing.statements import is_constant, parse_source, split_statements
from grader.templates.generate import templates_of

LEAST = 120  # nodes of syntax trees that a student must have written
_BYTES = 3_000_000  # of one submission; parsing hostile source is slow


def given_code(assignment: Assignment) -> frozenset[str]:
    """What the template gives to everybody; nothing where there is no reference to make it from."""
    if not assignment.reference.is_dir():
        return frozenset()
    try:
        templates = templates_of(assignment)
    except GraderError:
        return frozenset()  # whoever grades is told of it when the reference is run
    return frozenset(piece for path, text in templates.items() for piece, _ in _pieces(path, text))


def fingerprints(root: Path, files: Mapping[str, str], given: frozenset[str]) -> dict[str, str]:
    """File id → fingerprint of the file's own code; files with little of their own have none."""
    found = {}
    left = _BYTES
    for name, path in files.items():
        if not path.lower().endswith((".py", ".ipynb")):
            continue
        text = (root / path).read_text("utf-8", "replace")
        left -= len(text) // (20 if path.lower().endswith(".ipynb") else 1)  # outputs are not parsed
        if left < 0:
            break
        own = {piece: size for piece, size in _pieces(path, text) if piece not in given}
        if sum(own.values()) >= LEAST:
            found[name] = hashlib.sha256("".join(sorted(own)).encode()).hexdigest()[:24]
    return found


def former_prints(assignment: Assignment, given: frozenset[str]) -> dict[str, str]:
    """The same of last year's reference, where a suite keeps it."""
    root = assignment.suite / "submissions" / "former"
    return fingerprints(root, {file.id: file.path for file in assignment.files if (root / file.path).is_file()}, given)


def _pieces(path: str, text: str) -> Iterator[tuple[str, int]]:
    """(digest, number of nodes) of every statement, of a class every method."""
    for node in _statements(path, text):
        if isinstance(node, ast.Import | ast.ImportFrom) or is_constant(node):
            continue
        inner: Iterable[ast.stmt] = node.body if isinstance(node, ast.ClassDef) else (node,)
        for step in inner:
            if not is_constant(step):
                yield from _piece(step)


def _statements(path: str, text: str) -> Iterator[ast.stmt]:
    try:
        if path.lower().endswith(".ipynb"):
            for cell in notebooks.read(text, path).code_cells:
                yield from (piece.node for piece in split_statements(cell.source) if piece.node is not None)
        else:
            yield from parse_source(text).body
    except (SyntaxError, GraderError):
        return


def _piece(node: ast.stmt) -> Iterator[tuple[str, int]]:
    try:
        for inner in ast.walk(node):
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and is_constant(inner.body[0]):
                inner.body = inner.body[1:] or [ast.Pass()]
        digest = hashlib.sha256(ast.dump(node).encode("utf-8", "surrogatepass")).hexdigest()
        yield digest, sum(1 for _ in ast.walk(node))
    except RecursionError:
        return
