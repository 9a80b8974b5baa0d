"""What is inside the files that were laid out: which can be read as source, and what they define.

The guarantee for everything after intake: each `.py` and `.ipynb` that remains is UTF-8 text, and each `.py` holds no
NUL and at most SOURCE_LIMIT bytes, so that what the rules read is what Python would run (a `coding: utf-7` line could
make the two differ).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from grader.errors import SubmissionError
from grader.parsing import notebooks
from grader.parsing.statements import parse_source, split_statements

SOURCE_LIMIT = 1_000_000
_COOKIE = re.compile(rb"^([ \t\f]*#.*?coding[:=][ \t]*)([-\w.]+)")
_UTF8 = frozenset({"utf-8", "utf8", "utf-8-sig", "ascii", "us-ascii"})
# Encodings in which every ASCII byte means itself, so that no other reading of the code exists.
_LEGACY = frozenset({
    "latin-1", "iso-8859-1", "iso-8859-2", "iso-8859-8", "iso-8859-9", "iso-8859-15", "cp1250", "cp1251", "cp1252",
    "cp1254", "cp1255", "cp1256", "windows-1250", "windows-1251", "windows-1252", "windows-1255", "koi8-r", "euc-kr",
})  # fmt: skip


def source_problem(data: bytes) -> str:
    """Why these bytes cannot be taken as Python source, or "". `normalised` is to be applied first."""
    if len(data) > SOURCE_LIMIT:
        return f"it is larger than {SOURCE_LIMIT // 1_000_000} MB, which no source file is"
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return "it is saved as UTF-16; save it as UTF-8"
    if b"\0" in data:
        return "it holds NUL bytes, so it is no text"
    declared = _declared_encoding(data)
    if declared not in _UTF8:
        return f"it declares the encoding {declared[:40]}; save it as UTF-8"
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} of it is not UTF-8; save it as UTF-8"
    return ""


def notebook_problem(data: bytes) -> str:
    """Why these bytes cannot be taken as a notebook's text, or ""."""
    try:
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} of it is not UTF-8; open it in Jupyter and save it again"
    return ""


def normalised(data: bytes) -> bytes:
    """Source that declares a known old encoding, as UTF-8 with the declaration changed; everything else unchanged."""
    declared = _declared_encoding(data)
    if len(data) > SOURCE_LIMIT or declared not in _LEGACY:
        return data
    try:
        text = data.decode(declared)
    except UnicodeDecodeError:
        return data
    lines = text.encode("utf-8").split(b"\n")
    return b"\n".join([*(_COOKIE.sub(rb"\1utf-8", line) for line in lines[:2]), *lines[2:]])


def _declared_encoding(data: bytes) -> str:
    """The encoding that Python would take from the first two lines, by the same rule; `utf-8` if there is none."""
    for line in re.split(rb"\r\n|\r|\n", data[:2000], maxsplit=2)[:2]:
        found = _COOKIE.match(line.removeprefix(b"\xef\xbb\xbf"))
        if found:
            return found[2].decode("ascii", "replace").lower().replace("_", "-")
        if line.strip() and not line.strip().startswith(b"#"):
            break
    return "utf-8"


class Definitions:
    """Path → the names defined there. Each file is read once, within a budget: parsing hostile source is slow."""

    def __init__(self, root: Path, budget: int = 3 * SOURCE_LIMIT) -> None:
        self._root = root
        self._left = budget
        self._known: dict[str, frozenset[str]] = {}

    def __call__(self, path: str) -> frozenset[str]:
        if path not in self._known:
            file = self._root / path
            cost = file.stat().st_size // (20 if file.suffix.lower() == ".ipynb" else 1)  # outputs are not parsed
            self._left -= cost
            self._known[path] = defined_names(file) if self._left >= 0 else frozenset()
        return self._known[path]


def defined_names(path: Path) -> frozenset[str]:
    """Classes and functions at the top level of a `.py` file or of a notebook's cells; empty if it cannot be read."""
    try:
        text = path.read_bytes().decode("utf-8-sig", "replace")
        if path.suffix.lower() == ".ipynb":
            cells = notebooks.read(text, path.name).code_cells
            return frozenset(name for cell in cells for name in _names_in_pieces(cell.source))
        return frozenset(_names_in_file(text))
    except (OSError, SubmissionError):
        return frozenset()


def _names_in_file(text: str) -> Iterator[str]:
    try:
        tree = parse_source(text)
    except SyntaxError:
        yield from _names_at_the_margin(text)
        return
    for node in tree.body:
        yield from _definitions(node)


def _names_at_the_margin(text: str) -> Iterator[str]:
    """What a file that does not parse seems to define: cheap, since it may have been made to be slow to parse."""
    for line in text.splitlines():
        words = line.removeprefix("async ").split(maxsplit=1)
        if len(words) == 2 and words[0] in ("class", "def") and not line[0].isspace():
            name = words[1].replace("(", ":").split(":", 1)[0].strip()
            if name.isidentifier():
                yield name


def _names_in_pieces(source: str) -> Iterator[str]:
    for piece in split_statements(source):
        if piece.node is not None:
            yield from _definitions(piece.node)
        else:
            yield from piece.names


def _definitions(node: ast.stmt) -> Iterator[str]:
    """Also those under a top-level `if` or `try`, one level deep."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.If | ast.Try):
        for inner in (*node.body, *node.orelse):
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield inner.name
