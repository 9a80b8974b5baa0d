"""`grader recording`: which recordings are kept, what one holds, and their removal."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

from grader.commands.runs import recordings_folder
from grader.errors import EXIT_DONE, EXIT_NO, UsageError
from grader.recording.identity import Unusable
from grader.recording.shelf import INDEX, Shelf, read_contents, read_index


def show_all() -> int:
    """One line for each recording. Returns the exit code."""
    shelf = _shelf()
    places = sorted(map(shelf.place, shelf.names()), key=lambda path: path.stat().st_mtime, reverse=True)
    for place in places:
        used = time.strftime("%Y-%m-%d", time.localtime(place.stat().st_mtime))
        try:
            index = read_index(place)
            what = f"{len(index.items)} items, seed {index.identity.seed}"
        except Unusable as error:
            what = f"cannot be used: {error}"
        size = sum(path.stat().st_size for path in place.iterdir()) / (1 << 20)
        sys.stdout.write(f"{place.name}  {size:.1f} MiB, used {used}, {what}\n")
    sys.stdout.write(f"{len(places)} recording(s) in {shelf.root}\n")
    return EXIT_DONE


def show(name: str, suite: Path | None) -> int:
    """What one recording was made of and holds. Returns 1 when it is damaged."""
    place = _place(name)
    try:
        index = read_index(place)
        raw = read_contents(place, index)
    except Unusable as error:
        sys.stdout.write(f"{place} cannot be used: {error}\n")
        return EXIT_NO
    identity = index.identity
    lines = [f"{place}", f"assignment {identity.slug}, seed {identity.seed}, made {index.made}"]
    lines.append(", ".join(f"{thing} {number}" for thing, number in sorted(identity.versions.items())))
    lines.append(f"digests: suite {identity.suite}, reference {identity.reference}")
    chance = "not known yet" if index.chance is None else str(len(index.chance))
    lines.append(f"{index.size / (1 << 20):.1f} MiB; calls that depend on random streams: {chance}")
    lines += [f"  {item}: {cases} case(s). {sentence}" for item, (sentence, cases) in index.items.items()]
    sys.stdout.write("\n".join(lines) + "\n")
    if suite is not None:
        _write_suite(raw, suite)
    return EXIT_DONE


def remove(names: Sequence[str], everything: bool) -> int:
    """Delete recordings from the shelf. Returns the exit code."""
    shelf = _shelf()
    known = shelf.names()
    if not names and not everything:
        raise UsageError("name recordings, or give --all")
    if strangers := [name for name in names if name not in known]:
        raise UsageError(f"there is no recording {', '.join(strangers)} in {shelf.root}; see `grader recording list`")
    for name in known if everything else names:
        try:
            shelf.remove(name)
        except OSError as error:
            raise UsageError(f"{shelf.place(name)} cannot be deleted: {error.strerror}") from None
        sys.stdout.write(f"removed {name}\n")
    return EXIT_DONE


def _shelf() -> Shelf:
    try:
        return Shelf(recordings_folder())
    except RuntimeError as error:
        raise UsageError(f"there is no place for recordings: {error}; set XDG_CACHE_HOME") from None


def _place(name: str) -> Path:
    shelf = _shelf()
    if name in shelf.names():
        return shelf.place(name)
    if (Path(name) / INDEX).exists():
        return Path(name)
    raise UsageError(f"there is no recording {name!r} in {shelf.root}, and no folder that holds one")


def _write_suite(raw: bytearray, target: Path) -> None:
    from grader.recording.contents import suite_of
    from grader.wire.frames import WireError

    if target.exists():
        raise UsageError(f"{target} exists; name a new folder for the suite")
    try:
        files = suite_of(raw)
    except WireError as error:
        raise UsageError(f"the recording's suite cannot be read: {error}") from None
    for name, content in files.items():
        path = target / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    sys.stdout.write(f"{len(files)} files of the suite are in {target}\n")
