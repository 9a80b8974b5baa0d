"""Sums and products with a part left out: scales, biases, residuals, epsilons, any other term or factor."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from grader.proof.changes.calls import called, integer, keyword, names_in, of_module, with_argument
from grader.proof.changes.source import Edit, Source

ROOTS = frozenset({"sqrt", "rsqrt"})
WITH_BIAS = frozenset({"Linear", "Conv1d", "Conv2d", "Conv3d", "LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"})
_SCALE = re.compile(r"scal|temp", re.IGNORECASE)
_BIAS = re.compile(r"(^|_)b(ias)?(_|$)|bias", re.IGNORECASE)
_EPSILON = re.compile(r"(^|_)eps", re.IGNORECASE)


def scale_dropped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A product without its scale: a root, a power, or what is called a scale or temperature."""
    for factor, rest in _factors(node):
        if _is_scale(factor):
            yield source.replace(node, source.bracketed(rest))


def factor_dropped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A product or quotient without one of its other factors."""
    for factor, rest in _factors(node):
        if not _is_scale(factor):
            yield source.replace(node, source.bracketed(rest))


def bias_dropped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A sum without its bias, or a layer that is built without one."""
    for term, rest in _terms(node):
        if _is_bias(term):
            yield source.replace(node, source.bracketed(rest))
    if isinstance(node, ast.Call) and called(node) in WITH_BIAS and of_module(node) and keyword(node, "bias") is None:
        yield with_argument(source, node, "bias=False")


def epsilon_dropped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A sum without its epsilon."""
    for term, rest in _terms(node):
        if _is_epsilon(term):
            yield source.replace(node, source.bracketed(rest))


def epsilon_outside(source: Source, node: ast.AST) -> Iterator[Edit]:
    """The epsilon added after the root instead of before it."""
    if not isinstance(node, ast.Call) or called(node) not in ROOTS:
        return
    for inner in ast.walk(node):
        for term, rest in _terms(inner):
            if _is_epsilon(term):
                root = source.replaced(node, (inner, source.bracketed(rest)))
                yield source.replace(node, f"({root} + {source.bracketed(term)})")


def residual_dropped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """x + f(x) as f(x) alone; the branch may have been computed in the statements before."""
    for term, rest in _terms(node):
        if _is_residual(source, term, rest):
            yield source.replace(node, source.bracketed(rest))


def term_dropped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A sum or difference without one of its other terms."""
    for term, rest in _terms(node):
        if not (_is_bias(term) or _is_epsilon(term) or _is_residual(source, term, rest)) and integer(term) is None:
            yield source.replace(node, source.bracketed(rest))


def _factors(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """(factor to leave out, what stays) of a product or quotient."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div | ast.FloorDiv):
        yield node.right, node.left
        if isinstance(node.op, ast.Mult):
            yield node.left, node.right


def _terms(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    """(term to leave out, what stays) of a sum or difference."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        yield node.right, node.left
        if isinstance(node.op, ast.Add):
            yield node.left, node.right


def _is_scale(factor: ast.expr) -> bool:
    if called(factor) in ROOTS:
        return True
    if isinstance(factor, ast.BinOp) and isinstance(factor.op, ast.Pow):
        exponent = factor.right.operand if isinstance(factor.right, ast.UnaryOp) else factor.right
        return isinstance(exponent, ast.Constant) and exponent.value == 0.5
    return bool(_SCALE.search(_name(factor)))


def _is_bias(term: ast.expr) -> bool:
    return bool(_BIAS.search(_name(term)))


def _is_epsilon(term: ast.expr) -> bool:
    if isinstance(term, ast.Constant) and isinstance(term.value, float):
        return 0 < abs(term.value) < 1e-3
    return bool(_EPSILON.search(_name(term)))


def _is_residual(source: Source, term: ast.expr, branch: ast.expr) -> bool:
    """Whether the term goes on beside a branch that was computed from it."""
    if not isinstance(term, ast.Name) or isinstance(branch, ast.Constant):
        return False
    if any(term.id in names_in(call) for call in ast.walk(branch) if isinstance(call, ast.Call)):
        return True
    function = source.function(term)
    arguments = {entry.arg for entry in function.args.args} if function is not None else set()
    return term.id in arguments and isinstance(branch, ast.Name) and branch.id not in arguments


def _name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
