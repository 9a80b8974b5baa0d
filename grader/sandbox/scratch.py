"""A worker's own small folder: where code that writes logs and checkpoints writes them, and where it runs.

Relative names must lead to what was handed in as well, so the folder has its folders and links to its files; what is
written stays here, goes with the worker and is seen by no other. Where the system lets us mount, the folder is a file
system of its own with a fixed size; elsewhere each file is limited, and the folder is removed from outside: it lies in
the submission where the worker's root directory is that, and else beside it, where another worker of the same user may
not look.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile

SIZE_MIB = 32  # of everything in it; where nothing can be mounted, of one file
INODES = 8192
LINKS = 2000  # entries of a submission that are mirrored; beyond that only the first are
PREFIX = ".scratch-"
SUBMISSION, SCRATCH = "submission", "scratch"
FAR = (1 << 31) * 1_000_000_000 - 1  # in 2038: as far as every file system can say


def make(root: str, number: int, owner: int, *, inside: bool) -> str:
    """A scratch folder in `root` or beside it, where nothing can be mounted; "" when none can be made there."""
    root = root.rstrip("/")
    folder = f"{root}/{PREFIX}{number}" if inside else f"{os.path.dirname(root)}/{PREFIX}{number}"  # noqa: PTH120
    try:
        os.mkdir(folder, 0o700)  # noqa: PTH102
        mirror(root, folder, ".." if inside else root, owner)
        never_read(root)
    except OSError:
        remove(folder)
        return ""
    return folder


def apart(root: str) -> str:
    """A scratch folder among the system's temporary ones, for a worker that nothing holds back."""
    folder = tempfile.mkdtemp(prefix="grader-")
    mirror(root, folder, os.path.realpath(root))
    return folder


def never_read(root: str) -> None:
    """Give everything below `root` an access time far ahead, which reading does not change on usual file systems.

    So no worker tells the next one by what it has read.
    """
    waiting = [root]
    while waiting:
        folder = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(PREFIX) or entry.is_symlink():
                    continue
                if entry.is_dir():
                    waiting.append(entry.path)
                else:
                    _date_ahead(entry.path)
        _date_ahead(folder)


def _date_ahead(path: str) -> None:
    with contextlib.suppress(OSError):  # it is another's
        os.utime(path, ns=(FAR, os.stat(path).st_mtime_ns))  # noqa: PTH116


def mirror(source: str, folder: str, seen: str, owner: int | None = None) -> None:
    """Make in `folder` the folders of `source`, and links to its files; `seen` is where those will lie.

    A relative `seen` counts from `folder`. Copies take the place of links where there are none (Windows).
    """
    left = LINKS
    waiting = [""]
    while waiting and left > 0:
        inner = waiting.pop(0)
        with os.scandir(f"{source}/{inner}") as entries:
            for entry in entries:
                left -= 1
                if left <= 0 or entry.name.startswith(PREFIX):
                    continue
                name = f"{inner}{entry.name}"
                if entry.is_dir(follow_symlinks=False):
                    os.mkdir(f"{folder}/{name}", 0o700)  # noqa: PTH102
                    if owner is not None:
                        os.chown(f"{folder}/{name}", owner, -1)
                    waiting.append(f"{name}/")
                elif entry.is_file(follow_symlinks=False):
                    up = "" if seen.startswith("/") else "../" * inner.count("/")
                    _link(f"{up}{seen}/{name}", f"{folder}/{name}", entry.path)
    if owner is not None:
        os.chown(folder, owner, -1)


def _link(target: str, place: str, original: str) -> None:
    try:
        os.symlink(target, place)  # noqa: PTH211
    except OSError:
        if os.name != "nt":
            raise
        shutil.copyfile(original, place)


def remove(folder: str) -> None:
    """Remove a scratch folder that was made in or beside a submission; what cannot be removed stays.

    However deep its folders are nested: what lies in a folder is moved up before the folder goes.
    """
    going = bool(folder)
    while going:
        going = False
        for path in _emptied(folder):
            going = _flattened(path, folder) or going
    if folder:
        with contextlib.suppress(OSError):
            os.rmdir(folder)  # noqa: PTH106


def _emptied(folder: str) -> list[str]:
    """The folders that lie in a folder, whose files are removed; none where it cannot be opened."""
    found = []
    _taken_over(folder)
    with contextlib.suppress(OSError):
        with os.scandir(folder) as entries:
            listed = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for path, is_folder in listed:
            if is_folder:
                found.append(path)
                continue
            with contextlib.suppress(OSError):
                os.unlink(path)  # noqa: PTH108
    return found


def _taken_over(folder: str) -> None:
    """Own a worker's folder, which it may have closed, or made so that only a file's owner may remove it."""
    if os.name != "nt":
        with contextlib.suppress(OSError):
            os.chown(folder, os.geteuid(), -1, follow_symlinks=False)
    with contextlib.suppress(OSError):
        os.chmod(folder, 0o700)  # noqa: PTH101


def _flattened(path: str, folder: str) -> bool:
    """Move the folders in `path` into `folder` and remove it; whether anything was moved or is gone."""
    changed = False
    for inner in _emptied(path):
        _taken_over(inner)  # a folder that is closed cannot be moved
        with contextlib.suppress(OSError):
            os.rename(inner, f"{folder}/{secrets.token_hex(16)}")  # noqa: PTH104
            changed = True
    with contextlib.suppress(OSError):
        os.rmdir(path)  # noqa: PTH106
        changed = True
    return changed
