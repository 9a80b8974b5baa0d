"""Where recordings are kept: folders below the user's cache, private, complete under their names from the first moment.

    <shelf>/<slug>-<key>/index.json        what it is, with the digests of the files; carries its own digest
                         contents.frames   requests, expected values, cases, the suite's source
                         mistakes.frames   values of known mistakes, added as they are needed

A reader believes no byte: what is cut short, changed or of another form is `Unusable`, and said so. Imports no torch.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from grader.recording.identity import Identity, Unusable, identity_from

FORMAT = 1
INDEX, CONTENTS, MISTAKES = "index.json", "contents.frames", "mistakes.frames"
MAX_INDEX = 16 << 20
MAX_CONTENTS = 4 << 30
KEPT_PER_SLUG = 12  # the least recently used ones go
ABANDONED_SECONDS = 3600.0

Items = Mapping[str, tuple[str, int]]  # {item: (sentence, number of cases)}


@dataclass(frozen=True, kw_only=True)
class Index:
    """What can be said of a recording without torch.

    `chance`: the numbers of the calls that depend on random streams, None
    while that is not known; `size` and `digest` are those of the contents.
    """

    identity: Identity
    items: Items
    size: int
    digest: str
    made: str = field(default_factory=lambda: date.today().isoformat())
    chance: Sequence[int] | None = None

    def text(self) -> bytes:
        """The file's content."""
        body = {"format": FORMAT, **asdict(self)}
        return json.dumps({"seal": _digest_of(body), **body}, indent=1).encode()


def read_index(folder: Path) -> Index:
    """The index of a recording. Raises Unusable."""
    try:
        with (folder / INDEX).open("rb") as file:
            tree: Any = json.loads(file.read(MAX_INDEX))
    except OSError as error:
        raise Unusable(f"its {INDEX} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise Unusable(f"its {INDEX} is cut short or no JSON") from None
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        raise Unusable(f"it is not of the form {FORMAT} that this version reads")
    if tree.pop("seal", None) != _digest_of(tree):
        raise Unusable(f"its {INDEX} was changed")
    del tree["format"]
    try:
        items = {str(name): (str(sentence), int(cases)) for name, (sentence, cases) in tree.pop("items").items()}
        index = Index(identity=identity_from(tree.pop("identity")), items=items, **tree)
        chance = index.chance if index.chance is not None else []
        known = type(index.size) is int and all(type(number) is int for number in chance)
    except (TypeError, ValueError, AttributeError, KeyError):
        known = False
    if not known or not all(isinstance(text, str) for text in (index.digest, index.made)):
        raise Unusable(f"its {INDEX} is not of the known form")
    return index


def read_contents(folder: Path, index: Index) -> bytearray:
    """The frames, unchanged since they were written. Raises Unusable."""
    try:
        with (folder / CONTENTS).open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != index.size or not 0 < size <= MAX_CONTENTS:
                raise Unusable(f"its {CONTENTS} has {size} bytes, {index.size} were written")
            raw = bytearray(size)
            count = file.readinto(raw)
    except (OSError, MemoryError) as error:
        raise Unusable(f"its {CONTENTS} cannot be read: {error}") from None
    if count != size or hashlib.sha256(raw).hexdigest() != index.digest:
        raise Unusable(f"its {CONTENTS} was changed")
    return raw


def write_index(folder: Path, index: Index) -> None:
    """Put a new index in the place of the present one. Raises OSError."""
    temporary = folder / f".{INDEX}.{secrets.token_hex(8)}"
    try:
        temporary.write_bytes(index.text())
        temporary.replace(folder / INDEX)
    finally:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True)
class Shelf:
    """The recordings below one folder of this user's."""

    root: Path

    def opened(self) -> Path:
        """The folder, made if need be. Raises OSError, also for one that others could have filled."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = self.root.stat()
        if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
            raise PermissionError(0, "it is another user's, or others may write to it", str(self.root))
        return self.root

    def names(self) -> list[str]:
        """Every recording, usable or not."""
        if not self.root.is_dir():
            return []
        return sorted(entry.name for entry in self.root.iterdir() if entry.is_dir() and entry.name[:1] != ".")

    def place(self, name: str) -> Path:
        """Where a recording lies."""
        return self.root / name

    def latest(self, slug: str, seed: str, suite: str, reference: str) -> Path | None:
        """The recording used last of these, by whatever machine and versions: whoever reads it sees whether it fits."""
        found = []
        for name in self.names():
            with contextlib.suppress(Unusable, OSError):
                made_of = read_index(self.place(name)).identity
                if (made_of.slug, made_of.seed, made_of.suite, made_of.reference) == (slug, seed, suite, reference):
                    found.append((self.place(name).stat().st_mtime, self.place(name)))
        return max(found)[1] if found else None

    def put(self, identity: Identity, items: Items, parts: Iterable[bytes | memoryview]) -> Path:
        """Write a recording; known mistakes of the one that it replaces stay. Raises OSError.

        It appears whole or not at all. Of two runs that write the same one at once, either's will do.
        """
        root = self.opened()
        target, temporary = root / identity.name, root / f".{identity.name}.{secrets.token_hex(8)}"
        try:
            temporary.mkdir(mode=0o700)
            size, digest = _written(temporary / CONTENTS, parts)
            index = Index(identity=identity, items=items, size=size, digest=digest)
            (temporary / INDEX).write_bytes(index.text())
            with contextlib.suppress(FileNotFoundError):  # none yet, or another run is replacing it
                shutil.copyfile(target / MISTAKES, temporary / MISTAKES)
            _put_in_place(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        self._tidy(identity.slug)
        return target

    def remove(self, name: str) -> None:
        """Delete a recording. Raises OSError."""
        shutil.rmtree(self.place(name))

    def _tidy(self, slug: str) -> None:
        """Delete what killed runs left, and the recordings of an assignment that nobody has used for longest."""
        with contextlib.suppress(OSError):
            for path in self.root.glob(".*"):
                if time.time() - path.stat().st_mtime > ABANDONED_SECONDS:
                    shutil.rmtree(path, ignore_errors=True)
            # The key has no dash; a slug may have.
            mine = [self.place(name) for name in self.names() if name.rpartition("-")[0] == slug]
            for path in sorted(mine, key=lambda path: path.stat().st_mtime, reverse=True)[KEPT_PER_SLUG:]:
                shutil.rmtree(path, ignore_errors=True)


def _put_in_place(temporary: Path, target: Path) -> None:
    # A folder that is not empty cannot be replaced in one step: between these two it is missing, not broken.
    old = temporary.with_name(f"{temporary.name}-old")
    with contextlib.suppress(FileNotFoundError):
        target.rename(old)
    try:
        temporary.rename(target)
    except OSError as error:
        # Another run was faster, and what it wrote is as good. It may be gone again: a third one replaces it.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


def _written(path: Path, parts: Iterable[bytes | memoryview]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with path.open("xb") as file:
        for part in parts:
            file.write(part)
            digest.update(part)
            size += len(part)
    return size, digest.hexdigest()


def _digest_of(body: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
