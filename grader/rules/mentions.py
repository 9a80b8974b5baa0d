"""Where a file refers to something from outside, and where it does so in a way that hides what it is.

A *mention* is a use of a dotted name. An *evasion* is a way to reach names that the source does not spell out: it is
evidence for a person, not proof, and says so.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from grader.rules.names import canonical, is_torch_module
from grader.rules.resolve import Resolver
from grader.rules.scopes import Visit, Walked

_CHECKS = frozenset({"builtins.isinstance", "builtins.issubclass", "builtins.hasattr", "builtins.help", "builtins.dir"})
_HARMLESS = _CHECKS | {"builtins.print", "builtins.id", "builtins.type", "builtins.getattr", "builtins.vars"}
_RUNS_TEXT = frozenset({"builtins.exec", "builtins.eval", "builtins.compile"})
_GIVES_MODULES = frozenset({"builtins.__import__", "importlib.import_module", "importlib.__import__"})
_GETTERS = frozenset({"operator.attrgetter", "operator.methodcaller"})
_OPENINGS = frozenset({"__subclasses__", "__globals__", "__builtins__", "__code__", "__loader__", "__closure__"})
_OTHER_WORLDS = (
    "ctypes",
    "cffi",
    "threading",
    "_thread",
    "concurrent.futures",
    "multiprocessing",
    "torch.multiprocessing.Process",
    "torch.multiprocessing.spawn",
    "runpy",
    "marshal",
    "importlib.util",
    "importlib.machinery",
    "pkgutil.resolve_name",
    "gc.get_objects",
    "gc.get_referrers",
    "sys._getframe",
    "sys.settrace",
    "sys.setprofile",
    "inspect.currentframe",
)
_HARMLESS_PARTS = ("multiprocessing.cpu_count",)
_HIDDEN_TORCH = ("ops", "jit", "fx", "export", "library", "classes", "package", "hub", "onnx", "ao", "quantization")
_HIDDEN_UTILS = ("torch.utils.cpp_extension", "torch.utils._python_dispatch", "torch.overrides")
_OPEN_PRIVATE = ("torch.nn.init._", "torch.nn.modules.utils._", "torch.optim.", "torch.utils.data.")


@dataclass(frozen=True)
class Mention:
    """A use of a dotted name. `dynamic`: it was reached through `getattr` and the like, spelled out though."""

    name: str
    visit: Visit
    dynamic: bool = False


@dataclass(frozen=True)
class Evasion:
    """A way to reach names that the source does not show.

    `what` is shown to the student; `name` is what a rule's `allowed` may let through; `base` is the object from which
    something is taken, None where it can be anything.
    """

    what: str
    name: str
    visit: Visit
    base: str | None = None


@dataclass(frozen=True)
class Found:
    """All that one file refers to."""

    mentions: tuple[Mention, ...]
    evasions: tuple[Evasion, ...]


def find(walked: Walked, resolver: Resolver) -> Found:
    """The mentions and evasions of one file, in order."""
    finder = _Finder(walked, resolver)
    for visit in walked.visits:
        finder.look(visit)
    return Found(tuple(finder.mentions), tuple(finder.evasions))


class _Finder:
    def __init__(self, walked: Walked, resolver: Resolver) -> None:
        self.walked = walked
        self.resolver = resolver
        self.mentions: list[Mention] = []
        self.evasions: list[Evasion] = []
        self._exempt: set[int] = set()
        self._followed: set[int] = set()

    def look(self, visit: Visit) -> None:
        node = visit.node
        if isinstance(node, ast.Call):
            self._call(visit, node)
        elif isinstance(node, ast.Subscript):
            self._subscript(visit, node)
        elif isinstance(node, ast.Attribute | ast.Name):
            self._reference(visit, node)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Tuple):
            self._followed.update(id(part) for part in node.value.elts)
        elif isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            self._hidden(node.module or "", visit)

    def _evade(self, what: str, name: str, visit: Visit, base: str | None = None) -> None:
        self.evasions.append(Evasion(what, name, visit, base))

    # --- names and attribute chains ---

    def _reference(self, visit: Visit, node: ast.Attribute | ast.Name) -> None:
        if isinstance(node, ast.Attribute) and node.attr in _OPENINGS:
            self._evade(f"`.{node.attr}`", node.attr, visit)
        if isinstance(node.ctx, ast.Store | ast.Del):
            self._replaced(visit, node)
            return
        if isinstance(visit.parent, ast.Attribute) or visit.annotation or id(node) in self._exempt:
            return
        for name in sorted(self.resolver.names(node, visit.scope)):
            self.mentions.append(Mention(name, visit))
            self._hidden(name, visit)
            if name in _RUNS_TEXT | _GIVES_MODULES and not _is_called(visit):
                self._evade(f"`{name.removeprefix('builtins.')}` as a value", name.removeprefix("builtins."), visit)
            if name.endswith(".__dict__") and not isinstance(visit.parent, ast.Subscript):
                self._evade("`__dict__`", "__dict__", visit, name.removesuffix(".__dict__"))
        self._handed_on(visit, node)

    def _replaced(self, visit: Visit, node: ast.Attribute | ast.Name) -> None:
        """`torch.nn.Linear.forward = …`: what runs afterwards is no longer what the source says."""
        for name in self.resolver.names(node, visit.scope, classes=False) if isinstance(node, ast.Attribute) else ():
            if name.startswith("torch.") and not name.startswith("torch.backends."):
                self._evade(f"replacing `{name}`", name, visit, "torch")

    def _handed_on(self, visit: Visit, node: ast.Attribute | ast.Name) -> None:
        """A module passed on as a value (`f(nn)`, `[nn]`): what is taken from it later cannot be followed."""
        if isinstance(visit.parent, ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.Expr | ast.FormattedValue):
            return
        followed = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.IfExp | ast.BoolOp | ast.Compare
        if isinstance(visit.parent, followed) or id(node) in self._followed:
            return
        for name in self.resolver.names(node, visit.scope, classes=False):
            if is_torch_module(canonical(name)):
                self._evade(f"the module `{name}` as a value", name, visit, name)

    def _hidden(self, name: str, visit: Visit) -> None:
        if name.startswith(_OTHER_WORLDS) and name not in _HARMLESS_PARTS:
            self._evade(f"`{name}`", name, visit)
        if name.startswith(_HIDDEN_UTILS) or (name.startswith("torch.") and _is_hidden(name)):
            self._evade(f"`{name}`", name, visit, "torch")

    # --- calls and subscripts ---

    def _call(self, visit: Visit, node: ast.Call) -> None:
        callees = self.resolver.names(node.func, visit.scope)
        self._exempt_arguments(callees, node)
        found = self.resolver.names(node, visit.scope)
        self.mentions.extend(Mention(name, visit, dynamic=True) for name in sorted(found) if not name.startswith("<"))
        for name in sorted(found):
            self._hidden(name, visit)
        for callee in sorted(callees):
            self._called(callee, visit, node, bool(found))

    def _exempt_arguments(self, callees: frozenset[str], node: ast.Call) -> None:
        """`isinstance(m, nn.LSTM)` asks about a layer and uses none; `getattr(nn, …)` is looked at as a whole."""
        if callees & _HARMLESS:
            for place, argument in enumerate(node.args):
                parts = argument.elts if isinstance(argument, ast.Tuple) else [argument]
                if callees & _CHECKS or place == 0:
                    self._exempt.update(id(part) for part in parts)
        if any(callee.startswith("<attrgetter>") for callee in callees) and node.args:
            self._exempt.add(id(node.args[0]))

    def _called(self, callee: str, visit: Visit, node: ast.Call, known: bool) -> None:
        short = callee.removeprefix("builtins.")
        if callee in _RUNS_TEXT and id(node) not in self.walked.quoted:
            self._evade(f"`{short}`", short, visit)
        elif callee in _GIVES_MODULES | _GETTERS and not known:
            self._evade(f"`{short}` of a computed name", short, visit)
        elif callee in ("builtins.getattr", "builtins.vars") and not known and node.args:
            for base in sorted(self.resolver.names(node.args[0], visit.scope)):
                self._evade(f"`{short}` of a computed name", short, visit, base)
        elif callee in ("builtins.setattr", "builtins.delattr") and node.args:
            for base in self.resolver.names(node.args[0], visit.scope, classes=False):
                self._evade(f"`{short}` on `{base}`", short, visit, base)
        elif callee.endswith((".__getattribute__", ".__getattr__")) and not known:
            base = callee.rpartition(".")[0]
            self._evade("`__getattribute__`", "__getattribute__", visit, None if base.startswith("builtins") else base)
        elif callee.startswith(("sys.modules.", "<globals>.")) and not known and not callee.endswith(".update"):
            self._evade(f"`{callee.replace('<globals>', 'globals()')}`", "globals", visit)
        elif ".__dict__." in callee and not known:
            self._evade("`__dict__`", "__dict__", visit, callee.partition(".__dict__.")[0])
        elif callee == "builtins.vars" and not isinstance(visit.parent, ast.Subscript | ast.Attribute):
            for base in sorted(self.resolver.names(node.args[0], visit.scope) if node.args else ()):
                self._evade("`vars`", "vars", visit, base)

    def _subscript(self, visit: Visit, node: ast.Subscript) -> None:
        found = self.resolver.names(node, visit.scope)
        for name in sorted(found):
            self.mentions.append(Mention(name, visit, dynamic=True))
            self._hidden(name, visit)
        if found or isinstance(node.ctx, ast.Store | ast.Del):
            return
        for base in sorted(self.resolver.names(node.value, visit.scope)):
            if base in ("<globals>", "sys.modules"):
                self._evade(f"`{base.replace('<globals>', 'globals()')}[…]` of a computed name", "globals", visit)
            elif base.endswith(".__dict__"):
                self._evade("`__dict__[…]` of a computed name", "__dict__", visit, base.removesuffix(".__dict__"))


def _is_called(visit: Visit) -> bool:
    followed = isinstance(visit.parent, ast.Assign | ast.AnnAssign | ast.NamedExpr)
    return followed or (isinstance(visit.parent, ast.Call) and visit.parent.func is visit.node)


def _is_hidden(name: str) -> bool:
    """Whether a name of torch lies where its layers and functions exist under other names."""
    if name.startswith(_OPEN_PRIVATE):
        return False
    parts = name.split(".")[1:]
    private = any(part.startswith("_") and not (part.startswith("__") and part.endswith("__")) for part in parts)
    return private or parts[0] in _HIDDEN_TORCH
