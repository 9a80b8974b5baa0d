"""Linux only: the filter of system calls that a worker puts on itself, last of all and for good.

A filter is a program of the kernel's old packet filter. It sees the call's number and its arguments, never what a
pointer leads to: which files may be opened is decided elsewhere. Threads can be started, processes cannot, and so
nothing that a worker does outlives it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from grader.sandbox import system_calls

ARCHITECTURES = {"x86_64": (0xC000003E, 317), "aarch64": (0xC00000B7, 277)}  # as filters see it; the call `seccomp`
SET_MODE_FILTER, SPEC_ALLOW = 1, 4
LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
KILL, ERRNO, ALLOW = 0x8000_0000, 0x0005_0000, 0x7FFF_0000
REFUSE = ERRNO | errno.EPERM
NUMBER, ARCHITECTURE = 0, 4  # places in what a filter is shown
X32 = 0x4000_0000
CLONE_THREAD = 0x0001_0000
AF_UNIX = 1

# TCGETS, TCGETS2, TIOCGWINSZ, FIONREAD, FIOCLEX, FIONCLEX, FIONBIO
IOCTL = (0x5401, 0x802C_542A, 0x5413, 0x541B, 0x5451, 0x5450, 0x5421)
# F_DUPFD, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_DUPFD_CLOEXEC, F_GETPIPE_SZ, F_GET_SEALS: no locks, owners, leases
FCNTL = (0, 1, 2, 3, 4, 1030, 1032, 1034)
# PR_GET_DUMPABLE, PR_SET_NAME, PR_GET_NAME, PR_CAPBSET_READ, PR_GET_SECCOMP, PR_GET_NO_NEW_PRIVS, PR_SET_VMA
PRCTL = (3, 15, 16, 23, 21, 39, 0x53564D41)
# NORMAL to DONTNEED, FREE, DONTFORK, DOFORK, HUGEPAGE to KEEPONFORK, POPULATE: not what takes pages of files out of
# memory, or gives one page to several processes, for either can be seen by others
MADVISE = (0, 1, 2, 3, 4, 8, 10, 11, 14, 15, 16, 17, 18, 19, 22, 23)

Instruction = tuple[int, int, int, int]  # code, steps to skip if true, if false, value


@dataclass(frozen=True)
class Test:
    """Whether the lower half of an argument is one of some values, or (`bits`) has one of some bits set."""

    argument: int
    values: Sequence[int]
    bits: bool = False
    whole: bool = False  # the upper half must be 0: else a pointer with an empty lower half would do


def install(pid: int, *, gpu: bool = False) -> str:
    """Put the filter on this process, which has one thread. Returns the fact; raises OSError where that fails.

    `gpu`: drivers need calls that nobody has listed, so that everything is allowed but what is known to do harm.
    """
    machine = platform.machine()
    if machine not in ARCHITECTURES or sys.byteorder != "little":
        return f"not filtered: there is no table for {machine}"
    program = assemble(machine, pid, gpu=gpu)
    raw = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in program))
    header = struct.pack("@HP", len(program), ctypes.addressof(raw))
    libc, number = ctypes.CDLL(None, use_errno=True), ARCHITECTURES[machine][1]
    # Older kernels would slow down the whole process for the sake of a filter; the flag is unknown to the oldest.
    for flags in (SPEC_ALLOW, 0):
        if libc.syscall(number, SET_MODE_FILTER, flags, header) == 0:
            kind = "a list of what is refused" if gpu else "a list of what is allowed"
            return f"{kind}, {len(program)} instructions ({machine})"
        code = ctypes.get_errno()
        if code == errno.ENOSYS:
            return "not filtered: this kernel has no filters"
    raise OSError(code, f"seccomp: {os.strerror(code)}")


def assemble(machine: str, pid: int, *, gpu: bool = False) -> list[Instruction]:
    """The program for a process. Every rule ends in a return, so that the order does not matter."""
    column = list(ARCHITECTURES).index(machine)
    program: list[Instruction] = [(LOAD, 0, 0, ARCHITECTURE)]
    program += [(EQUAL, 1, 0, ARCHITECTURES[machine][0]), (RETURN, 0, 0, KILL), (LOAD, 0, 0, NUMBER)]
    if column == 0:
        program += [(AT_LEAST, 0, 1, X32), (RETURN, 0, 0, KILL)]
    actions = [(system_calls.REFUSED, REFUSE)] if gpu else [(system_calls.ALLOWED, ALLOW)]
    actions.append((system_calls.IDLE, ERRNO))
    actions.append((system_calls.WITHOUT_ATTRIBUTES, ERRNO | errno.EOPNOTSUPP))
    actions.append((system_calls.UNKNOWN, ERRNO | errno.ENOSYS))
    for table, action in actions:
        for number in system_calls.numbers(table, column).values():
            program += [(EQUAL, 0, 1, number), (RETURN, 0, 0, action)]
    checked = system_calls.numbers(system_calls.CHECKED, column)
    for name, test in checks(pid, gpu=gpu).items():
        body = _test(test)
        program += [(EQUAL, 0, len(body), checked[name]), *body]
    return [*program, (RETURN, 0, 0, ALLOW if gpu else REFUSE)]


def checks(pid: int, *, gpu: bool = False) -> dict[str, Test]:
    """What must hold of the arguments of a call that is allowed at times. `pid` is this process's own."""
    found = {
        "clone": Test(0, (CLONE_THREAD,), bits=True),
        "kill": Test(0, (pid,)),
        "tgkill": Test(0, (pid,)),
        "prlimit64": Test(2, (0,), whole=True),  # to ask, not to set
        "sched_setaffinity": Test(0, (0, pid)),
        "fcntl": Test(1, FCNTL),
        "prctl": Test(0, PRCTL),
        "madvise": Test(2, MADVISE),
    }
    return {**found, "socket": Test(0, (AF_UNIX,))} if gpu else {**found, "ioctl": Test(1, IOCTL)}


def _test(test: Test) -> list[Instruction]:
    place = 16 + 8 * test.argument
    steps: list[Instruction] = []
    if test.whole:
        steps += [(LOAD, 0, 0, place + 4), (EQUAL, 1, 0, 0), (RETURN, 0, 0, REFUSE)]
    steps.append((LOAD, 0, 0, place))
    compare = ANY_BIT if test.bits else EQUAL
    for value in test.values:
        steps += [(compare, 0, 1, value & 0xFFFF_FFFF), (RETURN, 0, 0, ALLOW)]
    return [*steps, (RETURN, 0, 0, REFUSE)]
