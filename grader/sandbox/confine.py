"""Linux only: what a worker gives up before it sees a line of student code.

Order matters: name spaces while the process may still make them, descriptors, the file view, limits, then the
identity, and after the change of identity the signals that it cleared. Each step is reported as the fact that it
achieved; nothing here pretends.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import struct
from collections.abc import Mapping
from dataclasses import dataclass

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
CLONE_NEWIPC = 0x08000000
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
CAPABILITIES_V3 = 0x20080522
LANDLOCK_READ = 0b1100  # read files, list directories
LANDLOCK_ALL = (1 << 13) - 1  # every right of ABI 1
LANDLOCK_VERSION = 1  # the flag that asks for the ABI
LANDLOCK_SCOPES = 0b11  # abstract sockets and signals, from ABI 6
FIRST_UID = 61_000
UIDS = 4_000
PROCESSES = 64
DESCRIPTORS = 64

libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """What a worker is confined to. Memory in MiB beyond what the idle worker has, output in KiB."""

    root: str
    number: int
    memory_mib: int
    output_kib: int


def apply(wanted: Confinement) -> dict[str, str]:
    """Confine this process for good. Returns facts by protection, and `root`: where the submission lies now."""
    as_root = os.geteuid() == 0
    facts = {"network": _cut_network(as_root)}
    pages = int(_read("/proc/self/statm").split()[0])
    facts["files"], root = _confine_files(wanted.root, as_root, as_root or "user" in facts["network"])
    facts.update(_limit(wanted, pages * resource.getpagesize(), as_root))
    facts["identity"] = _drop_identity(wanted.number, as_root)
    _drop_capabilities()
    # A change of identity clears the signal that ties the worker's life to the zygote's.
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    facts["privileges"] = "cannot be gained"
    facts["environment"] = "empty"
    os.environ.clear()
    facts["root"] = root
    return facts


def prctl(option: int, value: int) -> None:
    """The system call. Raises OSError."""
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _cut_network(as_root: bool) -> str:
    flags = CLONE_NEWNET | CLONE_NEWIPC
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(flags if as_root else flags | CLONE_NEWUSER) != 0:
        return f"not cut: {os.strerror(ctypes.get_errno())}"
    if as_root:
        return "cut (own network namespace)"
    # Mapping only ourselves keeps the user what it was outside, and lets it change its root directory inside.
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")
    return "cut (own network namespace in a user namespace)"


def _confine_files(root: str, as_root: bool, may_chroot: bool) -> tuple[str, str]:
    os.chdir(root)
    if may_chroot:
        with contextlib.suppress(PermissionError):
            os.chroot(root)
            os.chdir("/")
            # Without a user of its own the worker owns the submission's files, and could change them.
            if not as_root and _landlock("/"):
                return "only the submission, read-only (root directory changed, Landlock)", "/"
            return "only the submission (root directory changed)", "/"
    if _landlock(root):
        return "only the submission, read-only (Landlock)", root
    return "not confined", root


def _landlock(root: str) -> bool:
    """Restrict this process to reading below `root`, and from Linux 6.12 on to signals among its own children.

    False where the kernel has no Landlock.
    """
    version = libc.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_VERSION)
    scoped = struct.pack("<QQ", 0, LANDLOCK_SCOPES) if version >= 6 else b""
    attributes = struct.pack("<Q", LANDLOCK_ALL) + scoped
    ruleset = libc.syscall(LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    folder = os.open(root, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("<Qi", LANDLOCK_READ, folder)
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        added: int = libc.syscall(LANDLOCK_ADD_RULE, ruleset, 1, rule, 0)
        return added == 0 and int(libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0)) == 0
    finally:
        os.close(folder)
        os.close(ruleset)


def _limit(wanted: Confinement, now: int, as_root: bool) -> Mapping[str, str]:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (wanted.output_kib << 10,) * 2)
    resource.setrlimit(resource.RLIMIT_AS, (now + (wanted.memory_mib << 20),) * 2)
    facts = {"memory": f"{wanted.memory_mib} MiB", "output": f"{wanted.output_kib} KiB"}
    if as_root:
        resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))
        facts["processes"] = f"at most {PROCESSES}"
    else:
        # The limit counts all processes of the user, the instructor's own among them.
        facts["processes"] = "not limited (needs root); killed with the worker"
    return facts


def _drop_identity(number: int, as_root: bool) -> str:
    if not as_root:
        return "the grader's own user"
    uid = FIRST_UID + number % UIDS
    try:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except PermissionError as error:
        return f"the grader's own user: {error.strerror}"
    return "own user"


def _drop_capabilities() -> None:
    """Give up every capability: in a user namespace of our own we have all, CAP_SYS_CHROOT and a way out among them."""
    header = struct.pack("<Ii", CAPABILITIES_V3, 0)
    if libc.capset(header, bytes(24)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def limit_processor_time(seconds: float) -> None:
    """Let this process use `seconds` more of processor time; the kernel kills it with SIGXCPU after that."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + seconds) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:  # noqa: PTH123 - must work before any import can be done lazily
        return file.read()


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(text)
