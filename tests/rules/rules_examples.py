"""Small assignments and submissions for the rules' tests."""

from __future__ import annotations

import textwrap
from decimal import Decimal
from pathlib import Path

from grader.assignment.assignment import Assignment, ExpectedFile, Rule
from grader.model import Violation
from grader.rules import SourceFile, check_sources

FILES = (
    ExpectedFile(id="lstm", path="models/lstm.py"),
    ExpectedFile(id="encoder", path="models/encoder.py"),
    ExpectedFile(id="nb", path="hw.ipynb", kind="notebook"),
)


def assignment(*rules: Rule, files: tuple[ExpectedFile, ...] = FILES) -> Assignment:
    return Assignment(
        slug="a",
        title="A",
        suite=Path("s"),
        reference=Path("r"),
        template=Path("t"),
        total=Decimal(1),
        files=files,
        questions=(),
        parts=(),
        items=(),
        rules=rules,
    )


def python(text: str, file_id: str = "lstm", path: str = "models/lstm.py") -> SourceFile:
    return SourceFile(id=file_id, path=path, text=textwrap.dedent(text).lstrip("\n"))


def check(rule: Rule, *files: SourceFile, template: dict[str, str] | None = None) -> tuple[Violation, ...]:
    return check_sources(assignment(rule), {file.path: file for file in files}, template or {})


NO_LSTM = Rule(
    id="no-lstm",
    kind="forbidden",
    title="no library LSTM",
    files=("lstm",),
    names=("torch.nn.LSTM", "torch.nn.LSTMCell"),
)
