"""Tensors that come back in another form: views, strides, expanded, written in place, numbers as tensors."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from grader.proof.changes.calls import called, names_in
from grader.proof.changes.source import Edit, Source
from grader.proof.rewritings.patterns import filled_in, first_of, spelt

# Of a tensor: the same values, laid out otherwise.
LAYOUTS = (
    "_a.transpose(0, -1).contiguous().transpose(0, -1)",
    "torch.stack([_a, _a], dim=-1)[..., 0]",
    "_a.unsqueeze(0).expand(3, *_a.shape)[1]",
    "torch.cat([_a, _a])[: _a.shape[0]]",
)
NO_TENSOR = frozenset({"len", "range", "neighbours", "super", "list", "int", "float", "generate"})


def strided(source: Source, node: ast.AST) -> Iterator[Edit]:
    """What `forward` and its helpers return as a view, with other strides, or expanded."""
    for value in _returned(source, node):
        for layout in LAYOUTS:
            yield source.replace(value, filled_in(source, layout, {"_a": value}))


def written_in_place(source: Source, node: ast.AST) -> Iterator[Edit]:
    """What is returned is written into once more."""
    for value in _returned(source, node):
        if isinstance(value, ast.Call) and called(value) in ("to_words", "out", "w_o", "stack", "view"):
            yield source.replace(value, filled_in(source, "_a.mul_(1)", {"_a": value}))


in_place = spelt(
    ("_a = _a.masked_fill(_m, _v)", "_a.masked_fill_(_m, _v)"),
    ("_a = _a + _b", "_a = _a.add(_b)"),
    ("_a = _a / _b", "_a = _a.div(_b)"),
    ("_a.append(_b)", "_a += [_b]"),
    ("_a.append(_b)", "_a.extend([_b])"),
    ("_a.append(_b)", "_a.insert(len(_a), _b)"),
    ("_a += _b", "_a = _a + _b"),
    ("_a = []", "_a = list()"),
)


def argument_written(source: Source, node: ast.AST) -> Iterator[Edit]:
    """The first argument is written into before anything else reads it, its values kept."""
    if not isinstance(node, ast.FunctionDef) or node.name != "forward" or source.class_of(node) is None:
        return
    first = first_of(node)
    names = [argument.arg for argument in node.args.args[1:]]
    for name in names:
        if name in ("hidden", "cell", "hidden_states", "x", "inputs", "hidden_states"):
            start = source.span(first)[0]
            indent = " " * first.col_offset
            parts = f"{name} if isinstance({name}, (tuple, list)) else [{name}]"
            write = "part.mul_(1) if part.is_floating_point() else part.add_(0)"
            yield source.inserted(start, f"for part in {parts}:\n{indent}    {write}\n{indent}")


def _returned(source: Source, node: ast.AST) -> list[ast.expr]:
    """The tensors that a `return` of a method hands back."""
    if not isinstance(node, ast.Return) or node.value is None or source.class_of(node) is None:
        return []
    function = source.function(node)
    if function is None or function.name.startswith("__") or isinstance(source.parent(function), ast.FunctionDef):
        return []
    if "Parameter(" in source.segment(function):
        return []
    values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
    kinds = ast.Call | ast.BinOp | ast.Name
    other = {*NO_TENSOR, *(part.name for part in ast.walk(source.tree) if isinstance(part, ast.ClassDef))}
    no_tensors = {
        name
        for part in ast.walk(function)
        if isinstance(part, ast.Assign) and called(part.value) in other
        for target in part.targets
        for name in names_in(target)
    }
    values = [value for value in values if not names_in(value) <= no_tensors]
    return [value for value in values if isinstance(value, kinds) and called(value) not in other and len(values) < 3]
