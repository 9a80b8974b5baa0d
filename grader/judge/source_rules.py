"""The source layer of the rules. Hostile text is parsed in an expendable process with a deadline."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.model import Violation
from grader.rules import SourceFile, check_sources, print_sites, source_file
from grader.rules.source import PrintSite, given_interfaces
from grader.sandbox import scratch
from grader.sandbox.expendable import View, told_by_a_child
from grader.templates.generate import templates_of

PARSE_SECONDS = 20.0


def source_violations(
    assignment: Assignment, root: Path, files: Mapping[str, str], template: Mapping[str, str], *, forks: bool
) -> tuple[Violation, ...]:
    """The rules that the submission's text breaks. With `forks`, found in a child that may hang or die."""
    if not assignment.rules:
        return ()
    if not forks:
        return check_sources(assignment, dict(_sources(root, files)), template)
    return _in_child(assignment, root, files, template)


def template_texts(assignment: Assignment) -> dict[str, str]:
    """{relative path: text} of the template, generated from the reference. Raises AuthorError."""
    return templates_of(assignment)


def printing_places(
    assignment: Assignment, root: Path, files: Mapping[str, str], template: Mapping[str, str]
) -> tuple[PrintSite, ...]:
    """Where the handed-in files print otherwise than the template; asked for only when something was printed."""
    given = {
        file.id: source_file(file.id, file.path, template[file.path])
        for file in assignment.files
        if file.path in template
    }
    handed_in = [file for _, file in _sources(root, files) if file.id]
    return tuple(site for file in handed_in for site in print_sites(file, given.get(file.id)))


def _in_child(
    assignment: Assignment, root: Path, files: Mapping[str, str], template: Mapping[str, str]
) -> tuple[Violation, ...]:
    """What a child finds; without a look into files that nobody asked for where it cannot get through them."""
    given_interfaces(assignment, template)  # for all children of this process
    for strays in (True, False):
        raw = _asked(assignment, root, files, template, strays)
        if raw:
            return tuple(Violation(**{**entry, "parts": tuple(entry["parts"])}) for entry in json.loads(raw))
    return tuple(_unreadable(assignment))


def _asked(
    assignment: Assignment, root: Path, files: Mapping[str, str], template: Mapping[str, str], strays: bool
) -> bytes:
    def work() -> bytes:
        found = check_sources(assignment, dict(_sources(root, files, strays)), template)
        return json.dumps([dataclasses.asdict(violation) for violation in found[:200]]).encode()

    return told_by_a_child(work, View(reads=(root,), seconds=PARSE_SECONDS))


def _unreadable(assignment: Assignment) -> Iterator[Violation]:
    """Source that nobody can look into keeps no rule: that it runs; where none demands that, what is forbidden."""
    kinds = {rule.kind for rule in assignment.rules}
    for rule in assignment.rules:
        if rule.kind == "runs" or ("runs" not in kinds and rule.kind in ("forbidden", "imports")):
            text = "The source could not be analysed: parsing it took too long or too much memory."
            yield Violation(rule=rule.id, message=text)


def _sources(root: Path, files: Mapping[str, str], strays: bool = True) -> Iterator[tuple[str, SourceFile]]:
    ids = {path: file_id for file_id, path in files.items()}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        ours = name.startswith(scratch.PREFIX)
        if path.is_file() and not path.is_symlink() and not ours:
            text = ""
            if not strays and name not in ids:
                yield name, SourceFile(id="", path=name, unread="parsing it took too long or too much memory")
                continue
            if path.suffix.lower() in (".py", ".ipynb"):
                text = path.read_text(encoding="utf-8", errors="replace")
            yield name, source_file(ids.get(name, ""), name, text)
