"""What is changed: the reference, and the kept submissions that are correct, as students would hand them in."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.proof.kept import edited_sources, read_kept
from grader.proof.reference import lay_out

REFERENCE = ""


@dataclass(frozen=True, kw_only=True)
class Base:
    """Right code. `sources` are the edited texts of the reference's files; `folder` a whole submission instead."""

    key: str = REFERENCE
    sources: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None

    def write(self, assignment: Assignment, root: Path, sources: Mapping[str, str]) -> None:
        """Lay it out below `root`, with `sources` in the place of its own texts."""
        if self.folder is None:
            lay_out(assignment, root, {**self.sources, **sources})
            return
        shutil.copytree(self.folder, root, ignore=shutil.ignore_patterns("expect.yaml", "__pycache__"))
        for name, text in sources.items():
            (root / name).write_text(text, encoding="utf-8")

    def texts(self, assignment: Assignment) -> dict[str, str]:
        """{file: text} of the Python files that are its own: for edits of the reference the edited ones."""
        if self.folder is not None:
            return _python_below(self.folder)
        return dict(self.sources) if self.key else _python_below(assignment.reference)


def bases_of(assignment: Assignment) -> Sequence[Base]:
    """The reference first. What is kept as correct although it breaks a rule cannot be told from what must not."""
    kept = [entry for entry in read_kept(assignment.suite) if entry.kind == "correct" and not entry.breaks]
    return [
        Base(),
        *(
            Base(key=entry.name, folder=entry.path)
            if entry.path.is_dir()
            else Base(key=entry.name, sources=edited_sources(entry, assignment.reference))
            for entry in kept
        ),
    ]


def _python_below(folder: Path) -> dict[str, str]:
    found = sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in found}
