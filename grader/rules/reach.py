"""What belongs to a rule that holds `within` some classes or functions: they, and what of the file they use."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from grader.rules.mentions import Found
from grader.rules.resolve import GLOBALS, OWN_FILE, Resolver
from grader.rules.scopes import Binding, Visit, Walked

_PUTS = frozenset({"append", "extend", "insert", "add", "update", "setdefault", "__setitem__", "__setattr__"})


@dataclass(frozen=True)
class Examined:
    """One file with everything that was found in it."""

    walked: Walked
    found: Found


def reach(
    names: Collection[str], files: Sequence[Examined], resolver: Resolver, everywhere: Sequence[Examined]
) -> set[int]:
    """The ids of the definitions named, and of the functions, classes and variables that they use.

    A helper that a class calls is part of the class, wherever in the submission (`everywhere`) it stands, and so is
    what is put into it, or into what it uses, afterwards: `LSTM.forward = f`, `LAYERS["core"] = …`, `LSTM = Other`.
    """
    inside = {id(owner) for examined in files for owner in _named_by(examined, names, resolver)}
    while True:
        used = {id(owner) for examined in everywhere for owner in _used(examined, inside, resolver)}
        used |= {id(owner) for examined in everywhere for owner in _changing(examined, inside, resolver)}
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


def _named_by(examined: Examined, names: Collection[str], resolver: Resolver) -> Iterator[ast.AST]:
    """The definitions of these names, and whatever else binds one: `LSTM = Other`, `from other import X as LSTM`."""
    for visit in examined.walked.visits:
        node = visit.node
        if _is_definition(visit):
            qualified = f"{visit.name}.{getattr(node, 'name', '')}".lstrip(".")
            if qualified in names or qualified == "__getattr__":  # the last one answers for every name
                yield node
        elif isinstance(node, ast.Name) and node.id in names and isinstance(node.ctx, ast.Store):
            yield from visit.owners[:1] if visit.scope.kind == "module" else ()
    bound = [binding for name in names for binding in examined.walked.scope.bindings.get(name, [])]
    yield from (binding.owner for binding in _followed(bound, resolver) if binding.owner is not None)


def _used(examined: Examined, inside: set[int], resolver: Resolver) -> list[ast.AST]:
    owners: list[ast.AST] = []
    for visit in examined.walked.visits:
        node = visit.node
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load) and belongs(visit, inside):
            bindings = _bindings(node, visit, resolver)
            owners.extend(binding.owner for binding in bindings if binding.owner is not None)
    return owners


def _changing(examined: Examined, inside: set[int], resolver: Resolver) -> Iterator[ast.AST]:
    """The statements and functions that put something into what is inside: by assignment, `setattr` or a method."""
    for visit in examined.walked.visits:
        node, owner = visit.node, visit.owners[0] if visit.owners else None
        if owner is None or isinstance(owner, ast.ClassDef) or id(owner) in inside:
            continue
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
            target: ast.AST | None = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _PUTS:
            target = node.func.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr" and node.args:
            target = node.args[0]
        else:
            continue
        while isinstance(target, ast.Attribute | ast.Subscript) and not _is_a_file(target, visit, resolver):
            target = target.value
        if target is not None and _is_a_file(target, visit, resolver):
            yield owner
        elif isinstance(target, ast.Name):
            bound = _followed(resolver.bindings(target.id, visit.scope), resolver)
            if any(id(binding.owner) in inside for binding in bound if binding.scope.kind == "module"):
                yield owner


def _is_a_file(target: ast.AST, visit: Visit, resolver: Resolver) -> bool:
    """Whether a place is the names of a whole file: `globals()`, `sys.modules[…]`, an imported file."""
    return any(name in (GLOBALS, "sys.modules") or name.startswith(OWN_FILE)
               for name in resolver.names(target, visit.scope))  # fmt: skip


def _followed(bindings: Iterable[Binding], resolver: Resolver) -> Iterator[Binding]:
    """Bindings, and those in other files of the submission that imported ones lead to."""
    for binding in bindings:
        yield binding
        for walked, rest in resolver.siblings(binding.dotted) if binding.dotted else ():
            yield from walked.scope.bindings.get(rest.partition(".")[0], [])


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
