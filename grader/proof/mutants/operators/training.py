"""Randomness, modes, gradients and state between calls: what a forward pass alone does not show."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from grader.proof.changes.calls import attribute_of_self, called, integer, keyword, of_module, subject
from grader.proof.changes.source import Edit, Replacement, Source

FRESH = frozenset({"zeros", "new_zeros", "zeros_like", "randn", "new_ones", "ones", "init_hidden"})
# No tensors, or tensors without a gradient.
NO_TENSOR = frozenset(
    {"len", "range", "int", "float", "min", "max", "enumerate", "zip", "list", "tuple", "sum", "item", "size", "zeros",
     "new_zeros", "new_ones", "ones", "arange", "detach", "full", "argmax", "argmin", "triu", "tril", "long", "bool",
     "randn", "rand", "eq", "ne"}
)  # fmt: skip
_MASK = re.compile(r"mask", re.IGNORECASE)
_DROPOUT = re.compile(r"drop", re.IGNORECASE)


def dropout_always(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Dropout that goes on in evaluation."""
    if isinstance(node, ast.Attribute) and node.attr == "training" and isinstance(node.ctx, ast.Load):
        yield source.replace(node, "True")
    if isinstance(node, ast.Call) and _is_dropout(node) and attribute_of_self(node.func):
        layer, value = source.segment(node.func), source.segment(node.args[0])
        yield source.replace(node, f"torch.nn.functional.dropout({value}, {layer}.p, True)")


def dropout_dropped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """No dropout, where it is applied or where the layer is built."""
    if isinstance(node, ast.Attribute) and node.attr == "training" and isinstance(node.ctx, ast.Load):
        yield source.replace(node, "False")
    if isinstance(node, ast.Call) and _is_dropout(node):
        yield source.replace(node, source.bracketed(node.args[0]))
    if isinstance(node, ast.Call) and called(node) == "Dropout" and of_module(node):
        yield source.replace(node, f"{source.segment(node.func)[: -len('Dropout')]}Identity()")
    if isinstance(node, ast.Call) and (given := keyword(node, "dropout")) is not None:
        yield source.replace(given.value, "0.0")


def mode_exchanged(source: Source, node: ast.AST) -> Iterator[Edit]:
    """`train()` for `eval()`, and the other way round."""
    if isinstance(node, ast.Call) and called(node) in ("train", "eval") and isinstance(node.func, ast.Attribute):
        other = "eval" if called(node) == "train" else "train"
        yield source.replace(node.func, f"{source.bracketed(node.func.value)}.{other}")


def gradients_kept(source: Source, node: ast.AST) -> Iterator[Edit]:
    """`no_grad` left out."""
    if isinstance(node, ast.Call) and called(node) in ("no_grad", "inference_mode"):
        yield source.replace(node.func, "torch.enable_grad")


def detached(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A detach in the path of the gradient, at an assignment or at what a function returns."""
    if source.class_of(node) is None or _without_gradients(source, node):
        return
    if isinstance(node, ast.Assign) and _has_gradient(node.targets[0]) and _may_be_tensor(node.value):
        yield source.replace(node.value, f"{source.bracketed(node.value)}.detach()")
    if isinstance(node, ast.Return) and node.value is not None:
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        for value in values:
            if _may_be_tensor(value):
                yield source.replace(value, f"{source.bracketed(value)}.detach()")


def state_kept(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A state that is not reset: the next call goes on where the last one stopped."""
    function = source.function(node)
    if not _is_start(source, node) or function is None or source.class_of(node) is None:
        return
    assert isinstance(node, ast.Assign)
    assert isinstance(node.targets[0], ast.Name)
    name = node.targets[0].id
    ends = [part for part in function.body if isinstance(part, ast.Return)]
    if ends:
        start = source.span(ends[-1])[0]
        kept = Replacement(*source.span(node.value), f'getattr(self, "kept_{name}", {source.segment(node.value)})')
        yield Edit((kept, Replacement(start, start, f"self.kept_{name} = {name}.detach(); ")))


def state_reset(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A state that begins anew in every step of the loop."""
    if not _is_start(source, node):
        return
    assert isinstance(node, ast.Assign)
    block = source.siblings(node)
    loop = next((part for part in block[block.index(node) :] if isinstance(part, ast.For)), None)
    if loop is not None:
        first = source.span(loop.body[0])[0]
        indent = " " * loop.body[0].col_offset
        yield Edit((Replacement(first, first, f"{source.segment(node)}\n{indent}"),))


def _is_dropout(call: ast.Call) -> bool:
    """Whether dropout is applied: `self.dropout(x)` or `F.dropout(x, …)`."""
    own = attribute_of_self(call.func)
    return bool(call.args) and (bool(_DROPOUT.search(own)) if own else called(call) == "dropout" and of_module(call))


def _is_start(source: Source, node: ast.AST) -> bool:
    """Whether a statement gives a state its first value before a loop."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    if called(node.value) not in FRESH or source.function(node) is None:
        return False
    name = node.targets[0].id
    block = source.siblings(node)
    loops = [part for part in block[block.index(node) :] if isinstance(part, ast.For)]
    return any(
        isinstance(part, ast.Assign) and isinstance(target, ast.Name) and target.id == name
        for loop in loops
        for part in ast.walk(loop)
        if isinstance(part, ast.Assign)
        for target in part.targets
    )


def _has_gradient(target: ast.expr) -> bool:
    # Masks are flags.
    return isinstance(target, ast.Name) and not _MASK.search(target.id)


def _may_be_tensor(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        return called(value) not in NO_TENSOR and subject(value) is not None
    return isinstance(value, ast.BinOp) and integer(value.left) is None and integer(value.right) is None


def _without_gradients(source: Source, node: ast.AST) -> bool:
    """Whether a statement builds the object, or stands where no gradient is kept anyway."""
    function = source.function(node)
    if function is None or function.name == "__init__":
        return True
    return any(
        called(item.context_expr) in ("no_grad", "inference_mode")
        for outer in source.around(node)
        if isinstance(outer, ast.With)
        for item in outer.items
    )
