"""Linux only: what keeps one worker apart from another and from other runs: its user, and its table of processes."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
from collections.abc import Sequence
from pathlib import Path

CLONE_NEWPID = 0x2000_0000
UIDS = 4096  # workers of a run that have users of their own, before numbers come again
BEYOND_PEOPLE = 1 << 30  # above all numbers that systems and containers hand out
FEW = 256  # where only the first 65,536 users exist
FIRST_OF_FEW, LAST_OF_FEW = 61_184, 65_280  # the range that is kept for such purposes
TRIES = 64

libc = ctypes.CDLL(None, use_errno=True)


def free_uids() -> Sequence[int]:
    """A random range of users that nobody is, so that two runs on one machine have none in common."""
    count, first, last = UIDS, BEYOND_PEOPLE, (1 << 31) - UIDS
    if not _exists(last + count):
        count, first, last = FEW, FIRST_OF_FEW, LAST_OF_FEW - FEW
    draw, taken = random.SystemRandom(), _users_with_processes()
    for _ in range(TRIES):
        start = first + count * draw.randrange((last - first) // count)
        uids = range(start, start + count)
        if not taken.intersection(uids):
            return uids
    return range(start, start + count)


def _exists(uid: int) -> bool:
    """Whether there is such a user in this user namespace."""
    with contextlib.suppress(OSError):
        rows = [tuple(map(int, row.split())) for row in Path("/proc/self/uid_map").read_text().splitlines()]
        return any(first <= uid < first + count for first, _, count in rows)
    return False


def _users_with_processes() -> set[int]:
    users = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                users.add(entry.stat().st_uid)
    return users


class ProcessTable:
    """Forks children that have a table of processes of their own, where that can be.

    The caller's own table stays: only where its children go is switched there and back, which needs no second fork.
    When the first process of a table ends, the kernel ends the others.
    """

    def __init__(self) -> None:
        self._home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._usable = os.geteuid() == 0
        self._usable = self._leave()
        self._come_back()
        self.fact = "own" if self._usable else "the machine's (a table of its own needs root and CAP_SYS_ADMIN)"

    def fork(self) -> int:
        """As `os.fork`."""
        if self._usable:
            self._leave()
        pid = os.fork()
        if pid:
            self._come_back()
        return pid

    def _leave(self) -> bool:
        return self._usable and libc.unshare(CLONE_NEWPID) == 0

    def _come_back(self) -> None:
        if self._usable and libc.setns(self._home, CLONE_NEWPID) != 0:
            raise OSError(ctypes.get_errno(), "the zygote cannot fork into its own table of processes any more")
