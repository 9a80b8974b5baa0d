"""What belongs to a rule that holds `within` some classes or functions: they, and what of the file they use."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from grader.rules.mentions import Found
from grader.rules.resolve import Resolver
from grader.rules.scopes import Binding, Visit, Walked


@dataclass(frozen=True)
class Examined:
    """One file with everything that was found in it."""

    walked: Walked
    found: Found


def reach(
    names: Collection[str], files: Sequence[Examined], resolver: Resolver, everywhere: Sequence[Examined]
) -> set[int]:
    """The ids of the definitions named, and of the functions, classes and variables that they use.

    A helper that a class calls is part of the class, wherever in the submission (`everywhere`) it stands.
    """
    inside: set[int] = set()
    for examined in files:
        inside |= {id(visit.node) for visit in examined.walked.visits if _is_definition(visit) and _named(visit, names)}
    while True:
        used = {id(owner) for examined in everywhere for owner in _used(examined, inside, resolver)}
        if used <= inside:
            return inside
        inside |= used


def belongs(visit: Visit, inside: set[int]) -> bool:
    """Whether something stands within the reach."""
    return any(id(owner) in inside for owner in visit.owners)


def is_unfilled(inside: set[int] | None, files: Iterable[Examined]) -> bool:
    """Whether the template's hole (`raise NotImplementedError`) is still within the reach (None: the files)."""
    visits = (visit for item in files for visit in item.walked.visits if _is_hole(visit.node))
    return any(inside is None or belongs(visit, inside) for visit in visits)


def _is_hole(node: ast.AST) -> bool:
    if not isinstance(node, ast.Raise) or node.exc is None:
        return False
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"


def _is_definition(visit: Visit) -> bool:
    return isinstance(visit.node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)


def _named(visit: Visit, names: Collection[str]) -> bool:
    qualified = f"{visit.name}.{getattr(visit.node, 'name', '')}".lstrip(".")
    return qualified in names


def _used(examined: Examined, inside: set[int], resolver: Resolver) -> list[ast.AST]:
    owners: list[ast.AST] = []
    for visit in examined.walked.visits:
        node = visit.node
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load) and belongs(visit, inside):
            bindings = _bindings(node, visit, resolver)
            owners.extend(binding.owner for binding in bindings if binding.owner is not None)
    return owners


def _bindings(node: ast.Name | ast.Attribute, visit: Visit, resolver: Resolver) -> list[Binding]:
    """What a name of this file, or one taken from another file of the submission, is bound to."""
    if isinstance(node, ast.Name):
        found = [binding for binding in resolver.bindings(node.id, visit.scope) if binding.scope.kind == "module"]
        imported = [binding.dotted for binding in found if binding.dotted is not None]
        if not found:
            imported = [f"{star}.{node.id}" for star in visit.scope.module.stars]
    else:
        found, imported = [], _dotted(node, visit, resolver)
    for dotted in imported:
        for walked, rest in resolver.siblings(dotted):
            found = [*found, *walked.scope.bindings.get(rest.partition(".")[0], [])]
    return found


def _dotted(node: ast.Attribute, visit: Visit, resolver: Resolver) -> list[str]:
    """`helper.make` where `helper` is an imported file."""
    if not isinstance(node.value, ast.Name):
        return []
    bindings = resolver.bindings(node.value.id, visit.scope)
    return [f"{binding.dotted}.{node.attr}" for binding in bindings if binding.dotted is not None]
