"""Python source → top-level statements, each with its own fate. Standard library only: the worker uses it too.

Notebook cells mix definitions with running code, shell lines and unfilled holes. Here a cell is cut into its
top-level statements, so that a class is still found beside a line that does not parse, and so that definitions can
be taken without running anything else.
"""

from __future__ import annotations

import ast
import re
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

DefinitionKind = Literal["import", "function", "class", "literal"]

_RESTARTS = 60  # how often cutting may begin anew behind a broken statement; a longer broken cell stays in one piece
_CELL_MAGIC_OVER_PYTHON = frozenset({"time", "timeit", "capture", "prun"})
_MAGIC = re.compile(r"\s*(?:%{1,2}[A-Za-z_]|!|\?{1,2}\s*[A-Za-z_%])")
_ASSIGNED_MAGIC = re.compile(r"\s*[A-Za-z_][\w, ]*=\s*(?:!|%[A-Za-z_])")
_HELP = re.compile(r"\s*[A-Za-z_%][\w.]*\?{1,2}\s*$")
_CELL_MAGIC = re.compile(r"\s*%%(\w*)")
_FRESH_START = re.compile(r"(?:def|class|import|from|async\s+def)\s|@\w")
_CONTINUES = re.compile(r"(?:else|elif|except|finally|case)\b|[)\]}]")


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One top-level statement. Lines count from 1 in the source it was cut from.

    `kind` is the kind of definition, or None for everything else; `names` are the names that it binds; `node` carries
    line numbers of the whole source. A piece that does not parse has `error`, `error_line` and no node.
    """

    source: str
    first_line: int
    last_line: int
    kind: DefinitionKind | None = None
    names: tuple[str, ...] = ()
    node: ast.stmt | None = field(default=None, compare=False, repr=False)
    error: str | None = None
    error_line: int | None = None


def parse_source(source: str) -> ast.Module:
    """The syntax tree of hostile source. Raises SyntaxError, and nothing else, for whatever Python cannot parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # invalid escapes in a student's file are not our warnings
            return ast.parse(source)
    except SyntaxError as error:
        if newer := newer_python(error, source):
            error.msg = newer
        raise
    except (MemoryError, RecursionError) as error:
        raise SyntaxError("the code is nested too deeply to be read") from error
    except (ValueError, OverflowError) as error:
        raise SyntaxError(str(error)) from error


# What a line of a newer Python looks like, and the version that brought it.
_NEWER = (
    (re.compile(r"\s*type\s+[A-Za-z_]\w*\s*(?:\[.*\])?\s*="), (3, 12), "a `type` statement"),
    (re.compile(r"\s*(?:async\s+)?(?:def|class)\s+[A-Za-z_]\w*\s*\["), (3, 12), "type parameters in brackets"),
    (re.compile(r"\s*except\s+[\w.]+\s*,\s*[\w.]+(?:\s*,\s*[\w.]+)*\s*:"), (3, 14), "`except` without parentheses"),
    (re.compile(r"""(?:.*[^\w])?[tT][rR]?["']"""), (3, 14), "a template string"),
)
_NESTED = re.compile(r"""[fF][rR]?(?P<q>'|")(?:(?!(?P=q)).)*\{[^{}'"]*(?P=q)""")


def newer_python(error: SyntaxError, source: str) -> str:
    """A message that names both versions where what cannot be read is the syntax of a newer Python; else ""."""
    lines = source.split("\n")
    line = lines[error.lineno - 1] if error.lineno and error.lineno <= len(lines) else ""
    found: tuple[tuple[int, int], str] | None = None
    if "f-string expression part cannot include" in str(error.msg) or _NESTED.search(line):
        found = (3, 12), "an f-string with quotes, a backslash or a comment inside its braces"
    else:
        found = next(((version, what) for shape, version, what in _NEWER if shape.match(line)), None)
    if found is None or found[0] <= sys.version_info[:2]:
        return ""
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    (major, minor), what = found
    return f"{error.msg} ({what} needs Python {major}.{minor}; your code is graded with Python {here}: write it so)"


_PLACEHOLDER = re.compile(r"\?\?\?|(?:=|return|\()\s*(?:\?|_{3,}|\.{4,})|=\s*(?:#.*)?$|(?i:your code|todo)|<[A-Z_ ]+>")


def is_placeholder(line: str) -> bool:
    """Whether a line that cannot be read is a template's hole: `x = ???`, `x = # your code`."""
    return bool(_PLACEHOLDER.search(line.rstrip()))


def first_line(node: ast.stmt) -> int:
    """The line where a statement begins, its decorators included."""
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def is_constant(node: ast.stmt) -> bool:
    """Whether a statement is a value by itself: a docstring, `...`."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def definition_kind(node: ast.stmt) -> DefinitionKind | None:
    """What kind of definition a top-level statement is; None if running it would do more than define something.

    A `try` whose every branch only defines (`try: import x` / `except ImportError: x = None`) counts as an import.
    """
    if isinstance(node, ast.Import | ast.ImportFrom):
        return "import"
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return "function"
    if isinstance(node, ast.ClassDef):
        return "class"
    if isinstance(node, ast.Try):
        return "import" if _only_defines(node) else None
    if isinstance(node, ast.Assign) and all(_is_name(target) for target in node.targets) and _is_literal(node.value):
        return "literal"
    if isinstance(node, ast.AnnAssign) and _is_name(node.target) and node.value and _is_literal(node.value):
        return "literal"
    return None


def _only_defines(node: ast.Try) -> bool:
    inner = [*node.body, *node.orelse, *node.finalbody, *(step for handler in node.handlers for step in handler.body)]
    imports = any(isinstance(step, ast.Import | ast.ImportFrom) for step in node.body)
    return imports and all(isinstance(step, ast.Pass) or definition_kind(step) is not None for step in inner)


def _is_name(target: ast.expr) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return all(isinstance(element, ast.Name) for element in target.elts)
    return isinstance(target, ast.Name)


def _is_literal(value: ast.expr, depth: int = 0) -> bool:
    """Constants, containers of literals, and arithmetic of numbers (`2 * 128`, `-1`, `1 / 3`)."""
    if depth > 50:
        return False
    if isinstance(value, ast.Constant):
        return True
    if isinstance(value, ast.Tuple | ast.List | ast.Set):
        return all(_is_literal(element, depth + 1) for element in value.elts)
    if isinstance(value, ast.Dict):
        return all(key is not None and _is_literal(key, depth + 1) for key in value.keys) and all(
            _is_literal(entry, depth + 1) for entry in value.values
        )
    if isinstance(value, ast.UnaryOp):
        return isinstance(value.op, ast.USub | ast.UAdd | ast.Not) and _is_literal(value.operand, depth + 1)
    if isinstance(value, ast.BinOp):
        return _is_number(value, depth)
    return False


def _is_number(value: ast.expr, depth: int) -> bool:
    if depth > 50:
        return False
    if isinstance(value, ast.BinOp):
        return _is_number(value.left, depth + 1) and _is_number(value.right, depth + 1)
    if isinstance(value, ast.UnaryOp):
        return _is_number(value.operand, depth + 1)
    return isinstance(value, ast.Constant) and isinstance(value.value, int | float)


def bound_names(node: ast.stmt) -> tuple[str, ...]:
    """The names that a top-level statement binds at the top level, in order, `*` for a star import."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return (node.name,)
    if isinstance(node, ast.Import | ast.ImportFrom):
        return tuple(alias.asname or alias.name.split(".")[0] for alias in node.names)
    if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return tuple(dict.fromkeys(name for target in targets for name in _target_names(target)))
    inner = [step for part in ("body", "orelse", "finalbody") for step in getattr(node, part, [])]
    inner += [step for handler in getattr(node, "handlers", []) for step in handler.body]
    return tuple(dict.fromkeys(name for step in inner for name in bound_names(step)))


def _target_names(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Starred):
        yield from _target_names(target.value)
    elif isinstance(target, ast.Tuple | ast.List):
        for element in target.elts:
            yield from _target_names(element)


_WRITES = re.compile(r"\s*%%(?:writefile|file)\s+(?:-a\s+)?(?P<path>\S+)[^\n]*(?:\n|$)")


def written_file(source: str) -> tuple[str, str] | None:
    """(path, text) of a cell that writes a file (`%%writefile model.py`), None for any other cell.

    In place of the line with the magic the text has a comment, so that its lines are those of the cell.
    """
    found = _WRITES.match(source)
    if found is None:
        return None
    above = found.group().count("\n") * "#\n"
    return found["path"].strip("\"'"), above + source[found.end() :]


def strip_magics(source: str) -> str:
    """`source` with magics, shell and help lines turned into `pass  # …`; the number of lines stays the same.

    A `%` or `!` that continues an expression or stands in a string is left alone. `%%bash` and the like take the
    whole cell, `%%time` and its kin only their own line.
    """
    try:
        parse_source(source)
        return source
    except SyntaxError:
        pass
    lines = source.split("\n")
    first = next((number for number, line in enumerate(lines) if line.strip()), 0)
    cell_magic = _CELL_MAGIC.match(lines[first])
    if cell_magic and cell_magic[1] not in _CELL_MAGIC_OVER_PYTHON:
        return "\n".join(f"# {line}" if line.strip() else line for line in lines)
    return "\n".join(_without_magics(lines))


def _without_magics(lines: list[str]) -> Iterator[str]:
    scanner = _Scanner()
    in_magic = False
    for line in lines:
        if in_magic:
            yield f"# {line}"
        elif scanner.may_start(line) and _is_magic(line):
            yield _commented(line)
        else:
            scanner.feed(line)
            yield line
            continue
        in_magic = line.rstrip().endswith("\\")


def _is_magic(line: str) -> bool:
    return bool(_MAGIC.match(line) or _ASSIGNED_MAGIC.match(line) or _HELP.match(line))


def _commented(line: str) -> str:
    indent = line[: len(line) - len(line.lstrip())]
    return f"{indent}pass  # {line.lstrip()}" if line.strip() else line


class _Scanner:
    """Follows strings, brackets and continuation lines, to tell where a new statement may begin.

    `tokenize` cannot do this: it gives up at the first broken line, and broken lines are why this is needed.
    """

    _TOKEN = re.compile(r"#|\\.|'''|\"\"\"|'|\"|[([{]|[)\]}]", re.DOTALL)

    def __init__(self) -> None:
        self._quote = ""
        self._depth = 0
        self._continued = False

    def may_start(self, line: str) -> bool:
        """Whether a statement may begin with `line`. A definition at the margin ends whatever bracket was left open."""
        if not self._quote and _FRESH_START.match(line):
            self._depth = 0
        return not self._quote and self._depth == 0 and not self._continued

    def feed(self, line: str) -> None:
        comment = False
        for token in self._TOKEN.findall(line):
            if self._quote:
                self._quote = "" if token.startswith(self._quote) else self._quote
            elif token == "#":
                comment = True
                break
            elif token[0] in "'\"":
                self._quote = token
            elif token in "([{":
                self._depth += 1
            elif token in ")]}":
                self._depth = max(0, self._depth - 1)
        self._continued = not comment and line.endswith("\\")
        if len(self._quote) == 1 and not self._continued:
            self._quote = ""  # a one-line string ends with its line, closed or not


def split_statements(source: str) -> tuple[Statement, ...]:
    """The top-level statements of a cell or file, magics taken out, in order.

    What does not parse becomes one Statement with `error` for each broken piece; the pieces around it are kept.
    """
    text = strip_magics(source.replace("\r\n", "\n").replace("\r", "\n"))
    lines = text.split("\n")
    try:
        return tuple(_from_tree(parse_source(text), lines))
    except SyntaxError:
        return tuple(_recovered(lines))


def _from_tree(tree: ast.Module, lines: list[str], offset: int = 0) -> Iterator[Statement]:
    for node in tree.body:
        if offset:
            ast.increment_lineno(node, offset)
        if isinstance(node, ast.Pass):
            continue  # a magic that was taken out, or nothing at all
        first = first_line(node)
        last = node.end_lineno or first
        yield Statement(
            source=_segment(lines, node, first, last),
            first_line=first,
            last_line=last,
            kind=definition_kind(node),
            names=bound_names(node),
            node=node,
        )


def _segment(lines: list[str], node: ast.stmt, first: int, last: int) -> str:
    piece = [line.encode("utf-8", "surrogatepass") for line in lines[first - 1 : last]]
    piece[-1] = piece[-1][: node.end_col_offset]
    if first == node.lineno:
        piece[0] = piece[0][node.col_offset :]
    return b"\n".join(piece).decode("utf-8", "surrogatepass")


def _recovered(lines: list[str]) -> Iterator[Statement]:
    start = 0
    for _ in range(_RESTARTS):
        for first, last in _pieces(lines, start):
            statements = _parsed(lines, first, last)
            broken = statements is None
            restart = _fresh_start(lines, first, last) if broken else None
            if restart is not None:
                yield _error(lines, first, restart)
                start = restart
                break
            yield from ([_error(lines, first, last)] if statements is None else statements)
        else:
            return
    yield _error(lines, start, len(lines))


def _pieces(lines: list[str], start: int) -> Iterator[tuple[int, int]]:
    """Ranges of lines, each from one statement at the margin to the next."""
    scanner = _Scanner()
    first: int | None = None
    after_decorator = False
    for number in range(start, len(lines)):
        line = lines[number]
        at_margin = line.strip() and not line[0].isspace() and line[0] != "#" and scanner.may_start(line)
        if at_margin and not _CONTINUES.match(line) and not after_decorator:
            if first is not None:
                yield first, number
            first = number
        if at_margin:
            after_decorator = line.startswith("@")
        scanner.feed(line)
    if first is not None:
        yield first, len(lines)
    elif any(line.strip() and not line.lstrip().startswith("#") for line in lines[start:]):
        yield start, len(lines)  # indented throughout


def _parsed(lines: list[str], first: int, last: int) -> list[Statement] | None:
    try:
        tree = parse_source("\n".join(lines[first:last]))
        return list(_from_tree(tree, lines, offset=first))
    except (SyntaxError, RecursionError):
        return None


def _fresh_start(lines: list[str], first: int, last: int) -> int | None:
    """Where, inside a piece that an open bracket or string made too long, a definition clearly begins."""
    return next((number for number in range(first + 1, last) if _FRESH_START.match(lines[number])), None)


def _error(lines: list[str], first: int, last: int) -> Statement:
    piece = "\n".join(lines[first:last]).rstrip()
    message, line = "SyntaxError: it cannot be read as Python", 1
    try:
        parse_source(piece)
    except SyntaxError as error:
        message, line = f"{type(error).__name__}: {error.msg}", error.lineno or 1
    names = re.findall(r"^(?:async\s+def|def|class)\s+([A-Za-z_]\w*)", piece, re.MULTILINE)
    return Statement(
        source=piece,
        first_line=first + 1,
        last_line=first + 1 + piece.count("\n"),
        names=tuple(dict.fromkeys(names)),
        error=message,
        error_line=min(first + line, last),
    )
