"""Small assignments, and submissions in every form in which courses deliver them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path

from grader.assignment.assignment import Assignment, ExpectedFile, Late, Track
from grader.model import Refused, Submission

Files = Mapping[str, str | bytes]
Taker = Callable[..., list[Submission | Refused]]

LSTM = "class LSTM:\n    pass\n"
TRANSFORMER = "class Transformer:\n    pass\n\ndef seed_torch():\n    pass\n"
NOTEBOOK = '{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
GOOD: Files = {"models/naive/LSTM.py": LSTM, "models/Transformer.py": TRANSFORMER, "Main.ipynb": NOTEBOOK}
GOOD_FILES = {"lstm": "models/naive/LSTM.py", "transformer": "models/Transformer.py", "nb": "Main.ipynb"}


def make_assignment(*files: ExpectedFile, due: str | None = None) -> Assignment:
    return Assignment(
        slug="hw",
        title="Homework",
        suite=Path("suite"),
        reference=Path("reference"),
        template=Path("template"),
        total=Decimal(1),
        files=files,
        questions=(),
        parts=(),
        items=(),
        tracks=(Track(id="grad", title="graduates", points=Decimal(1)),),
        late=Late(due=due, grace_hours=1),
    )


COURSE = make_assignment(
    ExpectedFile(id="lstm", path="models/naive/LSTM.py", defines=("LSTM",)),
    ExpectedFile(
        id="transformer",
        path="models/Transformer.py",
        defines=("Transformer", "seed_torch"),
        other_names=("transformer_solution.py",),
    ),
    ExpectedFile(id="nb", path="Main.ipynb", kind="notebook"),
    due="2024-03-22T23:00:00-04:00",
)
PAIRS = make_assignment(ExpectedFile(id="nb", path="hw3.ipynb", kind="notebook"))


def put(root: Path, files: Files) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def pack(path: Path, files: Files) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def zipped(files: Files, folder: Path) -> bytes:
    return pack(folder / "inner.zip", files).read_bytes()


def snapshot(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
