"""What a notebook's cell does when it is run: its statements, and those of the notebook's own functions that it calls.

Nothing is executed. A call `fit(12)` of `def fit(epochs): …` stands for the body with 12 in place of `epochs`; names
that only the function knows become `fit.name`, so that nobody takes them for globals.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

_MOST_NODES = 20_000  # of the bodies that one cell's calls stand for


def functions_of(statements: Iterable[ast.stmt], apart: frozenset[str] = frozenset()) -> dict[str, Function]:
    """Functions by name, methods as `.name`, `__init__` by the name of its class; the last definition counts.

    Those below `if`, `try` and `with` are found, and classes that a function makes. Functions and classes of the names
    `apart` are left out.
    """
    found: dict[str, Function] = {}
    for node in _defined(statements):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.ClassDef) and node.name not in apart:
            methods = [step for step in node.body if isinstance(step, ast.FunctionDef | ast.AsyncFunctionDef)]
            found |= {node.name if step.name == "__init__" else f".{step.name}": step for step in methods}
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            found |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
    return {name: function for name, function in found.items() if name not in apart}


def _defined(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements with those below them, and the classes that functions make; without recursion, for long `elif`."""
    waiting = [*statements][::-1]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from (inner for inner in ast.walk(node) if isinstance(inner, ast.ClassDef))
        elif not isinstance(node, ast.ClassDef):
            waiting += [step for child in ast.iter_child_nodes(node) for step in _steps(child)][::-1]
        yield node


def _steps(node: ast.AST) -> list[ast.stmt]:
    """A statement itself; what an `except` or a `case` holds."""
    if isinstance(node, ast.stmt):
        return [node]
    return node.body if isinstance(node, ast.ExceptHandler | ast.match_case) else []


def called(node: ast.Call) -> str:
    """The name of what a call calls, `.name` for an attribute, or nothing."""
    target = node.func
    return f".{target.attr}" if isinstance(target, ast.Attribute) else target.id if isinstance(target, ast.Name) else ""


def followed(statements: Iterable[ast.stmt], functions: Mapping[str, Function]) -> tuple[ast.stmt, ...]:
    """The statements, each with the bodies of the functions that it calls behind it, and of those that these call."""
    left = _MOST_NODES

    def follow(nodes: Iterable[ast.stmt], above: frozenset[str]) -> Iterator[ast.stmt]:
        nonlocal left
        for node in nodes:
            yield node
            for call in (inner for inner in ast.walk(node) if isinstance(inner, ast.Call)):
                name = called(call)
                if name in functions and name not in above:
                    left -= sum(1 for _ in ast.walk(functions[name]))
                    if left > 0:
                        yield from follow(_body(functions[name], name, call), above | {name})

    return tuple(follow(statements, frozenset()))


def bound(function: Function, call: ast.Call) -> dict[str, ast.expr]:
    """What a call gives to the parameters, defaults included, as far as it stands there by place or by name."""
    parameters, named = function.args, function.args.kwonlyargs
    places = _places(function)
    given: dict[str, ast.expr] = dict(zip(reversed(places), reversed(parameters.defaults), strict=False))
    given |= {each.arg: value for each, value in zip(named, parameters.kw_defaults, strict=True) if value is not None}
    given |= zip(places, takewhile(lambda each: not isinstance(each, ast.Starred), call.args), strict=False)
    known = {*places, *(each.arg for each in named)}
    return given | {entry.arg: entry.value for entry in call.keywords if entry.arg is not None and entry.arg in known}


def _places(function: Function) -> list[str]:
    """The parameters that arguments without a name fill, without `self`."""
    names = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
    return names[1:] if names[:1] == ["self"] else names


def _body(function: Function, name: str, call: ast.Call) -> list[ast.stmt]:
    """The function's statements as this call runs them; none where they are nested too deeply."""
    try:
        filled = _Filled(function, name, call)
        copied = copy.deepcopy(function.body)
        steps = copied if isinstance(copied, list) else [ast.Expr(copied)]
        return [filled.visit(step) for step in steps]
    except RecursionError:
        return []


class _Filled(ast.NodeTransformer):
    """Puts arguments in place of parameters, and the function's name before its own names."""

    def __init__(self, function: Function, name: str, call: ast.Call) -> None:
        nodes = list(ast.walk(function))
        shared = {each for node in nodes if isinstance(node, ast.Global) for each in node.names}
        stored = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
        given, places = bound(function, call), _places(function)
        self._name = name
        self._given = {each: value for each, value in given.items() if each not in stored}
        self._own = {node.arg for node in nodes if isinstance(node, ast.arg)} | (stored - shared)
        self._rest = call.args[len(places) :]
        self._named = [entry for entry in call.keywords if entry.arg not in given]
        self._args, self._options = (
            f"{name}.{each.arg}" if each else "" for each in (function.args.vararg, function.args.kwarg)
        )

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """The argument for a parameter; a name of the function's own otherwise, or one from outside."""
        if node.id in self._given:
            return self._given[node.id]
        return ast.Name(f"{self._name}.{node.id}", node.ctx) if node.id in self._own else node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        """`*args` and `**options` are what was left over."""
        self.generic_visit(node)
        rest = [isinstance(each, ast.Starred) and _is(each.value, self._args) for each in node.args]
        named = [each.arg is None and _is(each.value, self._options) for each in node.keywords]
        node.args = [each for each, many in zip(node.args, rest, strict=True) if not many]
        node.keywords = [each for each, many in zip(node.keywords, named, strict=True) if not many]
        node.args += self._rest if any(rest) else []  # nothing can stand behind them without a name
        node.keywords += self._named if any(named) else []
        return node


def _is(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
