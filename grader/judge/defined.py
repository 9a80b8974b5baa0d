"""What an item asks of a submission by name, and whether the submission's text has it: the worker is not asked."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from grader.rules import source_file
from grader.rules.files import parse_file
from grader.rules.scopes import walk
from grader.worker.loading import LoadedFile

Asked = frozenset[tuple[str, str]]  # (id of a file, name in it)


def absent(probes: Iterator[Callable[..., object]], root: Path, files: Mapping[str, str]) -> str:
    """The names that probes ask for (`modules["lstm"].LSTM`), if none of them is in the submission; else ""."""
    asked = sorted({pair for probe in probes for pair in asked_by(probe)})
    if not asked or any(file not in files or has(root / files[file], name) for file, name in asked):
        return ""
    return ", ".join(f"{name} in {files[file]}" for file, name in asked)


@functools.cache
def asked_by(probe: Callable[..., object]) -> Asked:
    """What the source of a probe takes from files of the submission."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(probe)))
    except (OSError, TypeError, SyntaxError):
        return frozenset()
    return frozenset(pair for node in ast.walk(tree) if isinstance(node, ast.Attribute) for pair in _asked(node))


def _asked(node: ast.Attribute) -> Iterator[tuple[str, str]]:
    match node.value:
        case ast.Subscript(value=ast.Name(id="modules"), slice=ast.Constant(value=str(file))):
            if not hasattr(LoadedFile, node.attr):
                yield file, node.attr


def has(path: Path, name: str) -> bool:
    """Whether a file binds a name, as far as its text shows; where names are computed it may."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if re.search(rf"(?:class|def)\s+{name}\b", text):
        return True
    walked = walk(parse_file(source_file("", path.name, text)))
    if walked.scope.stars or walked.parsed.unchecked or walked.scope.bindings.keys() & {name, "__getattr__"}:
        return True
    return any(getattr(visit.node, "id", "") == "globals" for visit in walked.visits)
