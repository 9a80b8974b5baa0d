"""A worker's own small folder: where code that writes logs and checkpoints writes them, and where it runs.

Relative names must lead to what was handed in as well, so the folder has its folders and links to its files; what is
written stays here, goes with the worker and is seen by no other. Where the system lets us mount, the folder is a file
system of its own with a fixed size; elsewhere each file is limited, and the folder is removed from outside.
"""

from __future__ import annotations

import contextlib
import os
import shutil

SIZE_MIB = 32  # of everything in it; where nothing can be mounted, of one file
INODES = 8192
LINKS = 2000  # entries of a submission that are mirrored; beyond that only the first are
PREFIX = ".scratch-"
SUBMISSION, SCRATCH = "submission", "scratch"


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
