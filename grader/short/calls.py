"""A call, as it stands in a manifest → the source text that a probe runs. Parsed with `ast`; nothing is evaluated."""

from __future__ import annotations

import ast
import copy
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from grader.assignment.types import suggestion

BUILTINS = ("list", "tuple", "sorted", "len", "int", "float", "str", "abs", "sum")
DTYPES = ("float32", "float64", "int64", "int32", "bool", "float16", "bfloat16")
HELPERS = ("answer", "array", "drawn_weights", "given_weights", "handed", "named", "pulled_back")
RESERVED = (
    "modules",
    "seed",
    "net",
    "bound",
    "out",
    "weights",
    "again",
    "gradients",
    "torch",
    "draw",
    "self",
    *HELPERS,
)
_OBJECT = "<the object>"
_PLAIN = (
    ast.Tuple, ast.List, ast.Dict, ast.keyword, ast.Load, ast.UnaryOp, ast.USub, ast.Not, ast.BinOp, ast.Add, ast.Sub,
    ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow, ast.Subscript,
)  # fmt: skip


class Unreadable(Exception):
    """A text of the short form that cannot be meant; the message says what was expected."""


@dataclass(frozen=True)
class Target:
    """A function or class of a file that students hand in."""

    file: str
    name: str


@dataclass(frozen=True)
class Call:
    """A call in a probe's words.

    `made` constructs the object that `code` calls `net`, "" for a plain function; `names` are the inputs and sizes that
    it takes, in order; `first` is what is graded, `targets` everything of the files that it needs.
    """

    code: str
    made: str
    names: tuple[str, ...]
    targets: tuple[Target, ...]

    @property
    def first(self) -> Target:
        """What is graded: the class or function that stands outermost."""
        return self.targets[0]


def parsed(text: str) -> ast.expr:
    """The expression. Raises Unreadable."""
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        raise Unreadable(f"{text!r} is not an expression of Python: {getattr(error, 'msg', error)}") from None


class Rewriting(ast.NodeTransformer):
    """Names and calls in other words, and nothing in between that has no place in data."""

    def __init__(self, name: Callable[[str], str]) -> None:
        self._name = name

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Raises Unreadable for what is no data."""
        if not isinstance(node, _PLAIN):
            text = ast.unparse(node)
            raise Unreadable(f"{text!r} has no place here: expected names, numbers, texts, lists and calls")
        return super().generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Numbers, flags, texts and None."""
        if node.value is not None and not isinstance(node.value, (bool, int, float, str)):
            raise Unreadable(f"{ast.unparse(node)!r} has no place here: expected a number, a text, True, False or None")
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Another word for it."""
        return ast.Name(self._name(node.id), ast.Load())


class _Calls(Rewriting):
    """A call's words in a probe's; what it takes and needs is noted."""

    def __init__(self, files: Mapping[str, Collection[str]], own: str, values: Mapping[str, str]) -> None:
        super().__init__(self._value)
        self._files, self._own, self._values = files, own, values
        self.names: dict[str, None] = {}
        self.targets: dict[Target, None] = {}

    def _value(self, name: str) -> str:
        if name == _OBJECT:
            return "net"
        if name in self._values:
            self.names.setdefault(name)
            return self._values[name]
        return self._defined(name, self._home(name))

    def _defined(self, name: str, file: str) -> str:
        if self._files[file] and name not in self._files[file]:
            raise Unreadable(f"{file} defines no {name}" + suggestion(name, sorted(self._files[file])))
        self.targets.setdefault(Target(file, name))
        return f'modules["{file}"].{name}'

    def _home(self, name: str) -> str:
        """The file that defines it; one that cannot be looked into may define anything."""
        homes = [file for file, names in self._files.items() if name in names]
        homes = homes or [file for file, names in self._files.items() if not names]
        if self._own and (self._own in homes or not homes):
            return self._own
        if len(homes) > 1:
            raise Unreadable(f"{name} may be of {', '.join(homes)}: say which with `in`, or write {homes[0]}.{name}")
        if not homes:
            known = sorted({each for names in self._files.values() for each in names} | set(self._values))
            raise Unreadable(f"{name} is no input and no size, and no file defines it{suggestion(name, known)}")
        return homes[0]

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """A definition of a named file, a dtype, or a method of what is called before it."""
        if node.attr.startswith("_"):
            raise Unreadable(f"{ast.unparse(node)!r}: private names have no place here")
        if isinstance(node.value, ast.Name):
            base = node.value.id
            if base == "torch" and node.attr in DTYPES:
                return node
            if base in self._files and base not in self._values:
                return ast.Name(self._defined(node.attr, base), ast.Load())
        return ast.Attribute(self.visit(node.value), node.attr, ast.Load())

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """A function of the files, a method, or one of a few of Python's own."""
        builtin = isinstance(node.func, ast.Name) and node.func.id in BUILTINS and not self._is_defined(node.func.id)
        function = node.func if builtin else self.visit(node.func)
        arguments = [self.visit(entry) for entry in node.args]
        keywords = [ast.keyword(entry.arg, self.visit(entry.value)) for entry in node.keywords]
        return ast.Call(function, arguments, keywords)

    def _is_defined(self, name: str) -> bool:
        return any(name in names for names in self._files.values())


def read_call(text: str, files: Mapping[str, Collection[str]], own: str, values: Mapping[str, str]) -> Call:
    """The call in a probe's words.

    `files` are the names that each file defines (none: unknown); `own` is the file that is meant where several have a
    name; `values` says how each input and size is handed over. Raises Unreadable.
    """
    tree = parsed(text)
    made = _constructed(tree)
    rewriting = _Calls(files, own, values)
    construction = "" if made is None else ast.unparse(rewriting.visit(copy.deepcopy(made)))
    code = ast.unparse(rewriting.visit(_WithObject(made).visit(tree)))
    if not rewriting.targets:
        raise Unreadable(f"{text!r} calls nothing that students hand in: expected a call such as relu(x)")
    return Call(code, construction, tuple(rewriting.names), tuple(rewriting.targets))


class _WithObject(ast.NodeTransformer):
    """The constructed object in the place of its construction."""

    def __init__(self, made: ast.Call | None) -> None:
        self._made = made

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """Replaced, when it is the one."""
        return ast.Name(_OBJECT, ast.Load()) if node is self._made else self.generic_visit(node)


def _constructed(tree: ast.expr) -> ast.Call | None:
    """The innermost call of the outermost chain, when something is called on what it returns."""
    node, calls = tree, 0
    while True:
        if isinstance(node, ast.Subscript):
            node = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Call):
            node, calls = node.func, calls + 1
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _called(node.func.value):
            node, calls = node.func.value, calls + 1
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BUILTINS and node.args:
            node = node.args[0]
        else:
            return node if isinstance(node, ast.Call) and calls else None


def _called(node: ast.expr) -> bool:
    return not isinstance(node, ast.Name)
