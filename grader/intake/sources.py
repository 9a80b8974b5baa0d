"""What is inside the files that were laid out: which can be read as source, and what they define.

The guarantee for everything after intake: source is decoded once, here. Each `.py` and `.ipynb` that remains is UTF-8
without a byte-order mark, each `.py` has Unix line ends, no NUL, no declaration of another encoding and at most
SOURCE_LIMIT bytes, and each `.ipynb` can be read as a notebook: what the rules read is what a worker compiles.
"""

from __future__ import annotations

import ast
import codecs
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from grader.errors import SubmissionError
from grader.parsing import notebooks
from grader.parsing.cheap import Assignment, leaves
from grader.parsing.statements import bound_names, is_constant, parse_source, split_statements

SOURCE_LIMIT = 1_000_000
_COOKIE = re.compile(rb"^([ \t\f]*#.*?coding[:=][ \t]*)([-\w.]+)")
_UTF8 = frozenset({"utf-8", "ascii"})
# Encodings in which every ASCII byte means itself, so that no other reading of the code exists.
_LEGACY = frozenset({
    *(f"iso8859-{number}" for number in range(1, 17)), *(f"cp{number}" for number in range(1250, 1259)),
    "koi8-r", "koi8-u", "mac-roman", "euc_jp", "euc_kr", "cp437", "cp850", "cp866", "tis-620",
})  # fmt: skip
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Source:
    """A source file's text as it is kept, or why it cannot be ("" where it can); `note` says what was changed."""

    data: bytes = b""
    problem: str = ""
    note: str = ""


def read_source(data: bytes) -> Source:
    """Python source as every later stage sees it, decoded by Python's own rules."""
    if len(data) > SOURCE_LIMIT:
        return Source(problem=f"it is larger than {SOURCE_LIMIT // 1_000_000} MB, which no source file is")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return Source(problem="it is saved as UTF-16, which Python cannot read; save it as UTF-8")
    if b"\0" in data:
        return Source(problem="it holds NUL bytes, so it is no text")
    declared = _declared_encoding(data)
    encoding = _known_name(declared)
    plain = data.removeprefix(_BOM)
    if encoding not in _UTF8 | _LEGACY or (len(plain) < len(data) and encoding not in _UTF8):
        return Source(problem=f"it declares the encoding {declared[:40]}; save it as UTF-8")
    try:
        text = plain.decode("utf-8" if encoding in _UTF8 else encoding)
    except UnicodeDecodeError as error:
        line = plain.count(b"\n", 0, error.start) + 1
        kind = "UTF-8" if encoding in _UTF8 else declared
        where = f"byte {error.start + 1} of it (line {line})"
        return Source(problem=f"{where} is not {kind}, so Python cannot read it; save it as UTF-8")
    kept = text.encode("utf-8").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if declared in ("utf-8", "utf8"):
        return Source(kept)
    lines = kept.split(b"\n")
    changed = b"\n".join([*(_COOKIE.sub(rb"\1utf-8", line) for line in lines[:2]), *lines[2:]])
    return Source(changed, note="" if encoding in _UTF8 else "was converted to UTF-8")


def read_notebook(data: bytes, name: str) -> Source:
    """A notebook's text as every later stage sees it."""
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8"
    try:
        text = data.removeprefix(_BOM).decode(encoding)
        notebooks.read(text, name)
    except UnicodeDecodeError as error:
        why = f"byte {error.start + 1} of it is not UTF-8; open it in Jupyter and save it again"
        return Source(problem=why)
    except SubmissionError as error:
        return Source(problem=str(error))
    return Source(text.encode("utf-8"), note="was converted to UTF-8" if encoding != "utf-8" else "")


def _known_name(declared: str) -> str:
    """The one name of an encoding that has many: as Python does it for source, then by its own table."""
    if re.match(r"utf-?8($|-)", declared):
        return "utf-8"
    plain = re.sub(r"-(?:unix|dos|mac)$", "", declared)  # what Emacs writes for line ends
    plain = "iso-8859-1" if re.match(r"(latin-1|iso-8859-1|iso-latin-1)($|-)", plain) else plain
    try:
        return codecs.lookup(plain).name
    except LookupError:
        return declared


def _declared_encoding(data: bytes) -> str:
    """The encoding that Python would take from the first two lines, by the same rule; `utf-8` if there is none."""
    for line in re.split(rb"\r\n|\r|\n", data, maxsplit=2)[:2]:  # however long the first one is
        found = _COOKIE.match(line.removeprefix(_BOM))
        if found:
            return found[2].decode("ascii", "replace").lower().replace("_", "-")
        if line.strip() and not line.strip().startswith(b"#"):
            break
    return "utf-8"


Defined = Mapping[str, bool]


class Definitions:
    """Path → the names defined there, and whether something was written for them; a hole of the template was not.

    Each file is read once, within a budget: parsing hostile source is slow.
    """

    def __init__(self, root: Path, budget: int = 3 * SOURCE_LIMIT) -> None:
        self._root = root
        self._left = budget
        self._known: dict[str, Defined] = {}

    def __call__(self, path: str) -> Defined:
        if path not in self._known:
            self._known[path] = definitions_of(self._root / path) if self._affords(path) else {}
        return self._known[path]

    def passed_on(self, path: str, names: Collection[str], paths: Sequence[str]) -> int:
        """How many of `names` a file binds without defining them: it assigns them, or imports them.

        What comes from one of `paths` where it is a hole of the template is not passed on.
        """
        bound = passed_on_by(self._root / path) if self._affords(path) else {}
        return sum(self._is_given(bound, name, paths) for name in names)

    def _is_given(self, bound: Mapping[str, tuple[str, str]], name: str, paths: Sequence[str]) -> bool:
        modules = {bound[name][0]} if name in bound else {module for module, taken in bound.values() if taken == "*"}
        original = bound[name][1] if name in bound else name
        leads = [path for path in paths if any(module and _is_called(path, module) for module in modules)]
        there = [self(path)[original] for path in leads if original in self(path)]
        if there or name in bound:
            return any(there) or not there
        return any(self.passed_on(path, [name], [other for other in paths if other != path]) for path in leads)

    def _affords(self, path: str) -> bool:
        file = self._root / path
        self._left -= file.stat().st_size // (20 if file.suffix.lower() == ".ipynb" else 1)  # outputs are not parsed
        return self._left >= 0


def _is_called(path: str, module: str) -> bool:
    file = PurePosixPath(path)
    return (file.parent.name if file.name == "__init__.py" else file.stem) == module.rpartition(".")[2]


def passed_on_by(path: Path) -> Mapping[str, tuple[str, str]]:
    """Name → the module and the name that it is imported from, ("", "") where it is assigned.

    A star import is `*module`. The last binding counts: a name that is defined afterwards is not passed on. Empty if
    the file cannot be read.
    """
    found: dict[str, tuple[str, str]] = {}
    try:
        text = path.read_bytes().decode("utf-8-sig", "replace")
        is_notebook = path.suffix.lower() == ".ipynb"
        sources = [cell.source for cell in notebooks.read(text, path.name).code_cells] if is_notebook else [text]
    except (OSError, SubmissionError):
        return {}
    for node in leaves(piece.node for source in sources for piece in split_statements(source) if piece.node):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found |= {a.asname or (a.name + module if a.name == "*" else a.name): (module, a.name) for a in node.names}
        elif isinstance(node, Assignment) and not (node.value is None or isinstance(node.value, ast.Constant)):
            found |= dict.fromkeys(bound_names(node), ("", ""))
        else:
            found = {name: source for name, source in found.items() if name not in bound_names(node)}
    return found


def definitions_of(path: Path) -> Defined:
    """Classes and functions at the top level of a `.py` file or of a notebook's cells; empty if it cannot be read."""
    try:
        text = path.read_bytes().decode("utf-8-sig", "replace")
        if path.suffix.lower() == ".ipynb":
            cells = notebooks.read(text, path.name).code_cells
            return dict(pair for cell in cells for pair in _names_in_pieces(cell.source))
        return dict(_names_in_file(text))
    except (OSError, SubmissionError):
        return {}


def _names_in_file(text: str) -> Iterator[tuple[str, bool]]:
    try:
        tree = parse_source(text)
    except SyntaxError:
        yield from _names_at_the_margin(text)
        return
    for node in tree.body:
        yield from _definitions(node)


def _names_at_the_margin(text: str) -> Iterator[tuple[str, bool]]:
    """What a file that does not parse seems to define: cheap, since it may have been made to be slow to parse."""
    for line in text.splitlines():
        words = line.removeprefix("async ").split(maxsplit=1)
        if len(words) == 2 and words[0] in ("class", "def") and not line[0].isspace():
            name = words[1].replace("(", ":").split(":", 1)[0].strip()
            if name.isidentifier():
                yield name, True


def _names_in_pieces(source: str) -> Iterator[tuple[str, bool]]:
    for piece in split_statements(source):
        if piece.node is not None:
            yield from _definitions(piece.node)
        else:
            yield from ((name, False) for name in piece.names)


def _definitions(node: ast.stmt) -> Iterator[tuple[str, bool]]:
    """Also those under a top-level `if` or `try`, one level deep."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name, _is_filled(node)
    elif isinstance(node, ast.If | ast.Try):
        for inner in (*node.body, *node.orelse):
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield inner.name, _is_filled(inner)


def _is_filled(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """Whether a body holds more than documentation, `pass`, `...`, `return None` and "not implemented".

    What is given around a hole is nobody's work: as long as a method still ends in "not implemented", a class is not
    filled.
    """
    body = [step for step in node.body if not isinstance(step, ast.Pass) and not is_constant(step)]
    if isinstance(node, ast.ClassDef):
        methods = [step for step in body if isinstance(step, ast.FunctionDef | ast.AsyncFunctionDef)]
        filled = any(_is_filled(method) for method in methods) if methods else bool(body)
        return filled and not any(map(_is_open, methods))
    return any(not _is_hole(step) for step in body) and not _is_open(node)


def _is_open(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether it reaches a "not implemented" that nothing leads around."""
    ends = (step for step in function.body if isinstance(step, ast.Raise | ast.Return))
    end = next(ends, None)
    return isinstance(end, ast.Raise) and _is_hole(end)


def _is_hole(step: ast.stmt) -> bool:
    if isinstance(step, ast.Raise):
        raised = step.exc.func if isinstance(step.exc, ast.Call) else step.exc
        return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
    return isinstance(step, ast.Return) and (
        step.value is None or (isinstance(step.value, ast.Constant) and step.value.value is None)
    )
