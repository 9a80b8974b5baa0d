"""A suite's source cut down to some items: their tests, and of everything else only what these really use.

Top-level statements are kept or left out whole, so what stands in a kept function is shown. Module docstrings and
comments between statements go: they speak of the whole suite.
"""

from __future__ import annotations

import ast
import symtable
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.errors import AuthorError
from grader.parsing.statements import first_line, is_constant

SUITE_ONLY = ("assignment.yaml", "evidence.yaml", "equivalent_mutants.yaml", "refused_rewritings.yaml")
PROBES = "probes"
GRADER = Path(__file__).parents[1]
# What the grader has for probes that needs nothing of it besides.
CARRIED = ("probing", "calling", "parsing.following")

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True)
class _Piece:
    """A top-level statement of a module, or one name of an import."""

    node: ast.stmt
    text: str
    binds: frozenset[str]
    needs: frozenset[str]
    source: tuple[str, str] = ("", "")  # of an import: module and name there ("": the module itself)


@dataclass
class _Module:
    """One file of the suite; `kept` are the numbers of its pieces that are reached."""

    path: Path
    pieces: Sequence[_Piece]
    kept: set[int] = field(default_factory=set)


def cut(suite: Path, items: Collection[str]) -> dict[str, bytes]:
    """{path: content} of the suite's files that the tests of these items need. Raises AuthorError.

    The files that the suite provides to students are among them, and others where a kept line names them.
    """
    modules = {path.stem: _module(path) for path in sorted(suite.glob("*.py"))}
    for name, module in modules.items():
        for number, piece in enumerate(module.pieces):
            if name.startswith("test_") and _item_of(piece.node) in items:
                _reach(modules, name, number)
    found = {name: _written(module).encode() for name, module in modules.items() if module.kept}
    made = {f"{name}.py": content for name, content in found.items()}
    made.setdefault(f"{PROBES}.py", b"")
    for path in sorted(suite.iterdir()):
        named = path.suffix != ".py" and path.is_file() and path.name not in SUITE_ONLY
        if named and any(path.name.encode() in content for content in found.values()):
            made[path.name] = path.read_bytes()
    provided = suite / "provided"
    given = (path for path in sorted(provided.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {**made, **{path.relative_to(suite).as_posix(): path.read_bytes() for path in given}}


def one_text(suite: Path, probes: Collection[str], beside: Path) -> str:
    """What these probes need, of the suite and of the grader, as one text without an import of either: each module's
    pieces after those of the modules that it imports. `beside` has the names of its own that such a text finds.

    Raises AuthorError for what the grader alone can do, and for two things of one name.
    """
    modules = {path.stem: _module(path) for path in sorted(suite.glob("*.py"))}
    modules |= {f"grader.{name}": _module(GRADER / f"{name.replace('.', '/')}.py") for name in CARRIED}
    known = {name for piece in _module(beside).pieces for name in piece.binds}
    order, taken = list[str](), dict[str, _Piece]()
    for name in {PROBES, "check_probes"} & modules.keys():
        _reach_names(modules, name, set(probes))
        _in_order(modules, name, order)
    texts = list[str]()
    for module in (modules[name] for name in order):
        kept = [piece for number, piece in enumerate(module.pieces) if number in module.kept and not _is_future(piece)]
        own = _Module(module.path, kept, set(range(len(kept))))
        for number, piece in enumerate(own.pieces):
            if not isinstance(piece.node, (ast.Import, ast.ImportFrom)):
                others = [
                    (name, other) for name in piece.binds if (other := taken.setdefault(name, piece)) is not piece
                ]
                clash = [name for name, other in others if other not in kept and other.text != piece.text]
                if clash := [*clash, *(piece.binds & known)]:
                    raise AuthorError(f"something else is called {clash[0]} too", own.path, piece.node.lineno)
            elif piece.source[0] in modules or piece.source[0].split(".")[0] == "grader":
                if piece.source[0] not in modules and piece.source[1] not in known:
                    raise AuthorError(f"{'.'.join(piece.source)} is for the grader alone", own.path, piece.node.lineno)
                own.kept.discard(number)
        texts.append(
            _written(own).strip("\n") + "".join(_other_name(own.pieces, piece, modules) for piece in own.pieces)
        )
    return "\n\n\n".join(text for text in texts if text)


def _in_order(modules: dict[str, _Module], name: str, order: list[str]) -> None:
    """The modules that are needed, each after those that it imports."""
    for number in sorted(modules[name].kept):
        source = modules[name].pieces[number].source[0]
        if source in modules and source not in order and source != name:
            _in_order(modules, source, order)
    if name not in order:
        order.append(name)


def _other_name(pieces: Sequence[_Piece], piece: _Piece, modules: dict[str, _Module]) -> str:
    """What stands for an import of the suite's own that gives another name, or a module one."""
    source, wanted = piece.source
    [*bound] = piece.binds
    if source not in modules or bound == [wanted]:
        return ""
    if wanted:
        return f"\n{bound[0]} = {wanted}"
    taken = set[str]().union(*(_attributes(other.node, bound[0]) for other in pieces))
    return f"\n{bound[0]} = SimpleNamespace({', '.join(f'{name}={name}' for name in sorted(taken))})"


def _module(path: Path) -> _Module:
    text = path.read_text(encoding="utf-8")
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        raise AuthorError(f"it cannot be read as Python: {error.msg}", path, error.lineno) from None
    lines = text.splitlines()
    return _Module(path, [piece for node in body for piece in _pieces(node, lines, path)])


def _pieces(node: ast.stmt, lines: Sequence[str], path: Path) -> Iterator[_Piece]:
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        for alias in node.names:
            if alias.name == "*":
                raise AuthorError("a kit cannot tell what `import *` brings; name what is used", path, node.lineno)
            bound = alias.asname or (alias.name if isinstance(node, ast.ImportFrom) else alias.name.split(".")[0])
            source = (node.module or "", alias.name) if isinstance(node, ast.ImportFrom) else (alias.name, "")
            yield _Piece(node, "", frozenset({bound}), frozenset(), source)
    elif not is_constant(node):
        text = "\n".join(lines[first_line(node) - 1 : node.end_lineno])
        yield _Piece(node, text, frozenset(_bound(node)), frozenset(_needed(text)))


def _import_of(node: ast.Import | ast.ImportFrom, names: list[ast.alias]) -> ast.stmt:
    return ast.ImportFrom(node.module, names, node.level) if isinstance(node, ast.ImportFrom) else ast.Import(names)


def _bound(node: ast.stmt) -> set[str]:
    """The names that the statement binds, or whose value it changes."""
    if isinstance(node, Definition):
        return {node.name}
    changed = [entry.value for entry in ast.walk(node) if isinstance(entry, (ast.Subscript, ast.Attribute))
               and isinstance(entry.ctx, ast.Store)]  # fmt: skip
    names = {entry.id for entry in ast.walk(node) if isinstance(entry, ast.Name) and isinstance(entry.ctx, ast.Store)}
    return names | {entry.id for entry in changed if isinstance(entry, ast.Name)}


def _needed(text: str) -> set[str]:
    """The module's names that the statement uses, annotations included, at any depth."""
    top = symtable.symtable(text, "suite", "exec")
    found, queue = set[str](), [top]
    while queue:
        table = queue.pop()
        queue += table.get_children()
        symbols = (symbol for symbol in table.get_symbols() if symbol.is_referenced())
        found |= {symbol.get_name() for symbol in symbols if table is top or symbol.is_global()}
    return found


def _item_of(node: ast.stmt) -> str | None:
    """The item that a test decides."""
    for decorator in getattr(node, "decorator_list", ()):
        named = isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "item"
        if named and decorator.args and isinstance(decorator.args[0], ast.Constant):
            return str(decorator.args[0].value)
    return None


def _reach(modules: dict[str, _Module], name: str, number: int) -> None:
    """Keep a piece, and what it needs."""
    module = modules[name]
    if number in module.kept:
        return
    module.kept.add(number)
    piece = module.pieces[number]
    needs = piece.needs | (_fixtures_asked(piece.node) if name.startswith("test_") else set())
    for other, candidate in enumerate(module.pieces):
        source, wanted = candidate.source
        if not candidate.binds & needs or not (candidate.binds & piece.needs or _is_fixture(candidate.node)):
            continue
        if source in modules and not wanted:  # `import cases`: what this statement takes from it, by attribute
            module.kept.add(other)
            _reach_names(modules, source, _attributes(piece.node, *candidate.binds))
        else:
            _reach(modules, name, other)
    source, wanted = piece.source
    if source in modules:
        _reach_names(modules, source, {wanted})


def _reach_names(modules: dict[str, _Module], name: str, wanted: set[str]) -> None:
    for number, piece in enumerate(modules[name].pieces):
        if piece.binds & wanted:
            _reach(modules, name, number)


def _attributes(node: ast.stmt, module: str) -> set[str]:
    """What a statement takes from a module of that name."""
    return {
        entry.attr
        for entry in ast.walk(node)
        if isinstance(entry, ast.Attribute) and isinstance(entry.value, ast.Name) and entry.value.id == module
    }


def _fixtures_asked(node: ast.stmt) -> set[str]:
    return {entry.arg for entry in node.args.args} if isinstance(node, ast.FunctionDef) else set()


def _is_fixture(node: ast.stmt) -> bool:
    return any("fixture" in ast.unparse(decorator) for decorator in getattr(node, "decorator_list", ()))


def _written(module: _Module) -> str:
    """The kept pieces: imports together first, as they stood, then two empty lines around definitions."""
    wanted = [piece for number, piece in enumerate(module.pieces) if number in module.kept or _is_future(piece)]
    imports: dict[int, str] = {}
    blocks, plain = [""], False
    for piece in wanted:
        if isinstance(piece.node, (ast.Import, ast.ImportFrom)):
            names = {other.source[1] or other.source[0] for other in wanted if other.node is piece.node}
            kept = [alias for alias in piece.node.names if alias.name in names]
            imports[id(piece.node)] = ast.unparse(_import_of(piece.node, kept))
        elif plain and not isinstance(piece.node, Definition):
            blocks[-1] += f"\n{piece.text}"
        else:
            blocks.append(piece.text)
            plain = not isinstance(piece.node, Definition)
    blocks[0] = "\n".join(imports.values())
    return "\n\n\n".join(block for block in blocks if block) + "\n"


def _is_future(piece: _Piece) -> bool:
    return piece.source[0] == "__future__"
