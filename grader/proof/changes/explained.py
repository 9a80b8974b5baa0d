"""The changes that a suite explains: mutants that are right answers after all, rewritings that a handout forbids.

equivalent_mutants.yaml, an entry for each:

- id: 3f2a9c01d7
  mutant: "x.view(batch, -1) → x.reshape(batch, -1)"
  why: the tensor is contiguous here, so both give the same view

refused_rewritings.yaml, an entry for one by its id or for all of an operator, and what takes the points:

- operator: einsum
  within: hw3.py:Attention     # a file, or a class or function of it; left out: everywhere
  by: [bare-tensors]           # the items and rules
  why: the handout allows +, @ and softmax alone
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grader.assignment.yaml import ordinary
from grader.errors import AuthorError
from grader.proof.changes.kinds import Kind
from grader.proof.changes.making import Change

BY_ID = {"mutant": ({"id", "mutant", "why"},), "rewriting": ({"id", "rewriting", "by", "why"},)}
BY_OPERATOR = {"mutant": (), "rewriting": ({"operator", "by", "why"}, {"operator", "within", "by", "why"})}


@dataclass(frozen=True, kw_only=True)
class Explained:
    """Why a change may fare otherwise than its kind must. `text` is for people; id, or operator and place, find it."""

    why: str
    id: str = ""
    text: str = ""
    operator: str = ""
    within: str = ""
    by: tuple[str, ...] = ()

    def covers(self, change: Change) -> bool:
        """Whether this speaks of a change."""
        if self.id:
            return change.id == self.id
        return change.operator == self.operator and _is_within(change, self.within)

    def allows(self, by: str) -> bool:
        """Whether it is this item or rule that may notice the changes; without names, whatever does."""
        return not self.by or by in self.by

    def said(self) -> str:
        """Which changes it speaks of, in words."""
        return f"{self.id} ({self.text})" if self.id else f"{self.operator} within {self.within or 'every file'}"


def read_explained(suite: Path, kind: Kind) -> tuple[Explained, ...]:
    """The explanations of a suite, none if it has no such file. Raises AuthorError with the entry's number."""
    path = suite / kind.file
    if not path.exists():
        return ()
    content = ordinary(path)
    if content is None:
        return ()
    keys = BY_ID[kind.name][0]
    if not isinstance(content, list):
        raise AuthorError(f"expected a list of entries with {_listed(keys)}", path)
    found = tuple(_entry(entry, number, kind, path) for number, entry in enumerate(content, 1))
    _refuse_doubles(found, path)
    return found


def stale(explained: Sequence[Explained], made: Sequence[Change], kind: Kind) -> list[str]:
    """Explanations of changes that are not made any more."""
    return [
        f"{kind.file}: {entry.said()} is no {kind.name} of the reference any more; remove it, or look for its new id"
        for entry in explained
        if not any(entry.covers(change) for change in made)
    ]


def _entry(entry: object, number: int, kind: Kind, path: Path) -> Explained:
    forms = (*BY_ID[kind.name], *BY_OPERATOR[kind.name])
    if not isinstance(entry, Mapping) or set(entry) not in forms:
        known = ", or ".join(_listed(form) for form in forms)
        raise AuthorError(f"entry {number}: expected exactly {known}", path)
    by = entry.get("by", ["none"])
    texts = {key: str(value if value is not None else "").strip() for key, value in entry.items() if key != "by"}
    if not all(texts.values()) or not by:
        raise AuthorError(f"entry {number}: {_listed(set(entry))} must not be empty", path)
    if not isinstance(by, list):
        raise AuthorError(f"entry {number}: `by` should be a list of items and rules", path)
    named = tuple(str(name) for name in by) if "by" in entry else ()
    return Explained(text=texts.pop(kind.name, ""), by=named, **texts)


def _listed(keys: set[str]) -> str:
    order = ("id", "operator", "within", "mutant", "rewriting", "by", "why")
    *names, last = [key for key in order if key in keys]
    return f"{', '.join(names)} and {last}"


def _is_within(change: Change, place: str) -> bool:
    file, _, scope = place.partition(":")
    if file and change.file != file:
        return False
    return not scope or change.scope == scope or change.scope.startswith(f"{scope}.")


def _refuse_doubles(found: Sequence[Explained], path: Path) -> None:
    seen: set[tuple[str, str, str]] = set()
    for entry in found:
        key = (entry.id, entry.operator, entry.within)
        if key in seen:
            raise AuthorError(f"{entry.id or entry.said()} is explained twice; keep one of the entries", path)
        seen.add(key)
