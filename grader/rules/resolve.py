"""What an expression refers to: dotted names, with aliases followed through names, attributes and other files.

    import torch.nn as nn; L = nn.LSTM; L(…)                 torch.nn.LSTM
    getattr(nn, "LS" + "TM"), vars(nn)["LSTM"]               torch.nn.LSTM
    importlib.import_module("torch.nn").LSTM                 torch.nn.LSTM

Answers are sets, because a name may be bound more than once; an empty set means "something of the student's own".
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator
from functools import cached_property

from grader.parsing.statements import parse_source
from grader.rules.names import canonical, is_torch_module, settled
from grader.rules.scopes import Binding, Definition, Scope, Walked

_DEPTH = 40
_WIDTH = 24
_ROUNDS = 8
GLOBALS = "<globals>"
OWN_FILE = "<file>"
"""Before the dotted name of a file of the submission that is meant as a whole."""
_GETTER = "<attrgetter>"
_BUILTINS = frozenset(dir(builtins))
_READ_ANNOTATIONS = frozenset({"dataclasses.fields", "functools.singledispatch", "functools.singledispatchmethod"})
_STRING_METHODS = frozenset({"lower", "upper", "capitalize", "title", "swapcase", "strip", "lstrip", "rstrip"})


class Resolver:
    """Resolves expressions within one submission's files."""

    def __init__(self, files: Iterable[Walked]) -> None:
        self._files: dict[int, Walked] = {}
        self._modules: dict[str, list[Walked]] = {}
        for walked in files:
            self._files[id(walked.scope)] = walked
            for name in module_names(walked.parsed.file.path):
                self._modules.setdefault(name, []).append(walked)
        self._memo: dict[tuple[int, str, bool], frozenset[str]] = {}
        self._asked: dict[tuple[int, str, bool], list[Binding]] = {}  # since the first name of the present question
        self._going: set[tuple[int, str, bool]] = set()
        self._circle = False

    def names(self, node: ast.AST, scope: Scope, *, classes: bool = True, depth: int = 0) -> frozenset[str]:
        """The dotted names that an expression may refer to.

        `classes`: a class of the student's own also stands for its bases, which is how a subclass is seen.
        """
        if depth > _DEPTH:
            return frozenset()
        found: set[str] = set()
        for name in self._names(node, scope, classes, depth + 1):
            found.add(name)
            if len(found) >= _WIDTH:
                break
        return frozenset(found)

    def _names(self, node: ast.AST, scope: Scope, classes: bool, depth: int) -> Iterator[str]:
        match node:
            case ast.Name():
                yield from self.lookup(node.id, scope, classes, depth)
            case ast.Attribute():
                yield from self._attribute(node, scope, classes, depth)
            case ast.Call():
                yield from self._call(node, scope, depth)
            case ast.Subscript():
                yield from self._subscript(node, scope, depth)
            case ast.NamedExpr(value=value):
                yield from self.names(value, scope, classes=classes, depth=depth)
            case ast.IfExp(body=body, orelse=orelse):
                yield from self.names(body, scope, classes=classes, depth=depth)
                yield from self.names(orelse, scope, classes=classes, depth=depth)
            case ast.BoolOp(values=values):
                for value in values[:_WIDTH]:
                    yield from self.names(value, scope, classes=classes, depth=depth)

    @cached_property
    def reads_annotations(self) -> bool:
        """Whether a file looks into annotations: then what they name is not only said."""
        return any(
            (isinstance(node, ast.Attribute) and node.attr in ("annotation", "return_annotation"))
            or getattr(node, "attr", getattr(node, "id", "")) in ("__annotations__", "__dataclass_fields__")
            or (isinstance(node, ast.Name | ast.Attribute) and self.names(node, visit.scope) & _READ_ANNOTATIONS)
            for walked in self._files.values()
            for visit in walked.visits
            for node in [visit.node]
        )

    def quoted(self, text: str, scope: Scope) -> frozenset[str]:
        """What an annotation that is written as a text names."""
        try:
            body = parse_source(text.strip()).body
        except SyntaxError:
            return frozenset()
        return frozenset().union(*(self.names(node.value, scope) for node in body if isinstance(node, ast.Expr)))

    # --- names ---

    def lookup(self, name: str, scope: Scope, classes: bool = True, depth: int = 0) -> frozenset[str]:
        """What a plain name may refer to, by Python's rules of scope."""
        holder = _holder(name, scope)
        if holder is None:
            return self._unbound(name, scope.module, classes, depth)
        key = (id(holder), name, classes)
        if key in self._memo:
            self._circle = self._circle or key in self._going
            return self._memo[key]
        first = not self._asked
        self._asked[key] = holder.bindings[name]
        self._going.add(key)
        self._memo[key] = frozenset()
        self._memo[key] = self._all_of(holder.bindings[name], classes, depth)
        self._going.discard(key)
        if first:
            if self._circle:
                self._go_round()
            self._asked.clear()
            self._circle = False
        return self._memo[key]

    def _all_of(self, bindings: Iterable[Binding], classes: bool, depth: int) -> frozenset[str]:
        found: set[str] = set()
        for binding in bindings:
            found |= self._bound(binding, classes, depth)
        return frozenset(sorted(found)[:_WIDTH])

    def _go_round(self) -> None:
        """`a = b` and `b = a`: names that stand for one another are asked until none of them stands for more."""
        for _ in range(_ROUNDS):
            before = {key: self._memo[key] for key in self._asked}
            for key, bindings in list(self._asked.items()):
                self._memo[key] = self._all_of(bindings, key[2], 0)
            if all(self._memo[key] == known for key, known in before.items()):
                return

    def bindings(self, name: str, scope: Scope) -> list[Binding]:
        """The bindings of a plain name, none if it is bound nowhere in the file."""
        holder = _holder(name, scope)
        return [] if holder is None else holder.bindings[name]

    def bound(self, binding: Binding) -> frozenset[str]:
        """What one binding stands for."""
        return self._bound(binding, True, 0)

    def _bound(self, binding: Binding, classes: bool, depth: int) -> frozenset[str]:
        if binding.dotted is not None:
            return self._through_files(binding.dotted, classes, depth)
        if binding.value is not None:
            return self.names(binding.value, binding.scope, classes=classes, depth=depth)
        if isinstance(binding.definition, ast.ClassDef) and classes:
            bases = (self.names(base, binding.scope, depth=depth) for base in binding.definition.bases)
            return frozenset().union(*bases)
        return frozenset()

    def _unbound(self, name: str, module: Scope, classes: bool, depth: int) -> frozenset[str]:
        if name in _BUILTINS or name == "__builtins__":
            return frozenset({"builtins" if name == "__builtins__" else f"builtins.{name}"})
        starred = (self._through_files(f"{star}.{name}", classes, depth) for star in module.stars)
        return frozenset().union(*starred)

    # --- other files of the submission ---

    def siblings(self, dotted: str) -> list[tuple[Walked, str]]:
        """The submission's own files that a dotted name begins with, each with the rest of the name."""
        parts = dotted.split(".")
        for size in range(len(parts), 0, -1):
            found = self._modules.get(".".join(parts[:size]))
            if found:
                return [(walked, ".".join(parts[size:])) for walked in found]
        return []

    def _through_files(self, dotted: str, classes: bool, depth: int) -> frozenset[str]:
        """A dotted name, followed into the submission's own files as far as it leads."""
        if depth > _DEPTH:
            return frozenset()
        found: set[str] = set()
        dotted = dotted.removeprefix(OWN_FILE)
        siblings = self.siblings(dotted)
        for walked, rest in siblings:
            first, _, more = rest.partition(".")
            if first in ("", "__dict__"):
                found.add(OWN_FILE + dotted)
            elif first in walked.scope.bindings:
                inner = self.lookup(first, walked.scope, classes, depth + 1)
                found |= {f"{name}.{more}" if more else name for name in inner}
            elif first:
                starred = (self._through_files(f"{star}.{rest}", classes, depth + 1) for star in walked.scope.stars)
                found |= frozenset().union(*starred)
        return frozenset(found) if siblings else frozenset({settled(dotted)})

    # --- expressions ---

    def _attribute(self, node: ast.Attribute, scope: Scope, classes: bool, depth: int) -> Iterator[str]:
        bases = self.names(node.value, scope, classes=classes, depth=depth)
        for base in bases:
            yield from self._through_files(f"{base}.{node.attr}", classes, depth)
        # What a class of the student's own has is asked for even where its base is the library's.
        if not bases or not self.names(node.value, scope, classes=False, depth=depth):
            yield from self._kept(node.attr, scope, classes, depth)

    def _kept(self, attribute: str, scope: Scope, classes: bool, depth: int) -> Iterator[str]:
        """What was ever put under a name into an object or a class; of other files only modules, which none shares."""
        here = self._files.get(id(scope.module))
        if here is None:
            return
        key = (id(scope.module), "." + attribute, classes)
        if key not in self._memo:
            self._memo[key] = frozenset()
            values = here.attributes.get(attribute, [])
            found = frozenset().union(*(self._bound(value, classes, depth) for value in values[:_WIDTH]))
            others = [walked.attributes[attribute] for walked in self._files.values() if attribute in walked.attributes]
            far = (name for values in others for value in values[:_WIDTH] for name in self._bound(value, False, depth))
            self._memo[key] = found | frozenset(name for name in far if is_torch_module(canonical(name)))
        yield from self._memo[key]

    def _call(self, node: ast.Call, scope: Scope, depth: int) -> Iterator[str]:
        for callee in self.names(node.func, scope, depth=depth):
            yield from self._called(callee, node, scope, depth)

    def _called(self, callee: str, node: ast.Call, scope: Scope, depth: int) -> Iterator[str]:
        texts = [self.text(argument, scope, depth) for argument in node.args[:2]]
        first = texts[0] if texts else None
        if callee == "builtins.getattr" and len(texts) == 2 and texts[1]:
            yield from self._below(node.args[0], texts[1], scope, depth)
        elif callee == "builtins.vars" and node.args:
            yield from self._below(node.args[0], "__dict__", scope, depth)
        elif callee in ("builtins.globals", "builtins.locals"):
            yield GLOBALS
        elif callee == "builtins.__import__" and first:
            yield first if len(node.args) > 3 or node.keywords else first.partition(".")[0]
        elif callee in ("importlib.import_module", "importlib.__import__") and first:
            yield first
        elif callee in ("operator.attrgetter", "operator.methodcaller") and first:
            yield f"{_GETTER}{first}"
        elif callee.startswith(_GETTER) and node.args:
            yield from self._below(node.args[0], callee.removeprefix(_GETTER), scope, depth)
        elif (
            callee.endswith(("__.get", "__.__getitem__", ".__getattribute__", ".__getattr__", "modules.get")) and first
        ):
            yield from self._item(callee.rpartition(".")[0], first, scope, depth)
        elif callee == f"{GLOBALS}.get" and first:
            yield from self._item(GLOBALS, first, scope, depth)

    def _below(self, node: ast.expr, attribute: str, scope: Scope, depth: int) -> Iterator[str]:
        bases = self.names(node, scope, depth=depth)
        for base in bases:
            yield from self._through_files(f"{base}.{attribute}", True, depth)
        if not bases:
            yield from self._kept(attribute, scope, True, depth)

    def _subscript(self, node: ast.Subscript, scope: Scope, depth: int) -> Iterator[str]:
        parts: list[ast.expr] = getattr(node.value, "elts", getattr(node.value, "values", []))
        for part in parts[:_WIDTH]:
            yield from self.names(part, scope, depth=depth)
        key = self.text(node.slice, scope, depth)
        if key is not None:
            bases = self.names(node.value, scope, depth=depth)
            for base in bases:
                if base in (GLOBALS, "sys.modules", "builtins") or base.endswith(".__dict__"):
                    yield from self._item(base, key, scope, depth)
            of = getattr(node.value, "func", node.value)
            if not bases and getattr(of, "attr", getattr(of, "id", "")) in ("__dict__", "vars"):
                yield from self._kept(key, scope, True, depth)

    def _item(self, base: str, key: str, scope: Scope, depth: int) -> Iterator[str]:
        if base == GLOBALS:
            yield from self.lookup(key, scope.module, True, depth)
        elif base == "sys.modules":
            yield from self._through_files(key, True, depth)
        else:
            yield from self._through_files(f"{base.removesuffix('.__dict__')}.{key}", True, depth)

    # --- strings ---

    def text(self, node: ast.expr, scope: Scope, depth: int = 0) -> str | None:
        """The string that an expression is, if that can be read off the source: `"LS" + "TM"`, `"MTSL"[::-1]`."""
        if depth > _DEPTH:
            return None
        match node:
            case ast.Constant(value=str(value)):
                return value
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return _joined([self.text(left, scope, depth + 1), self.text(right, scope, depth + 1)])
            case ast.JoinedStr(values=values):
                return _joined([self.text(value, scope, depth + 1) for value in values[:_WIDTH]])
            case ast.FormattedValue(value=value, format_spec=None):
                return self.text(value, scope, depth + 1)
            case ast.Subscript(value=value, slice=ast.Slice(lower=None, upper=None, step=ast.UnaryOp())):
                found = self.text(value, scope, depth + 1)
                return found[::-1] if found is not None and ast.unparse(node.slice) == "::-1" else None
            case ast.Call(func=ast.Attribute(value=value, attr=method)):
                return self._method(node, value, method, scope, depth + 1)
            case ast.Name():
                bound = [binding.value for binding in self.bindings(node.id, scope)]
                return self.text(bound[0], scope, depth + 1) if len(bound) == 1 and bound[0] is not None else None
        return None

    def _method(self, node: ast.Call, value: ast.expr, method: str, scope: Scope, depth: int) -> str | None:
        base = self.text(value, scope, depth)
        if base is None:
            return None
        if method in _STRING_METHODS and not node.args:
            return str(getattr(base, method)())
        if method == "join" and len(node.args) == 1 and isinstance(node.args[0], ast.List | ast.Tuple):
            parts = [self.text(part, scope, depth) for part in node.args[0].elts[:100]]
            return None if _joined(parts) is None else base.join(part or "" for part in parts)
        if method == "replace" and len(node.args) == 2:
            old, new = (self.text(argument, scope, depth) for argument in node.args)
            return base.replace(old, new)[:1000] if old and new is not None else None
        return None


def module_names(path: str) -> list[str]:
    """The dotted names under which a file can be imported: from the root, and from a folder on the way to it."""
    if not path.endswith(".py"):
        return []
    parts = path.removesuffix(".py").split("/")
    if parts[-1] == "__init__":
        parts = parts[:-1]
    return [".".join(parts[start:]) for start in range(len(parts))]


def definitions(bindings: Iterable[Binding]) -> list[Definition]:
    """The functions and classes among bindings."""
    return [binding.definition for binding in bindings if binding.definition is not None]


def _holder(name: str, scope: Scope) -> Scope | None:
    """The scope in which a name is bound; a class's names are seen in the class's own body alone."""
    current: Scope | None = scope
    while current is not None:
        if name in current.elsewhere:
            current = current.elsewhere[name]
            return current if name in current.bindings else None
        if name in current.bindings and (current.kind != "class" or _same_body(current, scope)):
            return current
        current = current.parent
    return None


def _same_body(holder: Scope, scope: Scope) -> bool:
    while scope.kind == "comprehension" and scope.parent is not None:
        scope = scope.parent
    return holder is scope


def _joined(parts: list[str | None]) -> str | None:
    whole = "".join(part for part in parts if part is not None)
    return None if None in parts or len(whole) > 1000 else whole
