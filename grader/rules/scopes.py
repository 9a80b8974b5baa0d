"""Walk over a file's syntax trees: every node with its scope, its parent and the definitions around it.

The walk keeps its own stack, so that nesting made to exhaust Python's cannot. Bindings are collected without regard
to order: a name stands for everything that is ever bound to it in its scope.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from grader.parsing.statements import parse_source
from grader.rules.files import Parsed, Place, Unit

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_RUNNERS = frozenset({"exec", "eval"})


@dataclass(frozen=True)
class Binding:
    """One thing that a name may stand for: a dotted name, an expression, a definition, or (all None) unknown."""

    scope: Scope
    dotted: str | None = None
    value: ast.expr | None = None
    definition: Definition | None = None
    owner: ast.AST | None = None


@dataclass(eq=False)
class Scope:
    """A module, class, function or comprehension. `stars` are the modules of `from x import *`."""

    kind: str
    parent: Scope | None = None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    elsewhere: dict[str, Scope] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)

    @property
    def module(self) -> Scope:
        scope = self
        while scope.parent is not None:
            scope = scope.parent
        return scope

    def bind(self, name: str, binding: Binding) -> None:
        """Record what a name may stand for; `global` and `nonlocal` names go where they belong."""
        self.elsewhere.get(name, self).bindings.setdefault(name, []).append(binding)


@dataclass(frozen=True)
class Visit:
    """A node where it was met. `owners` are the definitions around it, outermost first, then qualified in `name`.

    The first owner is the statement of the module, so that a variable's value belongs to its assignment.
    `annotation`: it stands in a type annotation; `main`: under `if __name__ == "__main__"`.
    """

    node: ast.AST
    scope: Scope
    parent: ast.AST | None
    place: Place
    owners: tuple[ast.AST, ...] = ()
    name: str = ""
    annotation: bool = False
    main: bool = False


@dataclass(frozen=True)
class Walked:
    """A file after the walk. `attributes`: what was ever assigned to `<anything>.name`, or in the body of a class."""

    parsed: Parsed
    package: tuple[str, ...]
    scope: Scope
    visits: tuple[Visit, ...]
    attributes: dict[str, list[Binding]]
    quoted: frozenset[int]


def walk(parsed: Parsed) -> Walked:
    """All nodes of a file, in order, and what its names are bound to."""
    parts = tuple(parsed.file.path.removesuffix(".py").split("/"))
    walker = _Walker(parsed.file.path, parts[:-1])
    for unit in parsed.units:
        walker.run(unit)
    visits = tuple(walker.visits)
    return Walked(parsed, parts[:-1], walker.module, visits, walker.attributes, frozenset(walker.quoted))


class _Walker:
    def __init__(self, path: str, package: tuple[str, ...]) -> None:
        self.path = path
        self.package = package
        self.module = Scope("module")
        self.visits: list[Visit] = []
        self.attributes: dict[str, list[Binding]] = {}
        self.quoted: set[int] = set()
        self._bound: set[int] = set()

    def run(self, unit: Unit) -> None:
        stack = [
            Visit(node, self.module, unit.tree, Place(self.path, node.lineno, unit.cell), (node,))
            for node in reversed(unit.tree.body)
        ]
        while stack:
            visit = stack.pop()
            self.visits.append(visit)
            self._bind(visit)
            stack.extend(reversed(list(self._children(visit))))

    # --- where children belong ---

    def _children(self, visit: Visit) -> Iterator[Visit]:
        node = visit.node
        if isinstance(node, Function | ast.ClassDef | ast.Lambda):
            yield from self._of_definition(visit, node)
            return
        scope = Scope("comprehension", visit.scope) if isinstance(node, _COMPREHENSIONS) else visit.scope
        guard = _is_main_guard(node)
        for name, child in _fields(node):
            main = visit.main or (guard and name == "body")
            annotation = visit.annotation or name == "annotation"
            yield self._child(visit, child, scope, annotation=annotation, main=main)
        yield from self._quoted(visit)

    def _of_definition(self, visit: Visit, node: Definition | ast.Lambda) -> Iterator[Visit]:
        """Decorators, bases and defaults run outside; the body inside. All of them belong to the definition."""
        inner = Scope("class" if isinstance(node, ast.ClassDef) else "function", visit.scope)
        owners, name = visit.owners, visit.name
        if not isinstance(node, ast.Lambda):
            owners = visit.owners if node in visit.owners else (*visit.owners, node)
            name = f"{visit.name}.{node.name}".lstrip(".")
        for field_name, child in _fields(node):
            inside = field_name == "body" or field_name == "args"
            scope = inner if inside else visit.scope
            place = visit.place
            base = Visit(visit.node, visit.scope, visit.parent, place, owners, name, visit.annotation, visit.main)
            if isinstance(child, ast.arguments):
                yield from self._of_arguments(base, child, inner)
            else:
                yield self._child(base, child, scope, annotation=visit.annotation or field_name == "returns")

    def _of_arguments(self, visit: Visit, arguments: ast.arguments, inner: Scope) -> Iterator[Visit]:
        positional = [*arguments.posonlyargs, *arguments.args]
        defaults = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
        pairs = [
            *zip(positional, defaults, strict=True),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        for argument, default in pairs:
            # A text as default says nothing about the name that a caller passes for `getattr`.
            known = None if isinstance(default, ast.Constant) else default
            inner.bind(argument.arg, Binding(visit.scope, value=known))
            if default is not None:
                yield self._child(visit, default, visit.scope, annotation=visit.annotation)
        for rest in (arguments.vararg, arguments.kwarg):
            if rest is not None:
                inner.bind(rest.arg, Binding(inner))
        for argument in [*positional, *arguments.kwonlyargs]:
            if argument.annotation is not None:
                yield self._child(visit, argument.annotation, visit.scope, annotation=True)

    def _child(
        self, visit: Visit, child: ast.AST, scope: Scope, *, annotation: bool = False, main: bool | None = None
    ) -> Visit:
        line = getattr(child, "lineno", visit.place.line)
        place = Place(self.path, line, visit.place.cell)
        main = visit.main if main is None else main
        return Visit(child, scope, visit.node, place, visit.owners, visit.name, annotation, main)

    def _quoted(self, visit: Visit) -> Iterator[Visit]:
        """The code in `eval("…")` and `exec("…")`, as if it stood there."""
        node = visit.node
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _RUNNERS):
            return
        text = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
        if not isinstance(text, str):
            return
        try:
            tree = parse_source(text.strip())
        except SyntaxError:
            return
        self.quoted.add(id(node))
        for inner in ast.walk(tree):
            if hasattr(inner, "lineno"):
                inner.lineno = node.lineno
        yield from (self._child(visit, child, visit.scope) for child in tree.body)

    # --- what names stand for ---

    def _bind(self, visit: Visit) -> None:
        node, scope = visit.node, visit.scope
        owner = visit.owners[0] if visit.owners else None
        match node:
            case ast.Assign():
                for target in node.targets:
                    self._assign(target, node.value, scope, owner)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._assign(target, value, scope, owner)
            case ast.NamedExpr():
                self._assign(node.target, node.value, _around_comprehensions(scope), owner)
            case ast.Name(ctx=ast.Store()) if id(node) not in self._bound:
                scope.bind(node.id, Binding(scope))
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                scope.bind(node.name, Binding(scope, definition=node, owner=node))
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                scope.bind(name, Binding(scope))
            case ast.Global():
                scope.elsewhere.update(dict.fromkeys(node.names, scope.module))
            case ast.Nonlocal() if scope.parent is not None:
                scope.elsewhere.update(dict.fromkeys(node.names, scope.parent))
            case ast.Import() | ast.ImportFrom():
                self._import(node, scope)

    def _assign(self, target: ast.expr, value: ast.expr, scope: Scope, owner: ast.AST | None) -> None:
        if isinstance(target, ast.Name):
            self._bound.add(id(target))
            self._put(target.id, scope, Binding(scope, value=value, owner=owner))
        elif isinstance(target, ast.Attribute):
            self.attributes.setdefault(target.attr, []).append(Binding(scope, value=value, owner=owner))
        elif isinstance(target, ast.Tuple | ast.List) and isinstance(value, ast.Tuple | ast.List):
            for inner, part in zip(target.elts, value.elts, strict=False):
                self._assign(inner, part, scope, owner)

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                dotted = alias.name if alias.asname else alias.name.partition(".")[0]
                self._put(alias.asname or dotted, scope, Binding(scope, dotted=dotted))
            return
        module = absolute_module(node, self.package)
        for alias in node.names:
            if alias.name == "*":
                scope.module.stars.append(module)
            else:
                dotted = f"{module}.{alias.name}".lstrip(".")
                self._put(alias.asname or alias.name, scope, Binding(scope, dotted=dotted))

    def _put(self, name: str, scope: Scope, binding: Binding) -> None:
        """Bind a name; what a class's body binds is reached as an attribute from outside."""
        scope.bind(name, binding)
        if scope.kind == "class":
            self.attributes.setdefault(name, []).append(binding)


def absolute_module(node: ast.ImportFrom, package: tuple[str, ...]) -> str:
    """The dotted module of a `from … import`, relative ones counted from the importing file's folder."""
    if not node.level:
        return node.module or ""
    base = package[: len(package) - (node.level - 1)]
    return ".".join([*base, *([node.module] if node.module else [])])


def _fields(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    for name, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.expr_context | ast.operator):
                yield name, child


def _is_main_guard(node: ast.AST) -> bool:
    """`if __name__ == "__main__":`, whichever way round it is written."""
    if not (isinstance(node, ast.If) and isinstance(node.test, ast.Compare) and isinstance(node.test.ops[0], ast.Eq)):
        return False
    sides = [node.test.left, node.test.comparators[0]]
    named = any(isinstance(side, ast.Name) and side.id == "__name__" for side in sides)
    return named and any(isinstance(side, ast.Constant) and side.value == "__main__" for side in sides)


def _around_comprehensions(scope: Scope) -> Scope:
    while scope.kind == "comprehension" and scope.parent is not None:
        scope = scope.parent
    return scope
