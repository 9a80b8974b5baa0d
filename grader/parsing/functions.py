"""The functions of a source by name, and which of them differ between two versions of it."""

from __future__ import annotations

import ast
import functools
from collections.abc import Mapping
from types import CodeType

from grader.parsing.statements import strip_magics

Function = ast.FunctionDef | ast.AsyncFunctionDef


def changed_functions(before: str, after: str) -> frozenset[str] | None:
    """The names of the functions of which only the body differs: `Encoder.forward`; inner ones stand for themselves.

    None where anything else differs, a signature or a statement outside, or where a source is not Python.
    """
    try:
        old, new = bodies(before), bodies(after)
    except SyntaxError:
        return None
    found = frozenset(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return None if "" in found else found


@functools.lru_cache(maxsize=32)  # a source is held against hundreds of versions
def bodies(source: str) -> Mapping[str, str]:
    """{name of a function: its body without those of inner ones}; what stands outside is that of "".

    Raises SyntaxError.
    """
    hollow = _Hollow()
    hollow.found[""] = ast.dump(hollow.visit(ast.parse(strip_magics(source))))
    return hollow.found


def name_of(code: CodeType) -> str:
    """The name of the function that is run, as `bodies` has it; comprehensions and lambdas belong to the one around."""
    whole, _, _ = code.co_qualname.partition("<lambda>")
    for inner in ("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"):
        whole, _, _ = whole.partition(inner)
    return ".".join(part for part in whole.split(".") if part and part != "<locals>")


class _Hollow(ast.NodeTransformer):
    """Takes the bodies out of functions. Functions of one name are kept as one."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self._path: tuple[str, ...] = ()

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._inside(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._emptied(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._emptied(node)

    def _inside(self, node: ast.ClassDef | Function) -> ast.AST:
        outside = self._path
        self._path = (*outside, node.name)
        self.generic_visit(node)
        self._path = outside
        return node

    def _emptied(self, node: Function) -> ast.AST:
        self._inside(node)
        name = ".".join((*self._path, node.name))
        self.found[name] = self.found.get(name, "") + "".join(map(ast.dump, node.body))
        node.body = [ast.Pass()]
        return node
