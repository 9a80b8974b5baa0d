"""Other forms in which the same file may be handed in: line ends, marks, encodings, cells, notebooks and modules."""

from __future__ import annotations

import ast
import json
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from grader.assignment.assignment import Assignment
from grader.parsing.notebooks import to_notebook_text
from grader.parsing.statements import parse_source
from grader.proof.changes.making import Change, identity
from grader.proof.reference import lay_out

BOM = b"\xef\xbb\xbf"
Files = Mapping[str, bytes | None]
Cells = list[dict[str, Any]]


def forms_of(assignment: Assignment, own: Collection[str]) -> list[Change]:
    """Every form of every file of the reference that students write (`own`, relative to the reference)."""
    with tempfile.TemporaryDirectory(prefix="grader-forms-") as folder:
        lay_out(assignment, Path(folder))
        handed = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(Path(folder).rglob("*"))
            if path.is_file()
        }
    found = []
    for name, content in handed.items():
        source = str(PurePosixPath(name).with_suffix(".py"))
        if source in own:
            forms = notebook_forms(name, content) if name.endswith(".ipynb") else module_forms(name, content)
            found += [_change(source, what, files) for what, files in forms]
    return found


def _change(file: str, what: str, files: Files) -> Change:
    return Change(
        kind="rewriting", id=identity(file, "form", what), file=file, line=1, scope="", operator=f"form: {what}",
        before="as it is", after=what, text="", files=files,
    )  # fmt: skip


def module_forms(name: str, content: bytes) -> Iterator[tuple[str, Files]]:
    """(what was done, the files) of a module."""
    text = content.decode()
    plain = re.sub(r"[^\x00-\x7f]", "?", text)
    yield "byte order mark", {name: BOM + content}
    yield "CRLF", {name: text.replace("\n", "\r\n").encode()}
    yield "CR", {name: text.replace("\n", "\r").encode()}
    yield "tabs", {name: with_tabs(text).encode()}
    yield "coding cookie utf-8", {name: f"# -*- coding: utf-8 -*-\n{text}".encode()}
    yield "coding cookie latin-1", {name: f"# -*- coding: latin-1 -*-\n# größer\n{plain}".encode("latin-1")}
    yield "coding cookie cp1251", {name: f"# -*- coding: cp1251 -*-\n# слой\n{plain}".encode("cp1251")}
    yield "byte order mark, CRLF", {name: BOM + text.replace("\n", "\r\n").encode()}
    yield "a shebang", {name: f"#!/usr/bin/env python3\n{text}".encode()}
    yield "no newline at the end", {name: text.rstrip("\n").encode()}
    yield "form feeds", {name: text.replace("\n\n\n", "\n\n\f\n").encode()}
    yield "type comments and pragmas", {name: text.replace(":\n", ":  # pylint: disable=all\n", 3).encode()}
    magics = "!pip install -q einops\n%matplotlib inline\n"
    yield "magics of an export", {name: (magics + text).encode()}
    yield "get_ipython of an export", {name: (text + "\nget_ipython().system('pip install einops')\n").encode()}
    yield "files written at import", {name: (text + WRITES).encode()}
    notebook = to_notebook_text(f"# %%\n{text}", {1: {}})
    yield "as a notebook", {name: None, str(PurePosixPath(name).with_suffix(".ipynb")): notebook.encode()}


WRITES = (
    '\nimport os as _os\n_os.makedirs("runs", exist_ok=True)\n'
    'with open("runs/log.txt", "w") as _log:\n    _log.write("started")\n'
)


def notebook_forms(name: str, content: bytes) -> Iterator[tuple[str, Files]]:
    """(what was done, the files) of a notebook."""
    text = content.decode()
    yield "byte order mark", {name: BOM + content}
    yield "CRLF in the file", {name: text.replace("\n", "\r\n").encode()}
    yield "escaped characters", {name: json.dumps(json.loads(text)).encode()}
    for what, change in CELL_FORMS.items():
        document = json.loads(text)
        document["cells"] = change(document["cells"])
        yield what, {name: json.dumps(document, ensure_ascii=False, indent=1).encode()}
    exported = str(PurePosixPath(name).with_suffix(".py"))
    cells = json.loads(text)["cells"]
    yield "exported to a module", {name: None, exported: exported_text(cells).encode()}
    yield "exported beside the notebook", {name: content, exported: exported_text(cells).encode()}


def exported_text(cells: Cells) -> str:
    """What `jupyter nbconvert --to script` makes of cells."""
    parts = ["#!/usr/bin/env python\n# coding: utf-8\n"]
    for number, cell in enumerate(cells, start=1):
        source = "".join(cell["source"])
        if cell["cell_type"] == "code":
            lines = [f"# {line}" if line.lstrip().startswith(("!", "%")) else line for line in source.split("\n")]
            parts.append(f"# In[{number}]:\n\n\n" + "\n".join(lines))
        else:
            parts.append("\n".join(f"# {line}" for line in source.split("\n")))
    return "\n\n\n".join(parts) + "\n"


def with_tabs(text: str) -> str:
    """Indentation by tabs, also inside of strings, where only docstrings are indented."""
    return re.sub(r"^(?: {4})+", lambda found: "\t" * (len(found[0]) // 4), text, flags=re.MULTILINE)


# --- cells ----------------------------------------------------------------------------------------------------


def _each_code(change: Callable[[str], str]) -> Callable[[Cells], Cells]:
    def every(cells: Cells) -> Cells:
        for cell in cells:
            if cell["cell_type"] == "code":
                cell["source"] = change("".join(cell["source"])).splitlines(keepends=True)
        return cells

    return every


def _split(cells: Cells) -> Cells:
    """A cell for each statement; what was printed stays below the last one."""
    found: Cells = []
    for cell in cells:
        pieces = _statements("".join(cell["source"])) if cell["cell_type"] == "code" else []
        for place, piece in enumerate(pieces[:-1]):
            found.append({**cell, "id": f"{cell['id']}-{place}", "source": piece, "outputs": []})
        found.append({**cell, "source": pieces[-1]} if pieces else cell)
    return _renumbered(found)


def _joined(cells: Cells) -> Cells:
    """Neighbouring cells of code as one, with all that they printed."""
    found: Cells = []
    for cell in cells:
        if found and cell["cell_type"] == "code" == found[-1]["cell_type"]:
            last = found[-1]
            last["source"] = f"{''.join(last['source'])}\n\n{''.join(cell['source'])}"
            last["outputs"] = [*last["outputs"], *cell["outputs"]]
        else:
            found.append(dict(cell))
    return _renumbered(found)


def _statements(source: str) -> list[str]:
    """The text of each top-level statement, with the comments above it."""
    try:
        body = parse_source(source).body
    except SyntaxError:
        return []
    lines = source.split("\n")
    ends = [statement.end_lineno or 0 for statement in body]
    starts = [0, *ends[:-1]]
    if len({*ends}) != len(ends) or any(isinstance(entry, ast.Expr) for entry in body[1:-1]):
        return []
    pieces = ["\n".join(lines[start:end]).strip("\n") for start, end in zip(starts, ends, strict=True)]
    if pieces and (rest := "\n".join(lines[ends[-1] :]).strip("\n")):
        pieces[-1] += f"\n{rest}"
    return pieces


def _renumbered(cells: Cells) -> Cells:
    count = 0
    for cell in cells:
        if cell["cell_type"] == "code":
            count += 1
            cell["execution_count"] = count
    return cells


def _with_extra(source: str) -> Callable[[Cells], Cells]:
    def extra(cells: Cells) -> Cells:
        cell = {"cell_type": "code", "id": "extra", "metadata": {}, "source": source, "outputs": [],
                "execution_count": 1}  # fmt: skip
        return _renumbered([cell, *cells])

    return extra


CELL_FORMS: Mapping[str, Callable[[Cells], Cells]] = {
    "CRLF in the cells": _each_code(lambda text: text.replace("\n", "\r\n")),
    "tabs": _each_code(with_tabs),
    "a cell for each statement": _split,
    "cells joined": _joined,
    "a cell of installs": _with_extra("!pip install -q torchtext\n%load_ext autoreload\n%autoreload 2"),
    "a cell that mounts a drive": _with_extra(
        "from google.colab import drive\ndrive.mount('/content/drive')\n%cd /content/drive/MyDrive/hw"
    ),
    "a cell that does not parse": _with_extra("this is a note, not code"),
    "timed cells": _each_code(lambda text: f"%%time\n{text}"),
    "a cell of questions": _with_extra("torch.nn?\n?print\n!nvidia-smi"),
    "empty cells": lambda cells: [*cells, {"cell_type": "code", "id": "empty", "metadata": {}, "source": [],
                                           "outputs": [], "execution_count": None}],
    "trailing semicolons": _each_code(lambda text: f"{text.rstrip()};" if text.rstrip().endswith(")") else text),
}  # fmt: skip
