"""Linux only: what a worker gives up before it sees a line of student code.

Order matters: name spaces while the process may still make them, descriptors, the file view, limits, then the
identity, after the change of identity the signals that it cleared, and the filter of system calls last. Each step is
reported as the fact that it achieved; nothing here pretends.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import resource
import signal
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from grader.sandbox import gpu, mounts, scratch, seccomp, system_calls
from grader.sandbox.launch import LIBRARIES

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
CLONE_NEWNS = 0x00020000
CLONE_NEWIPC = 0x08000000
PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
KEYCTL_JOIN_SESSION_KEYRING = 1
CAPABILITIES_V3 = 0x20080522
LANDLOCK_RUN, LANDLOCK_WRITE, LANDLOCK_READ_FILE = 0b1, 0b10, 0b100  # run, write, read a file
LANDLOCK_READ = 0b1100  # read files, list directories
LANDLOCK_REFER, LANDLOCK_TRUNCATE, LANDLOCK_CONTROL = 1 << 13, 1 << 14, 1 << 15  # move, empty, control a device
LANDLOCK_DEVICE = LANDLOCK_WRITE | LANDLOCK_READ_FILE | LANDLOCK_CONTROL
# Read, write, empty, move, remove, make folders, files and links.
LANDLOCK_KEEP = LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_REFER | LANDLOCK_TRUNCATE | 0b1_0001_1011_0000
# All rights, by the version of the interface that brought them; what is not listed there stays allowed everywhere.
LANDLOCK_RIGHTS = {1: (1 << 13) - 1, 2: LANDLOCK_REFER, 3: LANDLOCK_TRUNCATE, 5: LANDLOCK_CONTROL}
LANDLOCK_NETWORK = 0b11  # bind and connect by TCP, from ABI 4
LANDLOCK_VERSION = 1  # the flag that asks for the ABI
LANDLOCK_SCOPES = 0b11  # abstract sockets and signals, from ABI 6
PROCESSES = 64
DESCRIPTORS = 64
GPU_DESCRIPTORS = 512

libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """What a worker is confined to. Memory in MiB beyond what the idle worker has, output in KiB.

    `cpu_seconds` are for the worker's whole life; what one request may use of them, the judge measures from outside.

    `device` "cuda": the driver needs its device nodes, libraries, /proc and /sys, and reserves far more address space
    than memory, so the view of files is wider and memory is capped on the GPU (`grader.worker.gpu`). `gpu` are the
    variables that say which GPU.
    """

    root: str
    number: int
    uid: int
    memory_mib: int
    cpu_seconds: int
    output_kib: int
    device: str = "cpu"
    gpu: Mapping[str, str] = field(default_factory=dict)


def apply(wanted: Confinement) -> dict[str, str]:
    """Confine this process for good. Returns facts by protection, and three that are none.

    `root`: where the submission lies now; `folder`: the worker's scratch folder, "" for none; `leftover`: what is to
    be removed when the worker has ended.
    """
    as_root = os.geteuid() == 0
    has_gpu = bool(gpu.nodes())  # asked while /dev can be seen
    network, may_mount = _cut_network(as_root)
    facts = {"network": network}
    pages = int(_read("/proc/self/statm").split()[0])
    place = _confine_files(wanted, as_root, as_root or "user" in network, may_mount)
    facts |= {"files": place.fact, "root": place.root, "folder": place.folder, "leftover": place.leftover}
    facts["scratch"] = place.said
    facts.update(_limit(wanted, pages * resource.getpagesize(), as_root))
    facts["identity"] = _drop_identity(wanted.uid, as_root, _node_groups() if wanted.device == "cuda" else ())
    _drop_capabilities()
    # A change of identity clears the signal that ties the worker's life to the zygote's.
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    facts["privileges"] = "cannot be gained"
    facts["environment"] = "only its scratch folder" if place.folder else "empty"
    os.environ.clear()
    facts["keyring"] = _own_keyring()
    if wanted.device == "cuda":
        os.environ.update({**gpu.WORKER_SETTINGS, **wanted.gpu})
        facts["environment"] = f"only {', '.join(sorted(os.environ))}"
    elif has_gpu:
        # Where files are not confined, code that looks for a GPU would find it, and the probe's tensors are elsewhere.
        os.environ[gpu.VISIBLE] = ""
    facts["system calls"] = seccomp.install(os.getpid(), gpu=wanted.device == "cuda")
    return facts


def to_a_view(reads: Sequence[str], writes: Sequence[str], memory_mib: int, seconds: int) -> None:
    """Confine this process, which only reads what strangers wrote, to some files and to what interpreters read.

    Where the kernel lacks one of these protections the others hold.
    """
    pages = int(_read("/proc/self/statm").split()[0])
    memory = pages * resource.getpagesize() + (memory_mib << 20)
    for limit, value in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds)):
        hard = resource.getrlimit(limit)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (value, value))
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    seen = [*reads, *{sys.prefix, sys.base_prefix, os.path.dirname(os.path.dirname(__file__))}]  # noqa: PTH120
    readable = [(path, LANDLOCK_READ if os.path.isdir(path) else LANDLOCK_READ_FILE) for path in seen]  # noqa: PTH112
    _landlock("", [*readable, *((path, LANDLOCK_KEEP) for path in writes)])
    seccomp.install(os.getpid())


def _own_keyring() -> str:
    """Exchange the session's keyring, which is inherited, for a new one."""
    number = system_calls.numbers(system_calls.REFUSED, int(os.uname().machine == "aarch64"))["keyctl"]
    if libc.syscall(number, KEYCTL_JOIN_SESSION_KEYRING, None) < 0:
        return f"the grader's: {os.strerror(ctypes.get_errno())}"
    return "own"


def prctl(option: int, value: int) -> None:
    """The system call. Raises OSError."""
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _cut_network(as_root: bool) -> tuple[str, bool]:
    """The fact, and whether this process has mounts of its own besides: nothing may be mounted where it has not."""
    flags = CLONE_NEWNET | CLONE_NEWIPC | (0 if as_root else CLONE_NEWUSER)
    uid, gid = os.geteuid(), os.getegid()
    # The mounts are for the scratch folder; the network does not hang on them.
    own_mounts = libc.unshare(flags | CLONE_NEWNS) == 0
    if not own_mounts and libc.unshare(flags) != 0:
        why = os.strerror(ctypes.get_errno())
        return "cut for the whole container, but for its loopback" if _only_loopback() else f"not cut: {why}", False
    if as_root:
        return "cut (own network namespace)", own_mounts
    # Mapping only ourselves keeps the user what it was outside, and lets it change its root directory inside.
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{uid} {uid} 1")
    _write("/proc/self/gid_map", f"{gid} {gid} 1")
    return "cut (own network namespace in a user namespace)", own_mounts


def _only_loopback() -> bool:
    """Whether this machine or container has no other interface, so that nothing outside it can be reached."""
    with contextlib.suppress(OSError):
        return [line.split(":")[0].strip() for line in _read("/proc/net/dev").splitlines()[2:]] == ["lo"]
    return False


@dataclass(frozen=True)
class Place:
    """Where the submission and the scratch folder lie for the worker, and the fact about both."""

    fact: str
    root: str
    folder: str = ""
    leftover: str = ""

    @property
    def said(self) -> str:
        """The fact about the scratch folder."""
        if not self.folder:
            return "read-only: there is no folder to write to"
        kind = f"at most {scratch.SIZE_MIB} MiB per file" if self.leftover else f"{scratch.SIZE_MIB} MiB"
        return f"{kind}, private, removed with the worker"


def _confine_files(wanted: Confinement, as_root: bool, may_chroot: bool, may_mount: bool) -> Place:
    owner = wanted.uid if as_root else os.geteuid()
    if wanted.device == "cuda":
        return _confine_to_the_driver(wanted, owner)
    root = wanted.root
    if may_chroot and may_mount and mounts.mount_scratch(root, owner):
        os.chroot(root)
        # Without a user of its own the worker owns the submission's files, and could change them.
        fact = "only the submission (root directory changed)"
        if not as_root and _landlock("/", [(f"/{scratch.SCRATCH}", LANDLOCK_KEEP)]):
            fact = "only the submission, read-only (root directory changed, Landlock)"
        os.chdir("/")
        return Place(fact, f"/{scratch.SUBMISSION}", f"/{scratch.SCRATCH}")
    folder = scratch.make(root, wanted.number, owner, inside=may_chroot)
    kept = [(folder, LANDLOCK_KEEP)] if folder else []
    os.chdir(root)
    if may_chroot:
        with contextlib.suppress(PermissionError):
            os.chroot(root)
            os.chdir("/")
            inside = f"/{folder.rpartition('/')[2]}" if folder else ""
            if not as_root and _landlock("/", [(inside, rights) for _, rights in kept]):
                fact = "only the submission, read-only (root directory changed, Landlock)"
                return Place(fact, "/", inside, folder)
            return Place("only the submission (root directory changed)", "/", inside, folder)
    if _landlock(root, kept):
        return Place("only the submission, read-only (Landlock)", root, folder, folder)
    return Place("not confined", root, folder, folder)


def _confine_to_the_driver(wanted: Confinement, owner: int) -> Place:
    """What a GPU worker may open beside the submission: system libraries and /sys to read, /proc and the GPU's nodes.

    The rule for /proc is for the whole of it, because /proc/self is another folder after a fork.
    """
    root = wanted.root
    folder = scratch.make(root, wanted.number, owner, inside=False)
    os.chdir(root)
    searched = [folder for folder in os.environ.get(LIBRARIES, "").split(":") if folder.strip("/.")]
    libraries = ("/usr", "/lib", "/lib64", sys.prefix, sys.base_prefix, *_package_folders(), *searched)
    wider = [(path, LANDLOCK_READ | LANDLOCK_RUN) for path in libraries]
    wider += [("/etc/ld.so.cache", LANDLOCK_READ_FILE), ("/sys", LANDLOCK_READ)]
    wider.append(("/proc", LANDLOCK_READ | LANDLOCK_WRITE | LANDLOCK_TRUNCATE))
    wider += [(str(path), LANDLOCK_DEVICE) for path in gpu.nodes()]
    wider += [(folder, LANDLOCK_KEEP)] if folder else []
    if _landlock(root, wider):
        fact = "the submission, libraries, /proc, the GPU's nodes (Landlock); the kernel driver is exposed"
        return Place(fact, root, folder, folder)
    return Place("not confined", root, folder, folder)


def _package_folders() -> list[str]:
    """Where torch lies and, beside it, NVIDIA's libraries, which are loaded when they are first needed.

    That is not below `sys.prefix` when they were installed for one user.
    """
    torch = sys.modules.get("torch")
    return [] if torch is None or torch.__file__ is None else [os.path.dirname(os.path.dirname(torch.__file__))]  # noqa: PTH120


def _landlock(root: str, wider: Sequence[tuple[str, int]] = ()) -> bool:
    """Restrict this process to reading below `root`, to no network by TCP, and to signals among its own children.

    The network from Linux 6.7 on, signals from 6.12.

    `wider` are further paths with the rights on them; those that do not exist are left out. False where the kernel has
    no Landlock.
    """
    version = libc.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), LANDLOCK_VERSION)
    handled = sum(rights for since, rights in LANDLOCK_RIGHTS.items() if since <= version)
    attributes = struct.pack("<QQQ", handled, LANDLOCK_NETWORK, LANDLOCK_SCOPES)
    attributes = attributes[: 24 if version >= 6 else 16 if version >= 4 else 8]
    ruleset = libc.syscall(LANDLOCK_CREATE_RULESET, attributes, ctypes.c_size_t(len(attributes)), 0)
    if ruleset < 0:
        return False
    try:
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        rules = [(path, rights & handled) for path, rights in ((root, LANDLOCK_READ), *wider) if _exists(path)]
        added = [_allow(ruleset, path, rights) for path, rights in rules]
        return all(added) and int(libc.syscall(LANDLOCK_RESTRICT_SELF, ruleset, 0)) == 0
    finally:
        os.close(ruleset)


def _exists(path: str) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - pathlib may not be imported here yet


def _allow(ruleset: int, path: str, rights: int) -> bool:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        rule = struct.pack("<Qi", rights, place)
        return int(libc.syscall(LANDLOCK_ADD_RULE, ruleset, 1, rule, 0)) == 0
    finally:
        os.close(place)


def _limit(wanted: Confinement, now: int, as_root: bool) -> Mapping[str, str]:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    descriptors = DESCRIPTORS if wanted.device == "cpu" else GPU_DESCRIPTORS
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
    # What is printed goes to a memory file of its own size; without that, its limit holds for every file.
    largest = scratch.SIZE_MIB << 20 if fixed_size(1, wanted.output_kib << 10) else wanted.output_kib << 10
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    # The first limit sends SIGXCPU, which says what it was; the second one cannot be caught, ignored or blocked.
    resource.setrlimit(resource.RLIMIT_CPU, (wanted.cpu_seconds, wanted.cpu_seconds + 2))
    facts = {"memory": f"{wanted.memory_mib} MiB", "output": f"{wanted.output_kib} KiB"}
    facts["processor"] = f"at most {wanted.cpu_seconds} s in its life; each request is measured from outside"
    if wanted.device == "cpu":
        resource.setrlimit(resource.RLIMIT_AS, (now + (wanted.memory_mib << 20),) * 2)
    else:
        facts["memory"] = f"{wanted.memory_mib} MiB on the GPU; not limited on the host"
    if as_root:
        resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))
        facts["processes"] = f"at most {PROCESSES}"
    else:
        # The limit counts all processes of the user, the instructor's own among them.
        facts["processes"] = "not limited (needs root); killed with the worker"
    return facts


def fixed_size(descriptor: int, size: int) -> bool:
    """Give a memory file a size that nobody can change any more."""
    try:
        os.ftruncate(descriptor, size)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    except OSError:
        return False
    return True


def _drop_identity(uid: int, as_root: bool, groups: Sequence[int] = ()) -> str:
    if not as_root:
        return "the grader's own user"
    try:
        os.setgroups(groups)
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    except PermissionError as error:
        return f"the grader's own user: {error.strerror}"
    return "own user"


def _node_groups() -> list[int]:
    """The groups that may open the GPU's nodes, where not everybody may; never root's."""
    facts = [path.stat() for path in gpu.nodes()]
    return sorted({fact.st_gid for fact in facts if fact.st_mode & 0o066 == 0o060} - {0})


def _drop_capabilities() -> None:
    """Give up every capability: in a user namespace of our own we have all, CAP_SYS_CHROOT and a way out among them."""
    header = struct.pack("<Ii", CAPABILITIES_V3, 0)
    if libc.capset(header, bytes(24)) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:  # noqa: PTH123 - must work before any import can be done lazily
        return file.read()


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(text)
