"""Where a file refers to something from outside, and where it does so in a way that hides what it is.

A *mention* is a use of a dotted name. An *evasion* is a way to reach names that the source does not spell out: it is
evidence for a person, not proof, and says so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from grader.rules.names import DOORS, canonical, is_torch_module
from grader.rules.resolve import OWN_FILE, Resolver
from grader.rules.scopes import Visit, Walked

_CHECKS = frozenset({"builtins.isinstance", "builtins.issubclass", "builtins.hasattr", "builtins.help", "builtins.dir"})
_HARMLESS = _CHECKS | {"builtins.print", "builtins.id", "builtins.type", "builtins.getattr", "builtins.vars"}
_RUNS_TEXT = frozenset({"builtins.exec", "builtins.eval", "builtins.compile"})
_GIVES_MODULES = frozenset({"builtins.__import__", "importlib.import_module", "importlib.__import__"})
_GETTERS = frozenset({"operator.attrgetter", "operator.methodcaller"})
_OPENINGS = frozenset({
    "__subclasses__", "__globals__", "__builtins__", "__code__", "__loader__", "__closure__", "__self__", "__spec__",
    "__defaults__", "__kwdefaults__", "_ctypes",
    "f_back", "f_builtins", "f_globals", "f_locals", "tb_frame", "gi_frame", "cr_frame", "ag_frame",
})  # fmt: skip
_OPENING_TEXT = re.compile(rf"(?<!\w)(?:{'|'.join(sorted(name for name in _OPENINGS if name.startswith('__')))})(?!\w)")
_OTHER_WORLDS = (
    # where operations run unseen
    "ctypes", "cffi", "threading", "_thread", "concurrent.futures", "asyncio", "multiprocessing", "socketserver",
    "logging.handlers.QueueListener",
    "torch.multiprocessing", "torch.nn.parallel.parallel_apply", "os.fork", "os.posix_spawn",
    # what runs a text, or finds by a text
    "runpy", "code", "codeop", "marshal", "importlib.util", "importlib.machinery", "importlib.abc", "imp", "zipimport",
    "importlib.metadata.EntryPoint", "importlib.metadata.entry_points", "pkgutil.resolve_name", "pydoc",
    "unittest.mock", "unittest.TestLoader",
    "unittest.defaultTestLoader", "unittest.loader", "logging.config", "test.support", "timeit.timeit",
    "timeit.repeat", "timeit.Timer", "torch.utils.benchmark.Timer", "torch.utils.benchmark.timer", "cProfile.run",
    "cProfile.runctx", "cProfile.Profile", "profile.run", "profile.runctx", "profile.Profile", "bdb", "pdb.run",
    "pdb.runeval", "pdb.runcall", "pdb.Pdb", "trace.Trace", "doctest.run_docstring_examples", "doctest.DocTestRunner",
    "types.FunctionType", "types.CodeType", "pickle.loads", "pickle.Unpickler", "pickle._loads", "pickle._Unpickler",
    "_pickle", "numpy.lib.format.read_array", "dill", "cloudpickle", "shelve", "typing.ForwardRef",
    "typing.get_type_hints", "inspect.get_annotations",
    # what is alive, and what looks on
    "gc.get_objects", "gc.get_referrers", "gc.get_referents", "inspect.currentframe", "inspect.stack", "inspect.trace",
    "inspect.getmodule", "inspect.getmembers", "inspect.getmembers_static", "inspect.getattr_static",
    "inspect.getclosurevars", "traceback.walk_tb", "traceback.walk_stack", "sys._getframe", "sys._current_frames",
    "sys._current_exceptions", "sys.last_traceback", "sys.meta_path", "sys.path_hooks", "sys.settrace",
    "sys.setprofile", "sys.addaudithook", "sys.monitoring", "sys.call_tracing",
)  # fmt: skip
_NOT_YOURS = ("grader", "__main__")
_HARMLESS_PARTS = (
    "multiprocessing.cpu_count", "multiprocessing.set_start_method", "multiprocessing.freeze_support",
    "torch.multiprocessing.cpu_count", "torch.multiprocessing.set_start_method",
    "torch.multiprocessing.set_sharing_strategy", "asyncio.sleep",
)  # fmt: skip
_LOOKS_AT_FILES = frozenset({"importlib.reload", "inspect.getsource", "inspect.getfile", "builtins.print"})
_AS_VALUES = frozenset({"builtins.getattr", "builtins.vars", "builtins.globals", "builtins.locals"})
_LOOKED_UP = ast.Subscript | ast.Compare | ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.Expr
_MAKES_TEXT = frozenset({"chr", "bytes", "bytearray", "decode", "b64decode", "fromhex", "translate"})
_LOADERS = frozenset({"pickle.load", "torch.load", "numpy.load", "joblib.load"})
_HIDDEN_TORCH = (
    "ops", "jit", "fx", "export", "library", "classes", "package", "hub", "onnx", "ao", "quantization",
    "CompilationUnit", "ScriptModule", "ScriptFunction", "ScriptMethod", "import_ir_module",
    "import_ir_module_from_buffer", "parse_ir",
)  # fmt: skip
# What is compiled of functions that the file spells out, and the doors of what comes of it, which take texts.
_OPEN_JIT = ("script", "ignore", "unused", "export", "is_scripting", "Final", "annotate", "Attribute")
_JIT_DOORS = frozenset({"define", "graph", "_c"})
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
        self._elsewhere = tuple(f"{root}." for root in (*_OTHER_WORLDS, *foreign))
        self.walked = walked
        self.resolver = resolver
        self.mentions: list[Mention] = []
        self.evasions: list[Evasion] = []
        self._exempt: set[int] = set()
        self._openings = _OPENINGS | (_JIT_DOORS if any(map(_names_jit, walked.visits)) else frozenset())
        self._parents = {id(visit.node): visit.parent for visit in walked.visits}
        imports = [visit.node for visit in walked.visits if isinstance(visit.node, ast.Import | ast.ImportFrom)]
        self._imported = {getattr(node, "module", None) or alias.name for node in imports for alias in node.names}

    def look(self, visit: Visit) -> None:
        node = visit.node
        if isinstance(node, ast.Call):
            self._call(visit, node)
        elif isinstance(node, ast.Subscript):
            self._subscript(visit, node)
        elif isinstance(node, ast.Attribute | ast.Name):
            self._reference(visit, node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            self._text(visit, node.value)
        elif isinstance(node, ast.MatchClass):
            for name in _OPENINGS.intersection(node.kwd_attrs):
                self._evade(f"`{name}=` in a pattern", name, visit)
        elif isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            self._hidden(node.module or "", visit)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for module in [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]:
                if module.partition(".")[0] in self.foreign and not self.resolver.siblings(module):
                    self._hidden(module, visit)

    def _text(self, visit: Visit, text: str) -> None:
        """A text that is more than a docstring: `"{0.__globals__[torch]}"` is looked up by whoever formats it."""
        if isinstance(visit.parent, ast.Expr) or id(visit.node) in self._exempt:
            return
        # A sentence may say what it likes, but for what is filled in.
        looked_up = text if not re.search(r"\s", text) else " ".join(re.findall(r"\{[^{}]*", text))
        for name in _OPENING_TEXT.findall(looked_up) if not visit.annotation else ():
            self._evade(f"`{name}` in a text", name, visit)
        if visit.annotation and self.resolver.reads_annotations:
            for said in self.resolver.quoted(text, visit.scope):
                self.mentions.append(Mention(said, visit, dynamic=True))

    def _evade(self, what: str, name: str, visit: Visit, base: str | None = None) -> None:
        self.evasions.append(Evasion(what, name, visit, base))

    # --- names and attribute chains ---

    def _reference(self, visit: Visit, node: ast.Attribute | ast.Name) -> None:
        if isinstance(node, ast.Attribute) and node.attr in self._openings:
            self._evade(f"`.{node.attr}`", node.attr, visit)
        if isinstance(node, ast.Name) and node.id in ("__loader__", "__spec__"):
            self._evade(f"`{node.id}`", node.id, visit)
        if isinstance(node.ctx, ast.Store | ast.Del):
            self._replaced(visit, node)
            return
        unread = visit.annotation and not self.resolver.reads_annotations
        if isinstance(visit.parent, ast.Attribute) or unread or id(node) in self._exempt:
            return
        for name in sorted(self.resolver.names(node, visit.scope)):
            self.mentions.append(Mention(name, visit))
            self._hidden(name, visit)
            put = isinstance(visit.parent, ast.Call | ast.Assign) and not _is_called(visit)
            passed_on = name in _AS_VALUES and put
            if passed_on or (name in _RUNS_TEXT | _GIVES_MODULES and not _is_called(visit)):
                self._evade(f"`{name.removeprefix('builtins.')}` as a value", name.removeprefix("builtins."), visit)
            if name.endswith(".__dict__") and not isinstance(visit.parent, ast.Subscript):
                self._evade("`__dict__`", "__dict__", visit, name.removesuffix(".__dict__"))
            if name == "sys.modules" and not isinstance(visit.parent, _LOOKED_UP):
                self._evade("`sys.modules` as a value", "globals", visit)
            owner, _, last = name.rpartition(".")
            table = owner.endswith(".__dict__") or owner in ("sys.modules", "<globals>")
            if (table or last in ("__getattribute__", "__getattr__")) and not _is_called(visit):
                self._evade(f"`{name.replace('<globals>', 'globals()')}` as a value", last, visit, _owner(owner))
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
        whole: ast.AST = node
        parent = visit.parent
        while isinstance(parent, ast.IfExp | ast.BoolOp | ast.NamedExpr):  # which stand for one of their parts
            whole, parent = parent, self._parents.get(id(parent))
        if self._is_followed(whole, parent):
            return
        for name in self.resolver.names(node, visit.scope, classes=False):
            if is_torch_module(canonical(name)) or name in DOORS:
                self._evade(f"the module `{name}` as a value", name, visit, name)
            elif name.startswith(OWN_FILE) and not self._only_looked_at(parent, visit):
                self._evade("a file of yours as a value", name, visit, "torch")

    def _only_looked_at(self, parent: ast.AST | None, visit: Visit) -> bool:
        """`importlib.reload(helper)`, `inspect.getsource(helper)`."""
        return isinstance(parent, ast.Call) and bool(self.resolver.names(parent.func, visit.scope) & _LOOKS_AT_FILES)

    def _is_followed(self, node: ast.AST, parent: ast.AST | None) -> bool:
        """Whether the resolver knows what a value becomes there, or nothing can come of it."""
        match parent:
            case ast.Assign(targets=targets):
                return all(isinstance(target, ast.Name | ast.Attribute) for target in targets)
            case ast.AnnAssign(target=target):
                return not isinstance(target, ast.Subscript)
            case ast.Tuple(elts=parts):
                above = self._parents.get(id(parent))
                return isinstance(above, ast.Assign) and all(_side_by_side(target, parts) for target in above.targets)
            case ast.Compare(ops=operations):
                return all(isinstance(operation, ast.Is | ast.IsNot) for operation in operations)
            case ast.Lambda(body=body):
                return body is not node
        return isinstance(
            parent, ast.Attribute | ast.Expr | ast.FormattedValue | ast.FunctionDef | ast.AsyncFunctionDef | None
        )

    def _hidden(self, name: str, visit: Visit) -> None:
        if f"{name}.".startswith(self._elsewhere) and name not in _HARMLESS_PARTS:
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
        if any(keyword.arg == "eval_str" for keyword in node.keywords):
            self._evade("`eval_str`", "eval_str", visit)
        self._written(visit, node, callees)
        for callee in sorted(callees):
            self._called(callee, visit, node, bool(found))

    def _written(self, visit: Visit, node: ast.Call, callees: frozenset[str]) -> None:
        """`open("h.py", "w")` where `h` is imported: text that runs and that nobody reads."""
        told = [self.resolver.text(part, visit.scope) or "" for part in [*node.args, *(k.value for k in node.keywords)]]
        writes = "builtins.open" in callees and any(set(text) & set("wax+") for text in told[1:] if len(text) <= 3)
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("write_text", "write_bytes"):
            made = node.func.value
            told, writes = [self.resolver.text(part, visit.scope) or "" for part in getattr(made, "args", ())], True
        for text in told if writes else ():
            name = text.rpartition("/")[2].removesuffix(".py")
            if text.endswith(".py") and name in self._imported and not self.resolver.siblings(name):
                self._evade(f"the module `{name}`, which this code writes", name, visit)

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
        elif callee == "builtins.getattr" and len(node.args) > 1 and self._is_made_up(node.args[1], visit):
            self._evade("`getattr` of a name that is made up", short, visit)
        elif callee in ("builtins.getattr", "builtins.vars") and not known and node.args:
            for base in sorted(self.resolver.names(node.args[0], visit.scope)):
                self._evade(f"`{short}` of a computed name", short, visit, base)
        elif (short in ("setattr", "delattr") or callee.endswith((".__setattr__", ".__delattr__"))) and node.args:
            for base in self.resolver.names(node.args[0], visit.scope, classes=False):
                self._evade(f"`{short}` on `{base}`", short, visit, "torch" if base.startswith("torch.") else base)
        elif short == "globals" and not isinstance(visit.parent, ast.Attribute | _LOOKED_UP):
            self._evade(f"`{short}()` as a value", "globals", visit)
        elif short == "locals" and self._gives_locals_away(visit):
            self._evade("`locals()` as a value", "locals", visit)
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

    def _gives_locals_away(self, visit: Visit) -> bool:
        """Whether `locals()` with a module in it goes where it is not followed; a text to be filled in is harmless."""
        parent, above = visit.parent, self._parents.get(id(visit.parent))
        if id(visit.node) in self._exempt or not isinstance(parent, ast.Call | ast.Return | ast.Dict | ast.keyword):
            return False
        if (
            isinstance(parent, ast.keyword)
            and isinstance(above, ast.Call)
            and getattr(above.func, "attr", "") == "format"
        ):
            return False
        names = {found for name in visit.scope.bindings for found in self.resolver.lookup(name, visit.scope)}
        return any(is_torch_module(canonical(name)) or name in DOORS for name in names)

    def _is_made_up(self, name: ast.expr, visit: Visit) -> bool:
        """Whether a name was put together so that it is not to be read, or leads inside Python."""
        if not isinstance(name, ast.Constant) and _OPENINGS.intersection([self.resolver.text(name, visit.scope)]):
            return True
        bound = self.resolver.bindings(name.id, visit.scope) if isinstance(name, ast.Name) else []
        parts = (part for made in [name, *(binding.value for binding in bound)] if made for part in ast.walk(made))
        makers = (part.func for part in parts if isinstance(part, ast.Call))
        return any(getattr(maker, "attr", getattr(maker, "id", "")) in _MAKES_TEXT for maker in makers)

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
                if (base.startswith("torch.") and base.endswith(".__dict__")) or base == "sys.modules":
                    self._evade(f"replacing a part of `{base}`", "__dict__", visit, "torch")
            return
        if found:
            return
        for base in sorted(self.resolver.names(node.value, visit.scope)):
            if base in ("<globals>", "sys.modules", "builtins"):
                self._evade(f"`{base.replace('<globals>', 'globals()')}[…]` of a computed name", "globals", visit)
            elif base.endswith(".__dict__"):
                self._evade("`__dict__[…]` of a computed name", "__dict__", visit, base.removesuffix(".__dict__"))


def _owner(table: str) -> str | None:
    """The object whose names a table holds; None where it may be anything."""
    return None if table in ("sys.modules", "<globals>") else table.removesuffix(".__dict__")


def _side_by_side(target: ast.expr, parts: Sequence[ast.expr]) -> bool:
    """Whether a target takes a tuple apart so that each name gets the part of its own place."""
    if not isinstance(target, ast.Tuple | ast.List) or len(target.elts) != len(parts):
        return False
    return all(isinstance(part, ast.Name | ast.Attribute) for part in target.elts)


def _in_memory(maker: str) -> bool:
    return maker.rpartition(".")[2] in ("BytesIO", "BufferedReader", "SpooledTemporaryFile")


def _is_called(visit: Visit) -> bool:
    targets = getattr(visit.parent, "targets", [getattr(visit.parent, "target", None)])
    followed = all(isinstance(target, ast.Name) for target in targets)
    return followed or (isinstance(visit.parent, ast.Call) and visit.parent.func is visit.node)


def _is_hidden(name: str) -> bool:
    """Whether a name of torch lies where its layers and functions exist under other names."""
    if name.startswith(_OPEN_PRIVATE):
        return False
    parts = name.split(".")[1:]
    private = any(part.startswith("_") and not (part.startswith("__") and part.endswith("__")) for part in parts)
    return private or (parts[0] in _HIDDEN_TORCH and not (parts[0] == "jit" and parts[1:2] and parts[1] in _OPEN_JIT))


def _names_jit(visit: Visit) -> bool:
    node = visit.node
    imported = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
    return "jit" in f"{getattr(node, 'attr', '')}.{getattr(node, 'module', '')}.{'.'.join(imported)}".split(".")
