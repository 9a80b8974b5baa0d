"""Honest styles of a reference: the same model, begun otherwise. Thresholds must hold for all of them.

A style changes the initial values of every class, as students do who begin otherwise than the reference.
"""

from __future__ import annotations

import ast
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.proof.changes.source import Edit, Source
from grader.proof.rewritings.operators.values import EACH, WAYS, appended, is_beginning

STYLES = {
    "tokens of standard deviation 1": (EACH, "    if value.dim() == 3:", "        torch.nn.init.normal_(value)"),
    **{name: WAYS[name] for name in ("zero biases", "Xavier", "orthogonal", "uniform", "applied")},
}


def styles_of(assignment: Assignment) -> dict[str, dict[str, str]]:
    """{style: {file of the reference: text}}; a style that changes nothing is left out."""
    paths = [Path(file.path).with_suffix(".py") for file in assignment.files if file.kind != "data"]
    found = {path.as_posix(): assignment.reference / path for path in paths}
    texts = {name: path.read_text(encoding="utf-8") for name, path in found.items() if path.is_file()}
    styles = {
        style: {name: changed for name, text in texts.items() if (changed := begun(text, name, lines)) != text}
        for style, lines in STYLES.items()
    }
    return {style: sources for style, sources in styles.items() if sources}


def begun(text: str, path: str, lines: tuple[str, ...]) -> str:
    """The file with these lines at the end of the constructor of every module that has parameters."""
    source = Source(path, text)
    constructors = [node for node in ast.walk(source.tree) if is_beginning(node, source)]
    return source.applied(Edit(tuple(appended(source, node, lines) for node in constructors)))
