"""Which top-level statements of a notebook may be run beside its definitions, and which names each of them reads.

A notebook is never run from top to bottom: training loops and downloads stand beside the constants that a `forward`
reads. A *plain* expression is run at once: it calls nothing but builtins and the like. Every other assignment is run
only where a definition reads the name. Standard library only: the worker uses it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dis import opmap
from types import CodeType

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Block = ast.If | ast.Try | ast.TryStar | ast.With
Assignment = ast.Assign | ast.AnnAssign | ast.AugAssign

_NAMES = """
    abs all any bool bytes chr classmethod complex dict divmod enumerate filter float format frozenset getattr hasattr
    int isinstance issubclass iter len list map max min next object ord pow property range repr reversed round set slice
    sorted staticmethod str sum tuple type zip partial namedtuple defaultdict OrderedDict Counter TypeVar NewType
"""
_BUILTINS = frozenset(_NAMES.split())
_MODULES = frozenset({"math", "functools", "collections", "itertools", "string", "operator", "typing", "enum", "cmath"})
_CALLS = frozenset({"torch.device", "torch.finfo", "torch.iinfo", "torch.cuda.is_available", "torch.cuda.device_count"})
_AVAILABLE = frozenset({"is_available", "is_built", "device_count"})
_STRING_METHODS = frozenset(
    {"split", "join", "strip", "lower", "upper", "format", "replace", "items", "keys", "values"}
)
# Calls that change what a name holds and do nothing else.
_CHANGES = frozenset({"append", "extend", "update", "add", "insert", "setdefault"})

_LOAD_GLOBAL, _LOAD_NAME, _EXTENDED = opmap["LOAD_GLOBAL"], opmap["LOAD_NAME"], opmap["EXTENDED_ARG"]


def is_plain(value: ast.expr | None) -> bool:
    """Whether evaluating this calls nothing but builtins, `math` and the like. The insides of a lambda do not count."""
    waiting: list[ast.AST] = [] if value is None else [value]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Await | ast.Yield | ast.YieldFrom | ast.NamedExpr):
            return False
        if isinstance(node, ast.Call) and not _is_plain_call(node.func):
            return False
        waiting.extend([*node.args.defaults] if isinstance(node, ast.Lambda) else ast.iter_child_nodes(node))
    return True


def _is_plain_call(called: ast.expr) -> bool:
    name = dotted(called)
    if name:
        last = name.rpartition(".")[2]
        return name in _BUILTINS or name in _CALLS or name.split(".")[0] in _MODULES or last in _AVAILABLE
    return (
        isinstance(called, ast.Attribute) and called.attr in _STRING_METHODS and isinstance(called.value, ast.Constant)
    )


def dotted(node: ast.expr) -> str:
    """ "torch.nn.GELU" for such a chain of attributes, "" for anything else."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


def is_change(node: ast.stmt) -> bool:
    """Whether a statement changes what is there by a plain call: `setattr(A, "forward", f)`, `d.update(…)`."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call):
        return False
    call, name = node.value, dotted(node.value.func)
    known = name == "setattr" or (name.count(".") == 1 and name.rpartition(".")[2] in _CHANGES)
    return known and all(map(is_plain, [*call.args, *(keyword.value for keyword in call.keywords)]))


def changed_roots(node: ast.stmt) -> frozenset[str]:
    """The names at the root of what a statement writes into: `Attention` of `Attention.forward = f`."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        call = node.value
        target = call.args[0] if dotted(call.func) == "setattr" and call.args else call.func
        return frozenset({root} if (root := _root(target)) else ())
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    places = [place for target in targets if target is not None for place in _elements(target)]
    return frozenset(_root(place) for place in places if isinstance(place, ast.Attribute | ast.Subscript))


def _elements(target: ast.expr) -> Iterator[ast.expr]:
    if isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _elements(element)
    else:
        yield target


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def reads(node: ast.AST, *, lambdas: bool = True) -> frozenset[str]:
    """The names that a statement reads when it is run and, unless told otherwise, when its lambdas are called."""
    found: set[str] = set()
    waiting = [node]
    while waiting:
        inner = waiting.pop()
        if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load):
            found.add(inner.id)
        later = isinstance(inner, ast.Lambda) and not lambdas
        waiting.extend(inner.args.defaults if later else ast.iter_child_nodes(inner))  # type: ignore[attr-defined]
    return frozenset(found)


def leaves(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body, those under `if`, `try` and `with` in their places."""
    for node in body:
        if isinstance(node, Block):
            handlers = [step for handler in getattr(node, "handlers", ()) for step in handler.body]
            yield from leaves([*node.body, *getattr(node, "orelse", ()), *getattr(node, "finalbody", ()), *handlers])
        else:
            yield node


def globals_read(code: CodeType) -> Iterator[str]:
    """The global names that code reads, that of its functions and classes included."""
    raw, high = code.co_code, 0
    for place in range(0, len(raw), 2):
        operation, argument = raw[place], raw[place + 1] | high
        high = argument << 8 if operation == _EXTENDED else 0
        if operation == _LOAD_GLOBAL:
            yield code.co_names[argument >> 1]
        elif operation == _LOAD_NAME:
            yield code.co_names[argument]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from globals_read(constant)
