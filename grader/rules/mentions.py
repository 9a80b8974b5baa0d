"""Where a file refers to something from outside, and where it does so in a way that hides what it is.

A *mention* is a use of a dotted name. An *evasion* is a way to reach names that the source does not spell out: it is
evidence for a person, not proof, and says so.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from grader.rules.names import DOORS, canonical, is_torch_module
from grader.rules.resolve import Resolver
from grader.rules.scopes import Visit, Walked

_CHECKS = frozenset({"builtins.isinstance", "builtins.issubclass", "builtins.hasattr", "builtins.help", "builtins.dir"})
_HARMLESS = _CHECKS | {"builtins.print", "builtins.id", "builtins.type", "builtins.getattr", "builtins.vars"}
_RUNS_TEXT = frozenset({"builtins.exec", "builtins.eval", "builtins.compile"})
_GIVES_MODULES = frozenset({"builtins.__import__", "importlib.import_module", "importlib.__import__"})
_GETTERS = frozenset({"operator.attrgetter", "operator.methodcaller"})
_OPENINGS = frozenset({
    "__subclasses__", "__globals__", "__builtins__", "__code__", "__loader__", "__closure__", "__self__", "__spec__",
    "f_back", "f_builtins", "f_globals", "f_locals", "tb_frame", "gi_frame", "cr_frame", "ag_frame",
})  # fmt: skip
_OTHER_WORLDS = (
    # where operations run unseen
    "ctypes", "cffi", "threading", "_thread", "concurrent.futures", "asyncio", "multiprocessing",
    "torch.multiprocessing", "torch.nn.parallel.parallel_apply", "os.fork", "os.posix_spawn",
    # what runs a text, or finds by a text
    "runpy", "code", "codeop", "marshal", "importlib.util", "importlib.machinery", "importlib.abc", "imp", "zipimport",
    "pkgutil.resolve_name", "pydoc.locate", "pydoc.safeimport", "unittest.mock", "logging.config", "timeit.timeit",
    "timeit.repeat", "timeit.Timer", "cProfile.run", "profile.run", "types.FunctionType", "types.CodeType",
    "pickle.loads", "pickle.Unpickler", "_pickle", "dill", "cloudpickle", "shelve", "typing.ForwardRef",
    "typing.get_type_hints", "inspect.get_annotations",
    # what is alive, and what looks on
    "gc.get_objects", "gc.get_referrers", "gc.get_referents", "inspect.currentframe", "inspect.stack", "inspect.trace",
    "inspect.getmodule", "inspect.getmembers", "inspect.getattr_static", "inspect.getclosurevars", "traceback.walk_tb",
    "traceback.walk_stack", "sys._getframe", "sys._current_frames", "sys.meta_path", "sys.path_hooks", "sys.settrace",
    "sys.setprofile", "sys.addaudithook", "sys.monitoring",
)  # fmt: skip
_NOT_YOURS = ("grader", "__main__")
_HARMLESS_PARTS = (
    "multiprocessing.cpu_count", "multiprocessing.set_start_method", "multiprocessing.freeze_support",
    "torch.multiprocessing.cpu_count", "torch.multiprocessing.set_start_method",
    "torch.multiprocessing.set_sharing_strategy", "asyncio.sleep",
)  # fmt: skip
_AS_VALUES = frozenset({"builtins.getattr", "builtins.vars", "builtins.globals", "builtins.locals"})
_LOOKED_UP = ast.Subscript | ast.Compare | ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.Expr
_LOADERS = frozenset({"pickle.load", "torch.load", "numpy.load", "joblib.load"})
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


def find(walked: Walked, resolver: Resolver, foreign: Collection[str] = ()) -> Found:
    """The mentions and evasions of one file, in order. `foreign`: modules of the grader's side, as `probes` is."""
    finder = _Finder(walked, resolver, (*_NOT_YOURS, *foreign))
    for visit in walked.visits:
        finder.look(visit)
    return Found(tuple(finder.mentions), tuple(finder.evasions))


class _Finder:
    def __init__(self, walked: Walked, resolver: Resolver, foreign: tuple[str, ...]) -> None:
        self.foreign = foreign
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
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for module in [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]:
                if module.partition(".")[0] in self.foreign and not self.resolver.siblings(module):
                    self._hidden(module, visit)

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
            passed_on = name in _AS_VALUES and isinstance(visit.parent, ast.Call) and visit.parent.func is not node
            if passed_on or (name in _RUNS_TEXT | _GIVES_MODULES and not _is_called(visit)):
                self._evade(f"`{name.removeprefix('builtins.')}` as a value", name.removeprefix("builtins."), visit)
            if name.endswith(".__dict__") and not isinstance(visit.parent, ast.Subscript):
                self._evade("`__dict__`", "__dict__", visit, name.removesuffix(".__dict__"))
            if name == "sys.modules" and not isinstance(visit.parent, _LOOKED_UP):
                self._evade("`sys.modules` as a value", "globals", visit)
        self._handed_on(visit, node)

    def _replaced(self, visit: Visit, node: ast.Attribute | ast.Name) -> None:
        """`torch.nn.Linear.forward = …`: what runs afterwards is no longer what the source says."""
        if not isinstance(node, ast.Attribute):
            return
        # What the attribute stands for is what it is given (`self.act = F.relu`): what it belongs to is asked for.
        for base in self.resolver.names(node.value, visit.scope, classes=False):
            name = f"{base}.{node.attr}"
            self._hidden(name, visit)
            if name.startswith("torch.") and not name.startswith("torch.backends."):
                self._evade(f"replacing `{name}`", name, visit, "torch")

    def _handed_on(self, visit: Visit, node: ast.Attribute | ast.Name) -> None:
        """A module passed on as a value (`f(nn)`, `[nn]`): what is taken from it later cannot be followed."""
        if isinstance(
            visit.parent, ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.Expr | ast.FormattedValue
        ) and not any(isinstance(target, ast.Subscript) for target in getattr(visit.parent, "targets", ())):
            return
        followed = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.IfExp | ast.BoolOp | ast.Compare
        body = isinstance(visit.parent, ast.Lambda) and visit.parent.body is node
        if (isinstance(visit.parent, followed) and not body) or id(node) in self._followed:
            return
        for name in self.resolver.names(node, visit.scope, classes=False):
            if is_torch_module(canonical(name)) or name in DOORS:
                self._evade(f"the module `{name}` as a value", name, visit, name)

    def _hidden(self, name: str, visit: Visit) -> None:
        if _below(name, (*_OTHER_WORLDS, *self.foreign)) and name not in _HARMLESS_PARTS:
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
        elif callee in _LOADERS and any(_in_memory(made) for made in self._makers(node, visit)):
            self._evade(f"`{short}` of bytes in memory", short, visit)
        elif callee in _GIVES_MODULES | _GETTERS and not known:
            self._evade(f"`{short}` of a computed name", short, visit)
        elif callee in ("builtins.getattr", "builtins.vars") and not known and node.args:
            for base in sorted(self.resolver.names(node.args[0], visit.scope)):
                self._evade(f"`{short}` of a computed name", short, visit, base)
        elif (short in ("setattr", "delattr") or callee.endswith((".__setattr__", ".__delattr__"))) and node.args:
            for base in self.resolver.names(node.args[0], visit.scope, classes=False):
                self._evade(f"`{short}` on `{base}`", short, visit, "torch" if base.startswith("torch.") else base)
        elif short == "globals" and not isinstance(visit.parent, ast.Attribute | _LOOKED_UP):
            self._evade(f"`{short}()` as a value", "globals", visit)
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

    def _makers(self, node: ast.Call, visit: Visit) -> Iterator[str]:
        """What a loader's first argument was made by, where the source shows it."""
        argument = node.args[0] if node.args else None
        bound = self.resolver.bindings(argument.id, visit.scope) if isinstance(argument, ast.Name) else []
        for value in [argument, *(binding.value for binding in bound)]:
            if isinstance(value, ast.Call):
                yield from self.resolver.names(value.func, visit.scope)

    def _subscript(self, visit: Visit, node: ast.Subscript) -> None:
        found = self.resolver.names(node, visit.scope)
        for name in sorted(found):
            self.mentions.append(Mention(name, visit, dynamic=True))
            self._hidden(name, visit)
        if isinstance(node.ctx, ast.Store | ast.Del):
            for base in sorted(self.resolver.names(node.value, visit.scope)):
                if base.startswith("torch.") and base.endswith(".__dict__"):
                    self._evade(f"replacing a part of `{base}`", "__dict__", visit, "torch")
            return
        if found:
            return
        for base in sorted(self.resolver.names(node.value, visit.scope)):
            if base in ("<globals>", "sys.modules", "builtins"):
                self._evade(f"`{base.replace('<globals>', 'globals()')}[…]` of a computed name", "globals", visit)
            elif base.endswith(".__dict__"):
                self._evade("`__dict__[…]` of a computed name", "__dict__", visit, base.removesuffix(".__dict__"))


def _below(name: str, roots: Sequence[str]) -> bool:
    return any(name == root or name.startswith(root + ".") for root in roots)


def _in_memory(maker: str) -> bool:
    return maker.rpartition(".")[2] in ("BytesIO", "BufferedReader", "SpooledTemporaryFile")


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
