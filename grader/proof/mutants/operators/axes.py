"""Axes and order: another axis, no transposition, concatenation in another order, shifted slices."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise

from grader.proof.changes.calls import (
    called,
    integer,
    keyword,
    names_in,
    names_read,
    of_module,
    own_arguments,
    receiver,
    subject,
)
from grader.proof.changes.source import Edit, Source

# What a person takes for an axis: the neighbour. 1 becomes no -1, which is the same axis of a matrix.
OTHER_AXES = {-1: (-2, 0), -2: (-1,), -3: (-2,), 0: (1,), 1: (0, 2), 2: (1,), 3: (2,)}
AXIS_NAMES = ("dim", "axis", "dim0", "dim1", "start_dim", "end_dim")
# Positions, behind the subject, at which an axis may be given without a name.
AXIS_FIRST = frozenset(
    {"softmax", "log_softmax", "sum", "mean", "var", "std", "prod", "argmax", "argmin", "cumsum", "cumprod", "cat",
     "concat", "stack", "squeeze", "unsqueeze", "flatten", "unflatten", "size", "gather", "unbind", "any", "all",
     "logsumexp", "norm", "topk", "flip", "index_select", "transpose", "swapaxes", "max", "min"}
)  # fmt: skip
TRANSPOSITIONS = frozenset({"transpose", "t", "permute", "swapaxes", "movedim"})
CONCATENATIONS = frozenset({"cat", "concat", "concatenate", "stack", "hstack", "vstack"})


def axis_changed(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Another axis in `dim=…`, in a positional axis, or in `x.shape[…]`."""
    places = list(_axes(node))
    taken = [integer(place) for place in places]
    for place in places:
        axis = integer(place)
        for other in OTHER_AXES.get(axis, ()) if axis is not None else ():
            if other not in taken:
                yield source.replace(node, source.replaced(node, (place, str(other))))


def permutation_changed(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Two neighbouring axes of `permute` exchanged."""
    if isinstance(node, ast.Call) and called(node) == "permute":
        axes = own_arguments(node)
        for left, right in pairwise(axes):
            yield source.exchange(left, right)


def transposition_dropped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """No transposition."""
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT"):
        yield source.replace(node, source.bracketed(node.value))
    if isinstance(node, ast.Call) and called(node) in TRANSPOSITIONS and (inner := subject(node)) is not None:
        yield source.replace(node, source.bracketed(inner))


def concatenation_exchanged(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Two neighbours of a concatenation in the other order."""
    if isinstance(node, ast.Call) and called(node) in CONCATENATIONS and node.args:
        parts = node.args[0]
        if isinstance(parts, ast.List | ast.Tuple):
            for left, right in pairwise(parts.elts):
                yield source.exchange(left, right)


def slice_shifted(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A bound of a slice one off, or left out: the target shifted against the input."""
    if not isinstance(node, ast.Slice):
        return
    for bound, steps in ((node.lower, (1, -1)), (node.upper, (-1, 1))):
        if bound is None:
            continue
        yield source.replace(bound, "")
        value = integer(bound)
        for step in steps:
            text = f"{source.bracketed(bound)} {'+' if step > 0 else '-'} 1" if value is None else str(value + step)
            yield source.replace(bound, text)


def index_changed(source: Source, node: ast.AST) -> Iterator[Edit]:
    """The first for the last, or one further."""
    if not isinstance(node, ast.Subscript) or _is_shape(node.value):
        return
    entries = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    for entry in entries:
        value = integer(entry)
        if value is not None:
            for other in {0: (-1, 1), -1: (0, -2)}.get(value, (value - 1, value + 1)):
                yield source.replace(entry, str(other))


def order_reversed(source: Source, node: ast.AST) -> Iterator[Edit]:
    """`reversed` left out, or steps gone through backwards."""
    if isinstance(node, ast.Call) and called(node) == "reversed" and len(node.args) == 1:
        yield source.replace(node, source.segment(node.args[0]))
    outer = source.parent(node)
    if not isinstance(outer, ast.For) or outer.iter is not node or called(node) not in ("range", "unbind"):
        return
    # Where the steps do not read their number, their order says nothing.
    if names_in(outer.target) & names_read(outer.body):
        yield source.replace(node, f"reversed({source.segment(node)})")


def _axes(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Subscript) and _is_shape(node.value):
        yield node.slice
    if not isinstance(node, ast.Call):
        return
    for name in AXIS_NAMES:
        if (given := keyword(node, name)) is not None:
            yield given.value
    name = called(node)
    if name in AXIS_FIRST and (receiver(node) is not None or of_module(node)):
        positions = own_arguments(node)
        yield from positions[: 2 if name in ("transpose", "swapaxes") else 1]


def _is_shape(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "shape"
