"""Layers and gates: the neighbour's weights, the wrong gate, halves of two directions, order of norm and residual."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from grader.proof.changes.calls import attribute_of_self, called, keyword, names_in, same
from grader.proof.changes.source import Edit, Source

GATES = frozenset({"sigmoid", "tanh", "softmax", "relu"})
_NORM = re.compile(r"norm|^ln|_ln|LN", re.IGNORECASE)


def weight_exchanged(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Another attribute that is built alike: the weight of another gate, the other layer norm, keys for queries."""
    name = attribute_of_self(node)
    if not name or not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load):
        return
    alike = _built_alike(source, node, name)
    if len(alike) > 1:
        yield source.replace(node, f"self.{alike[(alike.index(name) + 1) % len(alike)]}")


def gate_exchanged(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Another gate of the same step."""
    if not isinstance(node, ast.Name) or not isinstance(node.ctx, ast.Load):
        return
    gates = _gates(source, node)
    if node.id in gates:
        for other in gates:
            if other != node.id:
                yield source.replace(node, other)


def halves_exchanged(source: Source, node: ast.AST) -> Iterator[Edit]:
    """The backward direction's features before the forward direction's."""
    if not isinstance(node, ast.Call) or not (name := attribute_of_self(node.func)):
        return
    built = _built(source, node).get(name)
    flag = keyword(built, "bidirectional") if isinstance(built, ast.Call) else None
    if flag is not None and isinstance(flag.value, ast.Constant) and flag.value.value is True:
        swapped = "(lambda both, state: (torch.cat(both.chunk(2, dim=-1)[::-1], dim=-1), state))"
        yield source.replace(node, f"{swapped}(*{source.segment(node)})")


def norm_moved_before(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Pre-norm in place of post-norm: norm(x + f(x)) → x + f(norm(x))."""
    if not isinstance(node, ast.Call) or not _is_norm(node) or not node.args:
        return
    total = node.args[0]
    if isinstance(total, ast.BinOp) and isinstance(total.op, ast.Add) and isinstance(total.left, ast.Name):
        norm, kept = source.segment(node.func), total.left.id
        inside = [part for part in ast.walk(total.right) if isinstance(part, ast.Name) and part.id == kept]
        if inside:
            branch = source.replaced(total.right, *((part, f"{norm}({kept})") for part in inside))
        else:
            branch = f"{norm}({source.segment(total.right)})"
        yield source.replace(node, f"({kept} + {branch})")


def norm_moved_behind(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Post-norm in place of pre-norm: x + f(norm(x)) → norm(x + f(x))."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and isinstance(node.left, ast.Name)):
        return
    for call in (part for part in ast.walk(node.right) if isinstance(part, ast.Call) and _is_norm(part)):
        if len(call.args) == 1 and same(call.args[0], node.left):
            branch = source.replaced(node.right, (call, node.left.id))
            yield source.replace(node, f"{source.segment(call.func)}({node.left.id} + {branch})")


def norm_dropped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A norm that is not applied."""
    if isinstance(node, ast.Call) and _is_norm(node) and len(node.args) == 1:
        yield source.replace(node, source.bracketed(node.args[0]))


def _is_norm(call: ast.Call) -> bool:
    return bool(_NORM.search(attribute_of_self(call.func)))


def _built(source: Source, node: ast.AST) -> dict[str, ast.expr]:
    """{attribute: expression} of what the constructor of the class around a node builds."""
    owner = source.class_of(node)
    made = [part for part in owner.body if isinstance(part, ast.FunctionDef)] if owner is not None else []
    constructor = next((part for part in made if part.name == "__init__"), None)
    built: dict[str, ast.expr] = {}
    for statement in ast.walk(constructor) if constructor is not None else ():
        if isinstance(statement, ast.Assign):
            for target, value in _pairs(statement.targets[0], statement.value):
                if name := attribute_of_self(target):
                    built[name] = value
    return built


def _pairs(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
        yield from zip(target.elts, value.elts, strict=True)
    else:
        yield target, value


def _built_alike(source: Source, node: ast.AST, name: str) -> list[str]:
    """The attributes, `name` among them, that are built by the same call."""
    built = _built(source, node)
    own = built.get(name)
    if not isinstance(own, ast.Call) or called(own) == "Dropout":
        return []
    return [other for other, value in built.items() if same(value, own)]


def _gates(source: Source, node: ast.AST) -> list[str]:
    """The variables of the function around a node that are assigned from an activation."""
    function = source.function(node)
    gates = []
    for statement in ast.walk(function) if function is not None else ():
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            gates += [statement.targets[0].id] if called(statement.value) in GATES else []
    return [name for name in dict.fromkeys(gates) if not _reads_itself(function, name)]


def _reads_itself(function: ast.AST | None, name: str) -> bool:
    # A state, h = tanh(… h …), is no gate.
    return any(
        isinstance(part, ast.Assign) and name in names_in(part.targets[0]) and name in names_in(part.value)
        for part in (ast.walk(function) if function is not None else ())
    )
