"""`equivalent_mutants.yaml` of a suite: mutants that are correct answers after all, each with its reason.

- id: 3f2a9c01d7
  mutant: "x.view(batch, -1) → x.reshape(batch, -1)"
  why: the tensor is contiguous here, so both give the same view
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from grader.errors import AuthorError

FILE = "equivalent_mutants.yaml"
KEYS = {"id", "mutant", "why"}


@dataclass(frozen=True, kw_only=True)
class Explained:
    """Why a mutant may survive. `mutant` is text for people; the id alone finds it."""

    id: str
    mutant: str
    why: str


def read_explained(suite: Path) -> tuple[Explained, ...]:
    """The explanations of a suite, none if it has no such file. Raises AuthorError with the entry's number."""
    path = suite / FILE
    if not path.exists():
        return ()
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AuthorError(f"not readable as YAML: {error}", path) from error
    if content is None:
        return ()
    if not isinstance(content, list):
        raise AuthorError("expected a list of entries with id, mutant and why", path)
    found = tuple(_entry(entry, number, path) for number, entry in enumerate(content, 1))
    _refuse_doubles(found, path)
    return found


def stale(explained: Sequence[Explained], ids: set[str]) -> list[str]:
    """Explanations of mutants that the reference no longer has."""
    return [
        f"{FILE}: {entry.id} ({entry.mutant}) is no mutant of the reference any more; remove it, or look for its new id"
        for entry in explained
        if entry.id not in ids
    ]


def _entry(entry: object, number: int, path: Path) -> Explained:
    if not isinstance(entry, Mapping) or set(entry) != KEYS:
        raise AuthorError(f"entry {number}: expected exactly id, mutant and why", path)
    texts = {key: str(entry[key] if entry[key] is not None else "").strip() for key in KEYS}
    if not all(texts.values()):
        raise AuthorError(f"entry {number}: id, mutant and why must not be empty", path)
    return Explained(**texts)


def _refuse_doubles(found: Sequence[Explained], path: Path) -> None:
    seen: set[str] = set()
    for entry in found:
        if entry.id in seen:
            raise AuthorError(f"{entry.id} is explained twice; keep one of the entries", path)
        seen.add(entry.id)
