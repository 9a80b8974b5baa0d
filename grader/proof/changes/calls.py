"""How operators read calls: `x.softmax(dim=1)` and `torch.softmax(x, 1)` are the same thing said in two ways."""

from __future__ import annotations

import ast

from grader.proof.changes.source import Edit, Replacement, Source

MODULES = frozenset({"torch", "nn", "F", "functional", "np", "numpy", "math", "init", "utils", "linalg"})


def called(node: ast.AST) -> str:
    """The last name of what a call calls: "softmax" for `torch.softmax(…)`; empty for anything else."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def of_module(call: ast.Call) -> bool:
    """Whether the call is of a function in a module, as `torch.softmax` and `F.relu`, and not of a method."""
    if not isinstance(call.func, ast.Attribute):
        return False
    owner = call.func.value
    last = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
    return last in MODULES


def receiver(call: ast.Call) -> ast.expr | None:
    """`x` of `x.method(…)`. `self.layer(x)` has none: it calls what the object owns."""
    if isinstance(call.func, ast.Attribute) and not of_module(call) and not attribute_of_self(call.func):
        return call.func.value
    return None


def subject(call: ast.Call) -> ast.expr | None:
    """What a call works on: the receiver of a method, else the first argument."""
    owner = receiver(call)
    if owner is not None:
        return owner
    return call.args[0] if call.args and not isinstance(call.args[0], ast.Starred) else None


def own_arguments(call: ast.Call) -> list[ast.expr]:
    """The positional arguments beside the subject."""
    return list(call.args if receiver(call) is not None else call.args[1:])


def keyword(call: ast.Call, *names: str) -> ast.keyword | None:
    """The keyword argument of one of these names."""
    return next((entry for entry in call.keywords if entry.arg in names), None)


def with_argument(source: Source, call: ast.Call, argument: str) -> Edit:
    """The edit that gives a call one more argument."""
    start, end = source.span(call)
    before = "" if source.text[start : end - 1].rstrip().endswith(("(", ",")) else ", "
    return Edit((Replacement(end - 1, end, f"{before}{argument})"),))


def integer(node: ast.AST | None) -> int | None:
    """The value of an integer literal, signs included."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = integer(node.operand)
        return None if value is None else -value
    if isinstance(node, ast.Constant) and type(node.value) is int:
        return node.value
    return None


def attribute_of_self(node: ast.AST) -> str:
    """The word "name" of `self.name`; empty for anything else."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
        return node.attr
    return ""


def names_in(node: ast.AST) -> set[str]:
    """The variables that an expression or target names."""
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def names_read(statements: list[ast.stmt]) -> set[str]:
    """The variables whose values some statements use."""
    parts = (part for statement in statements for part in ast.walk(statement))
    return {part.id for part in parts if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}


def same(left: ast.AST, right: ast.AST) -> bool:
    """Whether two nodes say the same."""
    return ast.dump(left) == ast.dump(right)
