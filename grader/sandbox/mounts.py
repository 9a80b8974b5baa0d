"""Linux only: a worker's scratch folder as a file system of its own, with a fixed size, that ends with the worker."""

from __future__ import annotations

import ctypes
import os

from grader.sandbox import scratch

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_NOATIME = 1024  # what one worker reads, the next one does not see
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18

libc = ctypes.CDLL(None, use_errno=True)


def mount_scratch(root: str, owner: int) -> bool:
    """Put a file system of its own over `root`: `submission/`, which is what lay there, and `scratch/`.

    The process must have a mount namespace of its own; nobody else sees it. False when nothing can be mounted.
    """
    options = f"size={scratch.SIZE_MIB}m,nr_inodes={scratch.INODES},mode=755"
    os.chdir(root)  # the way to what is about to be covered
    if not _mounted(None, "/", None, MS_REC | MS_PRIVATE):
        return False
    if not _mounted("tmpfs", root, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options):
        return False
    inside, folder = f"{root.rstrip('/')}/{scratch.SUBMISSION}", f"{root.rstrip('/')}/{scratch.SCRATCH}"
    os.mkdir(inside)  # noqa: PTH102 - pathlib may not be imported here yet
    if not _mounted(".", inside, None, MS_BIND):
        raise OSError(ctypes.get_errno(), "the submission could not be mounted beside its scratch folder")
    _mounted(
        None, inside, None, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOATIME
    )  # Landlock is there besides
    os.mkdir(folder, 0o700)  # noqa: PTH102
    scratch.mirror(inside, folder, f"/{scratch.SUBMISSION}", owner)
    return True


def _mounted(source: str | None, target: str, kind: str | None, flags: int, options: str = "") -> bool:
    texts = [None if text is None else text.encode() for text in (source, target, kind)]
    return int(libc.mount(*texts, ctypes.c_ulong(flags), options.encode() or None)) == 0
