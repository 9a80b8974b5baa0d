"""The reference as a submission: laid out as a student would hand it in, also with edits, for proofs and demos."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.parsing.notebooks import to_notebook_text

LEFT_OUT = (".outputs.json",)


def lay_out(assignment: Assignment, target: Path, sources: Mapping[str, str] | None = None) -> None:
    """Write the reference below `target` under the names that the manifest expects.

    `sources` replaces the texts of files (paths relative to the reference). Notebooks kept in percent format become
    notebooks with their saved outputs.
    """
    texts = dict(sources or {})
    notebooks = {
        str(Path(file.path).with_suffix(".py")): file.path for file in assignment.files if file.path.endswith(".ipynb")
    }
    for path in sorted(assignment.reference.rglob("*")):
        name = path.relative_to(assignment.reference).as_posix()
        if not path.is_file() or "__pycache__" in path.parts or name.endswith(LEFT_OUT):
            continue
        goal = target / notebooks.get(name, name)
        goal.parent.mkdir(parents=True, exist_ok=True)
        if name in notebooks:
            text = texts.get(name) or path.read_text(encoding="utf-8")
            goal.write_text(to_notebook_text(text, _outputs(path, name, texts)), encoding="utf-8")
        elif name in texts:
            goal.write_text(texts[name], encoding="utf-8")
        else:
            shutil.copyfile(path, goal)


def _outputs(path: Path, name: str, texts: Mapping[str, str]) -> dict[int, Mapping[str, object]]:
    saved = path.with_suffix(".outputs.json")
    edited = texts.get(str(Path(name).with_suffix(".outputs.json")))
    if edited is None and not saved.exists():
        return {}
    text = edited if edited is not None else saved.read_text(encoding="utf-8")
    return {int(number): output for number, output in json.loads(text).items()}
