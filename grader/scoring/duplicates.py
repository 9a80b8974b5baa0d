"""Submissions of different people that are the same: byte by byte, or in the code that their authors wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grader.assignment.assignment import Assignment
from grader.model import Graded
from grader.wording import listed


def duplicates(graded: Sequence[Graded], assignment: Assignment) -> dict[str, tuple[str, ...]]:
    """Key → sentences for staff. What everybody was given is not in the fingerprints, so it is no likeness."""
    by_digest: dict[str, set[str]] = {}
    by_print: dict[tuple[str, str], set[str]] = {}
    for entry in graded:
        if entry.prints:
            by_digest.setdefault(entry.digest, set()).add(entry.owner)
        for file, mark in entry.prints.items():
            by_print.setdefault((file, mark), set()).add(entry.owner)
    names = {file.id: file.path for file in assignment.files}
    return {entry.key: tuple(_sentences(entry, by_digest, by_print, names)) for entry in graded if entry.prints}


def _sentences(
    entry: Graded,
    by_digest: Mapping[str, set[str]],
    by_print: Mapping[tuple[str, str], set[str]],
    names: Mapping[str, str],
) -> list[str]:
    same = by_digest[entry.digest] - {entry.owner}
    found = [f"Its files are byte by byte those of {listed(sorted(same))}."] if same else []
    alike: dict[tuple[str, ...], list[str]] = {}
    for file, mark in entry.prints.items():
        others = by_print[file, mark] - {entry.owner} - same
        if others:
            alike.setdefault(tuple(sorted(others)), []).append(names.get(file, file))
    found += [
        f"Its own code in {', '.join(files)} is that of {listed(others)}, but for comments and layout."
        for others, files in alike.items()
    ]
    return found
