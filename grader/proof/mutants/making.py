"""The mutants of a reference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from grader.proof.changes.making import Change, Operator, changes_in
from grader.proof.changes.source import Source
from grader.proof.mutants.operators import OPERATORS
from grader.templates.markers import BEGIN


def mutants_of(reference: Path, operators: Mapping[str, Operator] = OPERATORS) -> list[Change]:
    """All mutants of a reference's Python files, in order of file and line. Raises AuthorError for bad markers."""
    found: list[Change] = []
    for path in sorted(reference.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "__pycache__" not in path.parts and BEGIN in text:
            found += changes_in(Source(path.relative_to(reference).as_posix(), text), operators)
    return found
