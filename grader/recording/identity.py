"""What a recording was made of: equal identities yield equal recordings, so this is the key under which one is kept."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import grader

SUBMISSIONS = "submissions"  # kept ones do not take part in judging; known mistakes have digests of their own


class Unusable(Exception):
    """A recording that cannot be judged from, and why: a part of a sentence that begins with its place."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Digests of everything that the reference run depends on.

    `arithmetic`: of what this machine computes from fixed inputs, to the last bit; `code`: of the grader's own source.
    """

    slug: str
    seed: str
    suite: str
    reference: str
    code: str
    arithmetic: str
    versions: Mapping[str, str]

    @property
    def name(self) -> str:
        """The folder below the shelf."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"{self.slug}-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def identity_from(tree: object) -> Identity:
    """From an index. Raises Unusable."""
    names = {field.name for field in fields(Identity)}
    if not isinstance(tree, dict) or set(tree) != names:
        raise Unusable("it does not say what it was made of")
    versions = tree["versions"]
    texts = [tree[name] for name in names - {"versions"}]
    if not isinstance(versions, dict) or any(type(text) is not str for text in (*texts, *versions.values())):
        raise Unusable("it does not say what it was made of")
    return Identity(**tree)


@functools.cache
def folder_digest(folder: Path, leave_out: str = "") -> str:
    """Of the names and contents of all files below a folder, caches and one folder of that name left out."""
    digest = hashlib.sha256()
    for name, content in files_below(folder, {leave_out}).items():
        digest.update(name.encode() + b"\0" + content + b"\0")
    return digest.hexdigest()[:24]


def files_below(folder: Path, leave_out: Collection[str] = ()) -> dict[str, bytes]:
    """{relative path: content} of all files, caches and the named top folders left out."""
    found: list[tuple[str, ...]] = []
    for place, inside, names in os.walk(folder):  # half of what `rglob` takes, and every `score` asks
        above = Path(place).relative_to(folder).parts
        inside[:] = [name for name in inside if name != "__pycache__" and (above or name not in leave_out)]
        found += [(*above, name) for name in names if above or name not in leave_out]
    places = {str(Path(*parts)): folder.joinpath(*parts) for parts in sorted(found)}
    return {name: path.read_bytes() for name, path in places.items() if path.is_file()}


@functools.cache
def code_digest() -> str:
    """Of the grader's own modules: what a newer one draws or computes may differ."""
    digest = hashlib.sha256()
    package = Path(grader.__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:24]
