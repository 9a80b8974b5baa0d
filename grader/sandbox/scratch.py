"""A worker's own small folder: where code that writes logs and checkpoints writes them, and where it runs.

Relative names must lead to what was handed in as well, so the folder has its folders and links to its files; what is
written stays here, goes with the worker and is seen by no other. Where the system lets us mount, the folder is a file
system of its own with a fixed size; elsewhere each file is limited, and the folder is removed from outside.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil

SIZE_MIB = 32  # of everything in it; where nothing can be mounted, of one file
INODES = 8192
LINKS = 2000  # entries of a submission that are mirrored; beyond that only the first are
PREFIX = ".scratch-"
SUBMISSION, SCRATCH = "submission", "scratch"

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18

libc = ctypes.CDLL(None, use_errno=True) if os.name == "posix" else None


def mount(root: str, owner: int) -> bool:
    """Put a file system of its own over `root`: `submission/`, which is what lay there, and `scratch/`.

    The process must have a mount namespace of its own; nobody else sees it. False when nothing can be mounted.
    """
    options = f"size={SIZE_MIB}m,nr_inodes={INODES},mode=755"
    os.chdir(root)  # the way to what is about to be covered
    if not _mounted(None, "/", None, MS_REC | MS_PRIVATE):
        return False
    if not _mounted("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options):
        return False
    inside, folder = f"{root.rstrip('/')}/{SUBMISSION}", f"{root.rstrip('/')}/{SCRATCH}"
    os.mkdir(inside)  # noqa: PTH102 - pathlib may not be imported here yet
    if not _mounted(".", inside, None, MS_BIND):
        raise OSError(ctypes.get_errno(), "the submission could not be mounted beside its scratch folder")
    _mounted(None, inside, None, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV)  # Landlock is there besides
    os.mkdir(folder, 0o700)  # noqa: PTH102
    mirror(inside, folder, f"/{SUBMISSION}", owner)
    return True


def _mounted(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> bool:
    assert libc is not None
    texts = [None if text is None else text.encode() for text in (source, target, kind)]
    return int(libc.mount(*texts, ctypes.c_ulong(flags), options.encode() or None)) == 0


def make(root: str, number: int, owner: int) -> str:
    """A scratch folder inside `root`, where nothing can be mounted; "" when none can be made there."""
    folder = f"{root.rstrip('/')}/{PREFIX}{number}"
    try:
        os.mkdir(folder, 0o700)  # noqa: PTH102
        mirror(root, folder, "..", owner)
    except OSError:
        remove(folder)
        return ""
    return folder


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
    """Remove a scratch folder that was made in or beside a submission; what cannot be removed stays."""
    if folder:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder, ignore_errors=True)
