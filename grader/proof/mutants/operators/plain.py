"""Slips that are not special to deep learning: operators, comparisons, constants, flags, returns, statements."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from grader.proof.changes.calls import attribute_of_self, called, integer, names_in
from grader.proof.changes.source import SHOWN, Edit, Replacement, Source
from grader.proof.mutants.operators.axes import AXIS_FIRST, AXIS_NAMES

OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*", ast.FloorDiv: "*", ast.Pow: "*", ast.Mod: "*",
}  # fmt: skip
BOUNDARIES: dict[type[ast.cmpop], str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is",
}  # fmt: skip
# Numbers in these are axes or diagonals; a negative number in those means "what is left".
PLACES = frozenset({*AXIS_FIRST, "permute", "triu", "tril"})
RESHAPES = frozenset({"view", "reshape", "expand", "repeat", "full"})


def operator_exchanged(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Plus for minus, times for divided by, and so on."""
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        left, right = source.bracketed(node.left), source.bracketed(node.right)
        yield source.replace(node, f"({left} {OPERATORS[type(node.op)]} {right})")
    if isinstance(node, ast.AugAssign) and type(node.op) in OPERATORS:
        target, value = source.segment(node.target), source.segment(node.value)
        yield source.replace(node, f"{target} {OPERATORS[type(node.op)]}= {value}")


def sign_dropped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """No minus, no negation."""
    if isinstance(node, ast.UnaryOp) and integer(node) is None:
        yield source.replace(node, source.bracketed(node.operand))


def comparison_shifted(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A comparison that is off by one: < for <=; or that is turned around: == for !=."""
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in BOUNDARIES:
        if isinstance(node.ops[0], ast.Lt | ast.LtE | ast.Gt | ast.GtE) and _is_fraction(node.comparators[0]):
            return  # no drawn number meets the bound exactly
        left, right = source.bracketed(node.left), source.bracketed(node.comparators[0])
        yield source.replace(node, f"({left} {BOUNDARIES[type(node.ops[0])]} {right})")


def condition_fixed(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A branch that is always or never taken."""
    outer = source.parent(node)
    if isinstance(outer, ast.If | ast.IfExp) and outer.test is node:
        for value in ("True", "False"):
            yield source.replace(node, value)


def logic_exchanged(source: Source, node: ast.AST) -> Iterator[Edit]:
    """`or` for `and`, and the other way round."""
    if isinstance(node, ast.BoolOp):
        word = " or " if isinstance(node.op, ast.And) else " and "
        yield source.replace(node, f"({word.join(source.bracketed(value) for value in node.values)})")


def constant_changed(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A number one off; a fraction doubled. Axes, indices and bounds of slices have operators of their own."""
    if isinstance(node, ast.Constant) and type(node.value) in (int, float) and not _is_place(source, node):
        value = node.value
        if isinstance(value, int):
            yield source.replace(node, str(value + 1))
            yield source.replace(node, str(value - 1) if value else "(-1)")
        elif isinstance(value, float):
            yield source.replace(node, repr(value * 2 if value not in (0.0, 1.0) else value + 1.0))


def flag_flipped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A flag of a call turned around: batch_first, bidirectional, keepdim, norm_first."""
    outer = source.parent(node)
    if not isinstance(node, ast.Constant) or not isinstance(node.value, bool):
        return
    # The estimate of a variance has an operator of its own; `zip(strict=…)` only says what is known.
    if isinstance(outer, ast.keyword) and outer.arg not in ("unbiased", "strict"):
        yield source.replace(node, str(not node.value))


def return_exchanged(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Two neighbours of what is returned in the other order."""
    if isinstance(node, ast.Return) and node.value is not None:
        for part in ast.walk(node.value):
            if isinstance(part, ast.Tuple) and not isinstance(source.parent(part), ast.Call | ast.Subscript):
                for left, right in pairwise(part.elts):
                    yield source.exchange(left, right)


def statement_deleted(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A statement left out, where what follows can still run."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and called(node.value) not in SHOWN:
        yield source.replace(node, "pass")
    if isinstance(node, ast.AugAssign):
        yield source.replace(node, "pass")
    if isinstance(node, ast.Assign) and _was_there_before(source, node):
        yield source.replace(node, "pass")


def loop_shortened(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A loop without its last round."""
    if isinstance(node, ast.Call) and called(node) == "range" and isinstance(node.func, ast.Name) and node.args:
        bound = node.args[0] if len(node.args) == 1 else node.args[1]
        if integer(bound) is None:
            start, end = source.span(bound)
            yield Edit((Replacement(start, end, f"{source.bracketed(bound)} - 1"),))


def _is_fraction(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, float) and node.value != 0.0


def _is_place(source: Source, node: ast.AST) -> bool:
    """Whether a number is an axis, an index, a bound of a slice, or the exponent of a root."""
    for outer in source.around(node):
        if isinstance(outer, ast.UnaryOp):
            continue
        if isinstance(outer, ast.keyword):
            return outer.arg in (*AXIS_NAMES, "diagonal", "correction")
        if isinstance(outer, ast.Call):
            return called(outer) in PLACES or (
                called(outer) in RESHAPES and isinstance(source.parent(node), ast.UnaryOp)
            )
        return isinstance(outer, ast.Slice | ast.Subscript) or (
            isinstance(outer, ast.Tuple) and isinstance(source.parent(outer), ast.Subscript)
        )
    return False


def _was_there_before(source: Source, node: ast.Assign) -> bool:
    """Whether every name that an assignment binds has a value without it."""
    target = node.targets[0]
    if isinstance(target, ast.Subscript):
        return True
    if attribute_of_self(target):
        function = source.function(node)
        return function is not None and function.name != "__init__"
    if not isinstance(target, ast.Name | ast.Tuple):
        return False
    return names_in(target) <= _bound_before(source, node)


def _bound_before(source: Source, node: ast.stmt) -> set[str]:
    function = source.function(node)
    outer: ast.AST = function if function is not None else source.tree
    bound = {entry.arg for entry in function.args.args} if function is not None else set()
    for part in ast.walk(outer):
        if isinstance(part, ast.Assign | ast.For) and part is not node and part.lineno < node.lineno:
            targets = part.targets if isinstance(part, ast.Assign) else [part.target]
            bound |= {name for entry in targets for name in names_in(entry)}
    return bound
