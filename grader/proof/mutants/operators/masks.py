"""Masks: dropped, inverted, applied after the softmax, or one position off."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from grader.proof.changes.calls import called, integer, keyword, names_in, receiver, subject
from grader.proof.changes.source import Edit, Replacement, Source

FILLS = frozenset({"masked_fill", "masked_fill_"})
TRIANGLES = {"triu": "tril", "tril": "triu"}
_MASK = re.compile(r"mask", re.IGNORECASE)


def mask_dropped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """No mask: the fill left out, or None handed on."""
    if not isinstance(node, ast.Call):
        return
    if called(node) in (*FILLS, *TRIANGLES) and (inner := subject(node)) is not None:
        yield source.replace(node, source.bracketed(inner))
    for value in _masks_handed_on(node):
        yield source.replace(value, "None")


def mask_inverted(source: Source, node: ast.AST) -> Iterator[Edit]:
    """What should be hidden is shown, and the other way round. Works for flags and for numbers."""
    if not isinstance(node, ast.Call):
        return
    if called(node) in FILLS and receiver(node) is not None and node.args:
        yield source.replace(node.args[0], f"{source.bracketed(node.args[0])} == 0")
    for value in _masks_handed_on(node):
        yield source.replace(value, f"({source.bracketed(value)} == 0)")


def mask_after_softmax(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Scores are masked after the softmax has seen them, so that the rows no longer sum to one."""
    if not isinstance(node, ast.Call) or called(node) != "softmax" or (scores := subject(node)) is None:
        return
    if called(scores) in FILLS and isinstance(scores, ast.Call) and (inner := subject(scores)) and scores.args:
        unmasked = source.replaced(node, (scores, source.bracketed(inner)))
        yield source.replace(node, f"{unmasked}.masked_fill({source.segment(scores.args[0])}, 0)")
    if isinstance(scores, ast.Name):
        yield from _moved_behind(source, node, scores.id)


def causal_shifted(source: Source, node: ast.AST) -> Iterator[Edit]:
    """The causal mask one position off."""
    if not isinstance(node, ast.Call) or called(node) not in TRIANGLES:
        return
    given = keyword(node, "diagonal")
    place = given.value if given else next((arg for arg in node.args if integer(arg) is not None), None)
    if place is not None and (diagonal := integer(place)) is not None:
        for other in (diagonal - 1, diagonal + 1):
            yield source.replace(node, source.replaced(node, (place, str(other))))
    elif place is None and receiver(node) is not None:
        for other in (-1, 1):
            yield source.replace(node, f"{source.segment(node.func)}({other})")


def causal_turned(source: Source, node: ast.AST) -> Iterator[Edit]:
    """The past hidden in place of the future."""
    if isinstance(node, ast.Call) and called(node) in TRIANGLES:
        _, end = source.span(node.func)
        name = called(node)
        yield Edit((Replacement(end - len(name), end, TRIANGLES[name]),))


def _masks_handed_on(call: ast.Call) -> Iterator[ast.expr]:
    """Arguments that are masks, of calls that are no fills themselves."""
    if called(call) in FILLS:
        return
    for entry in call.keywords:
        if entry.arg and _MASK.search(entry.arg) and not isinstance(entry.value, ast.Constant):
            yield entry.value
    for argument in call.args:
        if isinstance(argument, ast.Name) and _MASK.search(argument.id):
            yield argument


def _moved_behind(source: Source, softmax: ast.Call, scores: str) -> Iterator[Edit]:
    """The fill of an earlier statement `scores = scores.masked_fill(…)` moved behind the softmax."""
    function = source.function(softmax)
    if function is None:
        return
    for statement in ast.walk(function):
        if not isinstance(statement, ast.Assign) or called(statement.value) not in FILLS:
            continue
        fill = statement.value
        assert isinstance(fill, ast.Call)
        if scores not in names_in(statement.targets[0]) or not fill.args or statement.lineno >= softmax.lineno:
            continue
        plain = source.segment(softmax)
        masked = f"{plain}.masked_fill({source.segment(fill.args[0])}, 0)"
        outer = source.parent(statement)
        if isinstance(outer, ast.If) and statement in outer.body:
            masked = f"({masked} if {source.segment(outer.test)} else {plain})"
        yield Edit((Replacement(*source.span(statement), "pass"), Replacement(*source.span(softmax), masked)))
