"""Data sets copied onto a node's own disk, once: what is there already, by its checksum, is not read again.

What the source no longer has is removed.

    TARGET/<digest of the source's path>/…         the same files, read-only
    TARGET/<digest of the source's path>/.staged   {file: [size, time, SHA-256]} of the sources that were copied

Several runs may stage at once: one copies, the others wait for it. A file appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from grader.errors import GraderError

INDEX = ".staged"
BLOCK = 1 << 20

_Stamp = list[int | str]  # size, time of change in ns, SHA-256


def stage(source: Path, target: Path) -> Path:
    """The folder below `target` that now holds what `source` holds.

    Raises GraderError when a file cannot be copied, and for a source without any: a disk that is not mounted looks so.
    """
    place = target / hashlib.sha256(str(source.resolve()).encode()).hexdigest()[:16]
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o755)
        with _alone(place):
            known = _read(place)
            present = {path.relative_to(source).as_posix(): path for path in source.rglob("*") if path.is_file()}
            if not present:
                raise GraderError(f"--stage {target}: {source} holds no file; is its disk mounted on this machine?")
            _forget(place, known, known.keys() - present.keys())
            for name, path in sorted(present.items()):
                if not _is_there(path, place / name, known.get(name)):
                    known[name] = _copied(path, place / name)
                    _write(place, known)
    except OSError as error:
        what = f"{error.filename or place}: {error.strerror}"
        raise GraderError(f"--stage {target}: {what}; make room there, or leave the option out") from None
    return place


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    import fcntl

    with (place / f"{INDEX}.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(place: Path) -> dict[str, _Stamp]:
    try:
        found: dict[str, _Stamp] = json.loads((place / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # then everything is copied again
    return found


def _write(place: Path, known: dict[str, _Stamp]) -> None:
    part = place / f"{INDEX}.part"
    part.write_text(json.dumps(known), encoding="utf-8")
    part.replace(place / INDEX)


def _forget(place: Path, known: dict[str, _Stamp], gone: set[str]) -> None:
    """Remove copies of what is no longer in the source: loaders would take them for the set."""
    for name in gone:
        (place / name).unlink(missing_ok=True)
        del known[name]
    if gone:
        _write(place, known)


def _is_there(path: Path, copy: Path, known: _Stamp | None) -> bool:
    now = path.stat()
    return known is not None and known[:2] == [now.st_size, now.st_mtime_ns] and _digest(copy) == known[2]


def _copied(path: Path, copy: Path) -> _Stamp:
    """Copy one file. Raises GraderError for a copy that is another file than the source."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    part = copy.with_name(f".{copy.name}.part")
    before = path.stat()
    shutil.copyfile(path, part)
    digest = _digest(part)
    if digest != _digest(path) or path.stat().st_mtime_ns != before.st_mtime_ns:
        part.unlink()
        raise GraderError(
            f"--stage: {copy} is not what {path} is: it changes, or one of the two disks fails; try again"
        )
    part.chmod(0o444)
    part.replace(copy)
    return [before.st_size, before.st_mtime_ns, digest]


def _digest(path: Path) -> str:
    """SHA-256; "" where there is no file."""
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                found.update(block)
    except FileNotFoundError:
        return ""
    return found.hexdigest()
