"""Notebook text → cells, statements and saved outputs; percent-format source → notebook text.

Reading is tolerant, because real notebooks are damaged (merged by hand, cut by an upload, written by old tools) and
a damaged notebook still holds a student's work: what can be repaired is repaired and noted. Nothing is executed.
nbformat writes and validates what we produce; it is imported late because it takes longer than all the rest here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Literal

from grader.errors import AuthorError, SubmissionError
from grader.parsing.statements import Statement, split_statements
from grader.text import clean

CellKind = Literal["code", "markdown"]

CODE_LIMIT = 1_000_000  # characters over all code cells
CELL_LIMIT = 5_000
OUTPUT_LIMIT = 40_000  # characters kept of one cell's saved output: its beginning and its end
_TITLES = ("ename", "evalue")
_V3_IMAGES = frozenset({"png", "jpeg", "svg"})
# Of an output in several forms the first of these is what its author saw best and what can be shown without running it.
_SHOWN_FORMS = ("image/png", "image/jpeg", "image/svg+xml", "text/plain", "text/markdown", "text/latex", "text/html")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell. `number` counts from 1 over all cells; `outputs` is the cleaned text of what was saved below it."""

    number: int
    kind: CellKind
    source: str
    outputs: str = ""
    has_image: bool = False
    execution_count: int | None = None
    errors: bool = False

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """The top-level statements, magics and shell lines taken out; broken pieces carry `error`.

        They are shared: whoever changes a node copies it first.
        """
        return split_statements(self.source)


@dataclass(frozen=True, kw_only=True)
class Notebook:
    """A notebook as it was handed in. `notes` are sentences about what had to be repaired."""

    cells: tuple[Cell, ...]
    language: str = "python"
    notes: tuple[str, ...] = ()

    @property
    def code_cells(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.cells if cell.kind == "code")


@dataclass(frozen=True)
class Saved:
    """Something saved below a cell, or a picture attached to its text: pictures as base64 (SVG as text), else text."""

    form: str
    content: str


@dataclass(frozen=True, kw_only=True)
class Stale:
    """A cell whose saved output may not come from the code above it, and why."""

    cell: int
    reason: str


def read(text: str, name: str) -> Notebook:
    """The notebook in `text` (nbformat 3 or 4, repaired where needed); `name` is used in messages.

    Raises SubmissionError where there is no notebook, or more code than CODE_LIMIT or CELL_LIMIT.
    """
    document = _document(text, name)
    notes: list[str] = []
    raw = _raw_cells(document, name, notes)
    if len(raw) > CELL_LIMIT:
        raise SubmissionError(f"{name} has {len(raw):,} cells; at most {CELL_LIMIT:,} are read. Remove the empty ones.")
    cells = tuple(_cell(number, cell) for number, cell in enumerate(raw, start=1))
    size = sum(len(cell.source) for cell in cells if cell.kind == "code")
    if size > CODE_LIMIT:
        raise SubmissionError(
            f"{name} holds {size:,} characters of code; at most {CODE_LIMIT:,} are read. "
            "Is there data pasted into a code cell?"
        )
    notes += _repairs(document, raw, name)
    return Notebook(cells=cells, language=_language(document), notes=tuple(notes))


def saved(text: str, name: str) -> dict[int, tuple[Saved, ...]]:
    """What is saved below each cell and attached to it, by its number, for whoever looks at it: raw and uncapped.

    Raises SubmissionError as `read` does.
    """
    raw = _raw_cells(_document(text, name), name, [])
    return {number: found for number, cell in enumerate(raw, start=1) if (found := tuple(_saved_in(cell)))}


def _saved_in(cell: Mapping[str, object]) -> Iterator[Saved]:
    for bundle in _mapping(cell.get("attachments")).values():
        yield from _best_form(_mapping(bundle))
    for output in _mappings(cell.get("outputs")):
        old = {f"image/{'svg+xml' if key == 'svg' else key}": output[key] for key in _V3_IMAGES & output.keys()}
        best = list(_best_form({**old, **_mapping(output.get("data"))}))
        text = "" if best else _one_output(output)
        yield from best or ([Saved("text/plain", text)] if text else [])


def _best_form(bundle: Mapping[str, object]) -> Iterator[Saved]:
    forms = [Saved(form, content) for form in _SHOWN_FORMS if (content := _joined(bundle.get(form)))]
    yield from forms[:1]


def code_sources(text: str, name: str) -> tuple[tuple[int, str], ...]:
    """(number, source) of the code cells, as `read` counts them, without a look at what was saved below them.

    Raises SubmissionError as `read` does.
    """
    raw = _raw_cells(_document(text, name), name, [])
    if not raw:
        raise SubmissionError(f"{name} holds no cells. Open it in Jupyter, look whether it is the right one, save it.")
    return tuple((number, _source(cell)) for number, cell in enumerate(raw, start=1) if cell.get("cell_type") == "code")


def stale_outputs(notebook: Notebook) -> tuple[Stale, ...]:
    """Cells whose saved outputs are doubtful: run out of order, or with outputs but no execution count."""
    found = []
    latest: Cell | None = None
    for cell in notebook.code_cells:
        has_output = bool(cell.outputs.strip()) or cell.has_image
        if cell.execution_count is None:
            if has_output:
                found.append(Stale(cell=cell.number, reason="it has saved outputs but no execution count"))
            continue
        if latest is not None and cell.execution_count <= (latest.execution_count or 0):
            reason = (
                f"it was run as number {cell.execution_count}, not after cell {latest.number} above it "
                f"(number {latest.execution_count})"
            )
            found.append(Stale(cell=cell.number, reason=reason))
        if latest is None or cell.execution_count > (latest.execution_count or 0):
            latest = cell
    return tuple(found)


def not_run(notebook: Notebook) -> tuple[int, ...]:
    """Numbers of the code cells that hold code and were saved without ever having been run."""
    return tuple(
        cell.number
        for cell in notebook.code_cells
        if cell.execution_count is None and not cell.outputs and not cell.has_image and _has_code(cell.source)
    )


def _has_code(source: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in source.split("\n"))


def _document(text: str, name: str) -> Mapping[str, object]:
    try:
        document = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise SubmissionError(_why_unreadable(text, name, error)) from error
    if not isinstance(document, dict) or not ("cells" in document or "worksheets" in document):
        raise SubmissionError(f"{name} is not a Jupyter notebook: it has no cells. Save it again and hand it in.")
    return document


def _why_unreadable(text: str, name: str, error: Exception) -> str:
    head = text[:2000].lstrip().lower()
    if not head:
        return f"{name} is empty. Save the notebook again and hand it in."
    if head.startswith(("<!doctype", "<html")):
        return f"{name} is a web page, not a notebook. Download the .ipynb file itself."
    if "<<<<<<< " in text and ">>>>>>> " in text:
        return f"{name} holds unresolved merge marks (<<<<<<<). Resolve them, open the notebook once and save it."
    where = f" at line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
    return f"{name} cannot be read as a notebook: its JSON is broken{where}. Open it in Jupyter and save it again."


def _raw_cells(document: Mapping[str, object], name: str, notes: list[str]) -> list[Mapping[str, object]]:
    found = document.get("cells")
    if not isinstance(found, list):
        sheets = document.get("worksheets")
        found = [cell for sheet in _mappings(sheets) for cell in _list(sheet.get("cells"))]
        notes.append(f"{name} is in an old notebook format and was converted")
    cells = _mappings(found)
    if len(cells) < len(found):
        notes.append(f"{name}: {len(found) - len(cells)} damaged cells were left out")
    return cells


def _repairs(document: Mapping[str, object], raw: list[Mapping[str, object]], name: str) -> Iterator[str]:
    if not isinstance(document.get("metadata"), dict) or not isinstance(document.get("nbformat"), int):
        yield f"{name}: missing notebook metadata was filled in"
    ids = [cell["id"] for cell in raw if isinstance(cell.get("id"), str)]
    if len(set(ids)) < len(ids):
        yield f"{name}: {len(ids) - len(set(ids))} cells had the id of another cell and got new ones"


def _language(document: Mapping[str, object]) -> str:
    metadata = _mapping(document.get("metadata"))
    for holder, key in (("kernelspec", "language"), ("language_info", "name")):
        language = _mapping(metadata.get(holder)).get(key)
        if isinstance(language, str) and language:
            return clean(language, 40).lower()
    return "python"


def _cell(number: int, raw: Mapping[str, object]) -> Cell:
    source = _source(raw)
    if raw.get("cell_type") != "code":
        return Cell(number=number, kind="markdown", source=source)
    outputs = _mappings(raw.get("outputs"))
    count = raw.get("execution_count", raw.get("prompt_number"))
    return Cell(
        number=number,
        kind="code",
        source=source,
        outputs=_output_text(outputs),
        has_image=any(_is_image(output) for output in outputs),
        execution_count=count if isinstance(count, int) and not isinstance(count, bool) else None,
        errors=any(output.get("output_type") in ("error", "pyerr") for output in outputs),
    )


def _source(raw: Mapping[str, object]) -> str:
    return _joined(raw.get("source", raw.get("input", ""))).replace("\r\n", "\n").replace("\r", "\n")


def _output_text(outputs: list[Mapping[str, object]]) -> str:
    """The text of all outputs. Of a long one the middle is cut: what counts (a final perplexity) stands at the end."""
    texts = []
    for output in outputs:
        text = _one_output(output)
        texts.append(text if text.endswith("\n") or not text else text + "\n")
    whole = "".join(texts)
    if len(whole) <= OUTPUT_LIMIT:
        return clean(whole, OUTPUT_LIMIT).rstrip("\n")
    half = OUTPUT_LIMIT // 2
    head, tail = clean(whole[:half], half), clean(whole[-half:], half)
    return f"{head}\n… ({len(whole) - 2 * half} characters were cut here)\n{tail}".rstrip("\n")


def _one_output(output: Mapping[str, object]) -> str:
    if output.get("output_type") in ("error", "pyerr"):
        title = ": ".join(part for part in (_joined(output.get(key)) for key in _TITLES) if part)
        return "\n".join([*(_joined(line) for line in _list(output.get("traceback"))), title])
    data = _mapping(output.get("data"))
    return _joined(output.get("text") or data.get("text/plain") or "")


def _is_image(output: Mapping[str, object]) -> bool:
    data = _mapping(output.get("data"))
    return any(str(mime).startswith("image/") for mime in data) or bool(_V3_IMAGES & output.keys())


def _joined(value: object) -> str:
    if isinstance(value, str):
        return value
    return "".join(part for part in _list(value) if isinstance(part, str))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [entry for entry in _list(value) if isinstance(entry, dict)]


# --- percent format -------------------------------------------------------------------------------------------

_MARKER = re.compile(r"#\s*%%(?!%)(?P<rest>.*)$")
_MARKDOWN = re.compile(r"\[(?:markdown|md)\]")
_HIDDEN_MAGIC = re.compile(
    r"# ((?:%(?:matplotlib|pip|conda|load_ext|reload_ext|autoreload|tensorboard|config|cd|env|timeit?)\b|!\w).*)$"
)
_DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # one pixel


@dataclass(frozen=True, kw_only=True)
class PercentCell:
    """A cell of a percent-format file; `line` is that of its first source line in the file."""

    kind: CellKind
    source: str
    line: int


def percent_cells(source: str) -> tuple[PercentCell, ...]:
    """The cells of a `.py` file in percent format (`# %%`, `# %% [markdown]`), blank ones left out.

    Markdown stands in comment lines. Code before the first marker is a cell. A magic is written as a comment
    (`# %matplotlib inline`, `# !pip …`) so that the file stays Python. Raises AuthorError, with the line, for text in
    a markdown cell that is no comment.
    """
    cells = []
    kind: CellKind = "code"
    first, lines = 1, list[str]()
    for number, line in enumerate([*source.replace("\r\n", "\n").split("\n"), "# %%"], start=1):
        marker = _MARKER.match(line)
        if not marker:
            lines.append(line)
            continue
        text = _uncommented(lines, first) if kind == "markdown" else _with_magics(lines)
        if text.strip():
            lead = next(index for index, entry in enumerate(lines) if entry.strip())
            cells.append(PercentCell(kind=kind, source=text.strip("\n"), line=first + lead))
        kind = "markdown" if _MARKDOWN.search(marker["rest"]) else "code"
        first, lines = number + 1, []
    return tuple(cells)


def _uncommented(lines: list[str], first: int) -> str:
    for number, line in enumerate(lines, start=first):
        if line.strip() and not line.startswith("#"):
            raise AuthorError("text in a markdown cell must stand in comment lines; is a `# %%` missing?", line=number)
    return "\n".join(line[1:].removeprefix(" ") for line in lines)


def _with_magics(lines: list[str]) -> str:
    return "\n".join(_HIDDEN_MAGIC.sub(r"\1", line) for line in lines)


def to_notebook_text(percent_source: str, outputs: Mapping[int, Mapping[str, object] | None] | None = None) -> str:
    """The notebook (nbformat 4, as .ipynb text) of a percent-format file. Equal input gives equal bytes.

    Without `outputs` the notebook has never been run. With it, every code cell counts as run in order, and
    `outputs[number] = {"text": str, "image": bool}` is saved below the cell of that number (from 1, over all cells);
    a number mapped to None was not run. Raises AuthorError for a number that is not a code cell.
    """
    nbformat, v4 = import_module("nbformat"), import_module("nbformat.v4")
    parts = percent_cells(percent_source)
    code = {number for number, part in enumerate(parts, start=1) if part.kind == "code"}
    strangers = sorted(set(outputs or {}) - code)
    if strangers:
        raise AuthorError(f"outputs are given for cell {strangers[0]}, which is no code cell ({sorted(code)} are)")
    cells = []
    count = 0
    for number, part in enumerate(parts, start=1):
        cell_id = f"cell-{number:03d}"
        if part.kind == "markdown":
            cells.append(v4.new_markdown_cell(part.source, id=cell_id))
            continue
        saved = None if outputs is None else outputs.get(number, {})
        count += saved is not None
        run = {} if saved is None else {"execution_count": count, "outputs": _saved(saved)}
        cells.append(v4.new_code_cell(part.source, id=cell_id, **run))
    metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook = v4.new_notebook(cells=cells, metadata=metadata)
    nbformat.validate(notebook)
    return f"{nbformat.writes(notebook)}\n"


_EXPORTED_CELL = re.compile(r"#\s*(?:%%|In\s*\[[\d ]*\]:|<codecell>).*$")


def notebook_of_source(source: str) -> str:
    """The notebook of a module that was handed in for one: an export, or percent format. Every cell is code.

    A cell begins at each `# %%` and `# In[3]:`; text that an export put into comments or strings stays there.
    """
    cells: list[list[str]] = [[]]
    for line in source.split("\n"):
        if _EXPORTED_CELL.match(line):
            cells.append([])
        else:
            cells[-1].append(line)
    texts = ["\n".join(lines).strip("\n") for lines in cells]
    document = {
        "cells": [
            {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": text}
            for text in texts
            if text.strip()
        ],
        "metadata": {"language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _saved(output: Mapping[str, object]) -> list[object]:
    v4 = import_module("nbformat.v4")
    found: list[object] = []
    if output.get("text"):
        found.append(v4.new_output("stream", name="stdout", text=str(output["text"])))
    if output.get("image"):
        found.append(v4.new_output("display_data", data={"image/png": _DOT, "text/plain": "<Figure>"}))
    return found
