"""Kept submissions: honest ones, known mistakes and hostile ones, with what they must earn.

A known mistake is one YAML file of edits of the reference. Its `find` must match exactly once, so that a change of the
reference that outdates it is an author's error and not a silent pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from grader.assignment.yaml import ordinary
from grader.errors import AuthorError

KeptKind = Literal["correct", "wrong", "hostile", "former"]
FORMER = "submissions/former"
KEYS = {"title", "edits", "fails", "also", "follows", "hint", "message", "breaks", "equivalent", "passes"}
KEYS |= {"several", "trains"}


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One replacement in one file of the reference."""

    file: str
    find: str
    replace: str


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A kept submission: either edits of the reference or a folder.

    `fails`: the item that charges the mistake (wrong), or those whose evidence it lacks (correct); `also`: further
    items that it takes points from, each with the reason; `follows`: items that differ by the same mistake and charge
    nothing, because the judge knows it there by its values. A wrong one fails exactly these. `passes`: exactly
    those that it must pass (hostile); `hint`: the sentence that names the mistake to every student whose numbers
    are the same; `message`: a part of what the test itself must say; `breaks`: the rules that it must break;
    `equivalent`: why the change is a correct answer after all; `trains`: all training items are run, not only those
    that it names; `several`: it holds more than one mistake, so that it may fail as many items.
    """

    name: str
    kind: KeptKind
    path: Path
    title: str
    edits: tuple[Edit, ...] = ()
    fails: tuple[str, ...] = ()
    also: Mapping[str, str] = field(default_factory=dict)
    follows: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    hint: str = ""
    message: str = ""
    breaks: tuple[str, ...] = ()
    equivalent: str = ""
    trains: bool = False
    several: bool = False

    @property
    def charged(self) -> tuple[str, ...]:
        """All items that it takes points from."""
        return (*self.fails, *self.also)


def read_kept(suite: Path) -> tuple[Kept, ...]:
    """All kept submissions of a suite. Raises AuthorError."""
    found: list[Kept] = []
    kinds: tuple[KeptKind, ...] = ("correct", "wrong", "hostile")
    for kind in kinds:
        folder = suite / "submissions" / kind
        if not folder.is_dir():
            continue
        for path in sorted(folder.iterdir()):
            if path.name.startswith((".", "_")):
                continue
            if path.suffix in (".yaml", ".yml"):
                found.append(_from_yaml(path, kind, path.stem))
            elif path.is_dir():
                expectation = path / "expect.yaml"
                if expectation.exists():
                    found.append(_from_yaml(expectation, kind, path.name, path))
                else:
                    found.append(Kept(name=path.name, kind=kind, path=path, title=path.name.replace("_", " ")))
    return tuple(found)


def former_of(suite: Path, changed: Sequence[str]) -> tuple[Kept, ...]:
    """Last year's reference, if it is kept, which must fail what was changed since. Raises AuthorError without it."""
    path = suite / FORMER
    if not path.is_dir():
        if changed:
            raise AuthorError(f"former: put last year's reference into {FORMER}/, or drop `changed`", suite)
        return ()
    return (Kept(name="reference", kind="former", path=path, title="last year's reference", fails=tuple(changed)),)


def edited_sources(kept: Kept, reference: Path) -> dict[str, str]:
    """The texts of the edited files. Raises AuthorError when an edit does not match exactly once."""
    texts: dict[str, str] = {}
    for edit in kept.edits:
        path = reference / edit.file
        if edit.file not in texts:
            if not path.is_file():
                raise AuthorError(f"the reference has no file {edit.file!r}", kept.path)
            texts[edit.file] = path.read_text(encoding="utf-8")
        count = texts[edit.file].count(edit.find)
        if count != 1:
            raise AuthorError(
                f"{edit.file}: expected exactly one place with {edit.find[:100]!r}, found {count}; "
                "the reference has changed, or the text to find is too short",
                kept.path,
            )
        texts[edit.file] = texts[edit.file].replace(edit.find, edit.replace)
    return texts


def _from_yaml(path: Path, kind: KeptKind, name: str, folder: Path | None = None) -> Kept:
    content = ordinary(path)
    if not isinstance(content, dict):
        raise AuthorError("expected a mapping with title and edits", path)
    if unknown := sorted(set(content) - KEYS):
        raise AuthorError(f"unknown key(s) {', '.join(map(str, unknown))}; known are {', '.join(sorted(KEYS))}", path)
    edits = tuple(_edit(entry, path) for entry in content.get("edits") or ())
    kept = Kept(
        name=name,
        kind=kind,
        path=folder or path,
        title=str(content.get("title", name)),
        edits=edits,
        fails=_names(content, "fails", path),
        also=_reasons(content, path),
        follows=_names(content, "follows", path),
        passes=_names(content, "passes", path),
        hint=str(content.get("hint") or ""),
        message=str(content.get("message") or ""),
        breaks=_names(content, "breaks", path),
        equivalent=str(content.get("equivalent") or ""),
        trains=content.get("trains") is True,
        several=content.get("several") is True,
    )
    if kind == "wrong" and not (kept.fails or kept.equivalent or kept.breaks):
        raise AuthorError("a wrong submission must name the items that it fails, or say why it is equivalent", path)
    if kept.follows and not (kept.fails and kept.hint):
        raise AuthorError("follows: needs an item in fails and the hint by which the mistake is known", path)
    return kept


def _edit(entry: object, path: Path) -> Edit:
    if not isinstance(entry, Mapping) or set(entry) != {"file", "find", "replace"}:
        raise AuthorError("each edit needs exactly file, find and replace", path)
    return Edit(file=str(entry["file"]), find=str(entry["find"]), replace=str(entry["replace"]))


def _reasons(content: Mapping[str, object], path: Path) -> dict[str, str]:
    value = content.get("also") or {}
    if not isinstance(value, Mapping) or not all(isinstance(why, str) and why.strip() for why in value.values()):
        raise AuthorError("also: expected {item: why it costs points as well}", path)
    return {str(name): str(why) for name, why in value.items()}


def _names(content: Mapping[str, object], key: str, path: Path) -> tuple[str, ...]:
    value = content.get(key) or []
    if not isinstance(value, list):
        raise AuthorError(f"{key}: expected a list of ids", path)
    return tuple(str(entry) for entry in value)
