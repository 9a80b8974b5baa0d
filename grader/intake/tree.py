"""What lies in a folder: a flat list of entries that can be opened, nothing read yet.

Archives give the same list (`archives.py`). An entry with a `problem` refuses the one submission that it belongs to;
an entry with `left_out` is simply not taken. Nothing here writes.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from grader.errors import SubmissionError
from grader.intake.names import ODD_NAMES, checked, junk

Opener = Callable[[], IO[bytes]]
MIB = 1 << 20
LISTED_FILES = 400_000  # of a whole class; one submission has tighter limits (layout.py)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file. `path` is posix and relative; `left_out` says why it is not taken: one of LEFT_OUT.

    `origin` is where it was handed in, whatever `path` becomes on the way: the name under which its fate is told
    (a folder's ends in a slash). `modified` is its time of change as the sender's clock had it, in seconds.
    """

    path: str
    size: int
    open: Opener
    problem: str = ""
    left_out: str = ""
    note: str = ""
    origin: str = ""
    modified: float | None = None

    def moved(self, path: str) -> Entry:
        return replace(self, path=path)

    @property
    def top(self) -> str:
        return self.path.split("/", 1)[0]

    @property
    def counts(self) -> bool:
        return not self.left_out


LEFT_OUT = {
    "junk": "it is no part of the work",
    "link": "links are not followed",
    "special": "it is no ordinary file",
    "empty": "the folder is empty",
    "opened": "it was opened; what was in it is listed below",
    "odd": "its name cannot be kept: it is too long, or holds control characters",
}


def handed_in_as(entries: Iterable[Entry], place: str) -> tuple[Entry, ...]:
    """The entries with their origins: their paths below `place`."""
    return tuple(replace(entry, origin=f"{place}/{entry.path.removesuffix('.')}") for entry in entries)


def empty_folder(path: str, left_out: str = "empty") -> Entry:
    """What stands for a folder that holds nothing, or nothing that is looked at."""
    return Entry(path=f"{path}/.", size=0, open=_nothing, left_out=left_out)


def by_top(entries: Iterable[Entry]) -> dict[str, tuple[Entry, ...]]:
    """The entries grouped by the folder or file at the top that they belong to, in order of appearance."""
    grouped: dict[str, list[Entry]] = {}
    for entry in entries:
        grouped.setdefault(entry.top, []).append(entry)
    return {top: tuple(inside) for top, inside in grouped.items()}


def lone_folder(entries: Iterable[Entry]) -> str:
    """The folder around everything that counts, or ""."""
    counting = [entry for entry in entries if entry.counts]
    tops = {entry.top for entry in counting}
    return tops.pop() if len(tops) == 1 and all("/" in entry.path for entry in counting) else ""


def below(entries: tuple[Entry, ...], folder: str) -> tuple[Entry, ...]:
    """The entries inside `folder`, with paths relative to it."""
    prefix = f"{folder}/"
    return tuple(entry.moved(entry.path[len(prefix) :]) for entry in entries if entry.path.startswith(prefix))


def without_environments(entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """The entries with each virtual environment, whatever its name, replaced by one entry that is left out."""
    roots = {entry.path.removesuffix("/pyvenv.cfg") for entry in entries if entry.path.endswith("/pyvenv.cfg")}
    if not roots:
        return entries
    kept = (entry for entry in entries if roots.isdisjoint(parents_of(entry.path)))
    return (*kept, *(empty_folder(root, "junk") for root in sorted(roots)))


def parents_of(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def file_entry(path: Path, relative: str) -> Entry:
    """The entry of one file on disk; whatever is no regular file is left out."""
    status = path.lstat()
    safe, problem = checked(relative)
    left_out = "junk" if junk(safe) else _kind(status.st_mode) or ("odd" if problem in ODD_NAMES else "")
    return Entry(
        path=safe,
        size=status.st_size,
        open=lambda: _open_regular(path),
        problem=problem if not left_out else "",
        left_out=left_out,
        origin=safe,
        modified=status.st_mtime,
    )


def folder_entries(root: Path, excluded: Path) -> tuple[Entry, ...]:
    """Everything below `root` but `excluded` (the workspace, which may lie inside a student's own folder).

    Raises SubmissionError if there are more files than any class hands in.
    """
    entries: list[Entry] = []
    for entry in _walk(root, excluded.resolve()):
        entries.append(entry)
        if len(entries) > LISTED_FILES:
            raise SubmissionError(
                f"the folder holds more than {LISTED_FILES:,} files; give the folder with the work only"
            )
    return tuple(sorted(entries, key=lambda entry: entry.path))


def remove(folder: Path) -> None:
    """Remove a folder of ours and all in it, whatever rights are left on the folders inside. Raises OSError."""
    folder.chmod(0o700)
    for inside, folders, _ in os.walk(folder):  # from the top: each is opened before it is listed
        for name in folders:
            path = Path(inside, name)
            if not path.is_symlink():
                path.chmod(0o700)
    shutil.rmtree(folder)


def _walk(root: Path, excluded: Path) -> Iterator[Entry]:
    closed: list[OSError] = []
    for folder, folders, files in os.walk(root, followlinks=False, onerror=closed.append):
        here = Path(folder)
        relative = here.relative_to(root).as_posix().removeprefix(".")
        prefix = f"{relative}/" if relative else ""
        if "pyvenv.cfg" in files and relative:
            folders.clear()
            yield empty_folder(checked(relative)[0], "junk")
            continue
        for name in sorted(folders):
            path = here / name
            if path.is_symlink():
                yield file_entry(path, prefix + name)
            elif junk(name):
                yield empty_folder(checked(prefix + name)[0], "junk")
        folders[:] = sorted(name for name in folders if _enters(here / name, excluded))
        for name in sorted(files):
            yield file_entry(here / name, prefix + name)
        if relative and not (folders or files or any(here.iterdir())):
            yield empty_folder(checked(relative)[0])
    for error in closed:
        if (path := Path(error.filename)) == root:
            raise error
        yield _unreadable(path.relative_to(root).as_posix(), error)


def _unreadable(relative: str, error: OSError) -> Entry:
    """What stands for a folder that cannot be listed: it refuses the one submission that it belongs to."""
    problem = f"the folder {relative} cannot be read: {error.strerror}"
    return Entry(path=f"{checked(relative)[0]}/.", size=0, open=_nothing, problem=problem)


def _enters(folder: Path, excluded: Path) -> bool:
    return not folder.is_symlink() and not junk(folder.name) and folder.resolve() != excluded


def _nothing() -> IO[bytes]:
    raise SubmissionError("this entry is not part of the submission")


def _kind(mode: int) -> str:
    if stat.S_ISREG(mode):
        return ""
    return "link" if stat.S_ISLNK(mode) else "special"


def _open_regular(path: Path) -> IO[bytes]:
    """Opens without following a link and without waiting on a pipe, should the file have changed its kind."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(f"{path.name} is no longer a regular file")
    return os.fdopen(handle, "rb")
