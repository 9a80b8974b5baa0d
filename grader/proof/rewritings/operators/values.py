"""Other initial values: a handout that does not fix them leaves them free."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import TypeGuard

from grader.proof.changes.source import Edit, Replacement, Source

EACH = "for name, value in self.named_parameters():"
WAYS = {
    "scaled": (EACH, "    value.data.mul_(0.5)"),
    "zero biases": (EACH, "    if name.rsplit('.', 1)[-1].startswith(('bias', 'b_')):", "        value.data.zero_()"),
    "Xavier": (EACH, "    if value.dim() > 1:", "        torch.nn.init.xavier_normal_(value)"),
    "orthogonal": (EACH, "    if value.dim() == 2:", "        torch.nn.init.orthogonal_(value)"),
    "normal": (EACH, "    if value.dim() > 1:", "        torch.nn.init.normal_(value)"),
    "uniform": (EACH, "    if value.dim() > 1:", "        torch.nn.init.uniform_(value, -0.08, 0.08)"),
    "applied": (
        "def initialise(layer):",
        "    if isinstance(layer, (torch.nn.Linear, torch.nn.Conv2d)):",
        "        torch.nn.init.kaiming_uniform_(layer.weight)",
        "        if layer.bias is not None:",
        "            torch.nn.init.constant_(layer.bias, 0.01)",
        "self.apply(initialise)",
    ),
}


def initial_values(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Every parameter of a class begins otherwise."""
    if is_beginning(node, source):
        for lines in WAYS.values():
            yield Edit((appended(source, node, lines),))


def is_beginning(node: ast.AST, source: Source) -> TypeGuard[ast.FunctionDef]:
    """Whether it is the constructor of a class that has parameters."""
    if not isinstance(node, ast.FunctionDef) or node.name != "__init__":
        return False
    text = source.segment(node)
    return isinstance(source.parent(node), ast.ClassDef) and ("Parameter" in text or "nn." in text)


def appended(source: Source, node: ast.FunctionDef, lines: Sequence[str]) -> Replacement:
    """Further lines at the end of a function."""
    end = source.span(node)[1]
    indent = " " * node.body[0].col_offset
    return Replacement(end, end, "".join(f"\n{indent}{line}" for line in lines))
