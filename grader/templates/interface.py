"""What a module offers: public classes, methods, functions and constants with their signatures, read by `ast`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

ParameterKind = Literal["positional_only", "positional", "star", "keyword", "double_star"]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Parameter:
    """One parameter of a signature."""

    name: str
    kind: ParameterKind
    optional: bool


@dataclass(frozen=True)
class Definition:
    """A public class, function or constant. `name` is qualified (`LSTM.forward`); `exact` is its whole header.

    `names` are the names that a class binds itself, methods and attributes alike.
    """

    name: str
    kind: Literal["class", "function", "constant"]
    line: int
    exact: str = ""
    parameters: tuple[Parameter, ...] = ()
    names: tuple[str, ...] = ()


def interface_of(tree: ast.Module) -> dict[str, Definition]:
    """Qualified name → definition. A later definition of a name replaces an earlier one, as when the code runs."""
    return {definition.name: definition for definition in _definitions(tree.body, "")}


def parameters_of(arguments: ast.arguments) -> tuple[Parameter, ...]:
    """The parameters in the order in which they stand."""
    positional = [*arguments.posonlyargs, *arguments.args]
    first_default = len(positional) - len(arguments.defaults)
    result = [
        Parameter(
            argument.arg,
            "positional_only" if place < len(arguments.posonlyargs) else "positional",
            place >= first_default,
        )
        for place, argument in enumerate(positional)
    ]
    if arguments.vararg:
        result.append(Parameter(arguments.vararg.arg, "star", True))
    pairs = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    result.extend(Parameter(argument.arg, "keyword", default is not None) for argument, default in pairs)
    if arguments.kwarg:
        result.append(Parameter(arguments.kwarg.arg, "double_star", True))
    return tuple(result)


def written(parameters: Sequence[Parameter]) -> str:
    """A parameter list as a student reads it: `(self, x, init_states=…)`."""
    texts: list[str] = []
    starred = False
    for parameter in parameters:
        if parameter.kind == "keyword" and not starred:
            texts.append("*")
        starred = starred or parameter.kind in ("star", "keyword")
        mark = {"star": "*", "double_star": "**"}.get(parameter.kind, "")
        default = "=…" if parameter.optional and not mark else ""
        texts.append(mark + parameter.name + default)
    return f"({', '.join(texts)})"


def _definitions(body: Sequence[ast.stmt], prefix: str) -> Iterator[Definition]:
    for node in body:
        if isinstance(node, ast.ClassDef) and is_public(node.name):
            yield _class(node, prefix)
            yield from _definitions(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, Function) and is_public(node.name):
            yield _function(node, prefix)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            yield from _constants(node, prefix)
        elif not isinstance(node, ast.ClassDef | Function):
            for name in ("body", "orelse", "finalbody"):
                yield from _definitions(getattr(node, name, []), prefix)
            for handler in getattr(node, "handlers", []):
                yield from _definitions(handler.body, prefix)


def is_public(name: str) -> bool:
    """Public names and the special methods (`__init__`)."""
    return not name.startswith("_") or (name.startswith("__") and name.endswith("__"))


def _class(node: ast.ClassDef, prefix: str) -> Definition:
    bases = ", ".join(ast.unparse(base) for base in [*node.bases, *(keyword.value for keyword in node.keywords)])
    bound = {child.id for child in ast.walk(node) if isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store)}
    methods = {child.name for child in node.body if isinstance(child, Function | ast.ClassDef)}
    header = _decorated(node, f"class {node.name}({bases})")
    return Definition(prefix + node.name, "class", node.lineno, header, names=tuple(sorted(bound | methods)))


def _function(node: Function, prefix: str) -> Definition:
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    word = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    header = _decorated(node, f"{word} {node.name}({ast.unparse(node.args)}){returns}")
    return Definition(prefix + node.name, "function", node.lineno, header, parameters_of(node.args))


def _decorated(node: Function | ast.ClassDef, header: str) -> str:
    return " ".join([*(f"@{ast.unparse(decorator)}" for decorator in node.decorator_list), header])


def _constants(node: ast.Assign | ast.AnnAssign, prefix: str) -> Iterator[Definition]:
    """Constants (upper case) and the annotated fields of classes; other variables are not part of an interface."""
    for target in [node.target] if isinstance(node, ast.AnnAssign) else node.targets:
        if isinstance(target, ast.Name) and is_public(target.id):
            field = bool(prefix) and isinstance(node, ast.AnnAssign)
            if target.id.isupper() or field:
                kind = f": {ast.unparse(node.annotation)}" if isinstance(node, ast.AnnAssign) else ""
                yield Definition(prefix + target.id, "constant", node.lineno, target.id + kind)
