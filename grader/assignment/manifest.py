"""`assignment.yaml` → `Assignment`. Errors read `file:line: what, expected`, all of them at once.

    manifest_yaml     text → nodes with lines; scalars stay text
    manifest_types    nodes → dataclasses by their annotations; the JSON schema
    manifest_checks   references, duplicates, consequences
    manifest_training training items, and the evidence file of their thresholds
    manifest_totals   declared points against the sums of the items

`grader.scoring` applies what is declared here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from grader.assignment.assignment import Assignment
from grader.assignment.checks import check_references
from grader.assignment.totals import check_totals
from grader.assignment.training import read_evidence
from grader.assignment.types import BAD, Reading, build, schema_of
from grader.assignment.yaml import Node, Table, read
from grader.errors import AuthorError

MANIFEST = "assignment.yaml"
MAX_SHOWN = 20
SHORT = (
    "checks",
    "answers",
    "wrong",
    "draw",
    "sizes",
    "train",
    "predictions",
    "numpy",
)  # keys of the short form, read by `grader.short`


class Folders(Protocol):
    """Where an assignment's three folders lie."""

    @property
    def suite(self) -> Path: ...
    @property
    def reference(self) -> Path: ...
    @property
    def template(self) -> Path: ...


def load(folders: Folders) -> Assignment:
    """Read and check `assignment.yaml` of the suite folder.

    Raises `AuthorError` that lists every problem with its line (the first 20, then a count).
    """
    path = folders.suite / MANIFEST
    return assignment_from(read(path), folders, path)


def assignment_from(root: Node, folders: Folders, path: Path) -> Assignment:
    """The assignment that the nodes of a manifest say; `path` is the file that problems are told of. As `load`."""
    reading = Reading(also=SHORT)
    given = {"suite": folders.suite, "reference": folders.reference, "template": folders.template}
    assignment = build(Assignment, root, (), reading, **given, evidence=read_evidence(folders.suite))
    stop_at(reading, path)
    assert assignment is not BAD
    check_references(assignment, reading)
    stop_at(reading, path)
    check_totals(assignment, reading)
    stop_at(reading, path)
    return assignment  # type: ignore[no-any-return]


def is_short(suite: Path) -> bool:
    """Whether a suite's manifest says anything in the short form. Raises AuthorError for a file that is no manifest."""
    root = read(suite / MANIFEST)
    return isinstance(root, Table) and any(key in SHORT for key in root.entries)


def schema() -> dict[str, Any]:
    """A JSON schema (2020-12) of `assignment.yaml`, for editors that complete and check YAML."""
    definitions: dict[str, Any] = {}
    root = schema_of(Assignment, definitions, leave_out=("suite", "reference", "template", "evidence"))
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"A grader {MANIFEST}",
        **root,
        "$defs": definitions,
    }


def stop_at(reading: Reading, path: Path) -> None:
    """Raise AuthorError with the problems found so far: later checks would only repeat what follows from them."""
    if not reading.problems:
        return
    problems = sorted(set(reading.problems))
    (line, message), *others = problems[:MAX_SHOWN]
    lines = [message, *(f"{path}:{number}: {text}" for number, text in others)]
    if len(problems) > MAX_SHOWN:
        lines.append(f"… and {len(problems) - MAX_SHOWN} more problems")
    raise AuthorError("\n".join(lines), path, line)
