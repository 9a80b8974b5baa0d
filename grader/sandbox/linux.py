"""The Linux back end: workers forked by a zygote, confined by `grader.sandbox.confine`, killed through pidfds."""

from __future__ import annotations

import array
import contextlib
import json
import math
import os
import select
import signal
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from grader.assignment.assignment import Limits
from grader.errors import SandboxError
from grader.sandbox import scratch
from grader.sandbox.base import START_SECONDS, Ending, Process, Site
from grader.sandbox.gpu import Gpu
from grader.sandbox.level import level_of
from grader.sandbox.starving import Starving
from grader.text import clean
from grader.wire.frames import Channel, ChannelClosed, FrameTimeout, WireError, encode

READY_SECONDS = 120.0
LIFE = 100  # a worker serves many requests; what each may use, the judge measures
GPU_SECONDS = 120.0  # the first worker reads gigabytes of libraries


class LinuxProcess:
    """One leased worker."""

    def __init__(self, number: int, channel: Channel, pidfd: int, output: int, control: socket.socket) -> None:
        self.number = number
        self.channel = channel
        self.dead = False
        self.gpu: Gpu | None = None
        self.leftover = ""  # a folder to be removed when the process has ended
        self._pidfd = pidfd
        self._output = output
        self._control = control
        self._ending: Ending | None = None
        # Kept open: what it says is asked for several times with every request.
        self._facts = os.open(f"/proc/self/fdinfo/{pidfd}", os.O_RDONLY | os.O_CLOEXEC)
        self._starved = killed_for_memory()
        self._starving = Starving(None)
        with contextlib.suppress(OSError):  # it has ended
            self._starving = Starving(self._pid())

    def kill(self) -> None:
        """SIGKILL through the pidfd; the zygote clears away what the worker started."""
        self.dead = True
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)
        self.channel.close()

    def ending(self) -> Ending:
        """Ask the zygote, which alone can wait for the process."""
        if self._ending is None:
            readable, _, _ = select.select([self._pidfd], [], [], 2.0)
            if not readable:
                self.kill()
            ending = _ask_ending(self._control, self.number)
            if ending.signal == signal.SIGKILL and self._starved is not None:
                ending = replace(ending, starved=killed_for_memory() != self._starved)
            self._ending = ending if readable else Ending(hung_up=True)
            self._clear_away()
        return self._ending

    def _clear_away(self) -> None:
        """Remove its scratch folder once it has ended; no other worker is to find what lies there."""
        if self.leftover:
            with contextlib.suppress(OSError, ValueError):
                select.select([self._pidfd], [], [], 2.0)
            scratch.remove(self.leftover)
            self.leftover = ""

    def output(self, since: int = 0) -> str:
        """What was written to the descriptors, read from the shared memory file."""
        raw = os.pread(self._output, 1 << 14, since).rstrip(b"\0")  # the file has its full size from the start
        return clean(raw.decode("utf-8", errors="replace"), 4000)

    def written(self) -> int:
        """Where the worker writes next: it shares the open file with us, and may have moved that place anywhere."""
        return min(os.lseek(self._output, 0, os.SEEK_CUR), os.fstat(self._output).st_size)

    def memory_mib(self) -> float | None:
        """Resident memory, read from outside: the worker cannot say otherwise."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            pages = int(Path(f"/proc/{self._pid()}/statm").read_text(encoding="ascii").split()[1])
            return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)
        return None

    def processor_seconds(self) -> float | None:
        """The process's own clock in the kernel (the form of its number is that of `clock_getcpuclockid`)."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            return time.clock_gettime((~self._pid() << 3) | 2)
        return None

    def starved_seconds(self) -> float | None:
        """Seen from outside: the worker cannot say otherwise."""
        return self._starving.seconds()

    def _pid(self) -> int:
        """Its number here. Raises ProcessLookupError when it has ended."""
        number = int(os.pread(self._facts, 400, 0).partition(b"Pid:")[2].split(maxsplit=1)[0])
        if number <= 0:  # -1 would be this process to some calls
            raise ProcessLookupError(number)
        return number

    def __del__(self) -> None:
        self.kill()
        self._clear_away()
        self._starving.close()
        for fd in (self._pidfd, self._output, self._facts):
            with contextlib.suppress(OSError):
                os.close(fd)


def killed_for_memory() -> int | None:
    """How many processes the kernel has killed for want of memory, in any container; None where it does not say."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines():
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return None


def _ask_ending(control: socket.socket, number: int) -> Ending:
    control.settimeout(10.0)
    try:
        control.send(json.dumps({"do": "exit", "worker": number}).encode())
        answer = json.loads(control.recv(4096) or b"{}")
    except (OSError, ValueError) as error:
        raise SandboxError(f"the process that forks workers does not answer: {error}") from error
    return Ending(signal=answer.get("signal"), code=answer.get("code"))


def _claim_gpu(process: LinuxProcess, limits: Limits, deadline: float) -> Gpu:
    """Have the worker initialise its GPU context with its share of memory. Raises SandboxError when it has no GPU."""
    process.channel.send("claim", "claim", encode({"memory_mib": limits.memory_mib}), deadline)
    answer = process.channel.receive(deadline).tree
    found = answer.get("values")
    if answer.get("status") != "values" or not isinstance(found, Mapping):
        process.kill()
        message = clean(str(answer.get("message", "")), 500)
        raise SandboxError(f"a worker cannot use the GPU: {message}")
    return Gpu(
        name=clean(str(found["name"]), 80), total_mib=int(str(found["total_mib"])), free_mib=int(str(found["free_mib"]))
    )


class LinuxSandbox:
    """Workers over one control socket. One per judge."""

    forks = True

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self.protections: Mapping[str, str] = {}

    def name_suite(self, suite: Path, *, trains: bool = False) -> None:
        """Tell a zygote that was started without one which suite's probes it is to load, and whether workers train."""
        with contextlib.suppress(OSError):  # it is gone; `wait_until_ready` will say so
            self._control.send(json.dumps({"suite": str(suite), "trains": trains}).encode())

    def wait_until_ready(self) -> None:
        """Wait until the zygote has loaded everything. Raises SandboxError when it ended instead."""
        self._control.settimeout(READY_SECONDS)
        try:
            message = self._control.recv(64)
        except OSError as error:
            raise SandboxError(f"the process that forks workers did not get ready: {error}") from error
        if message != b"ready":
            raise SandboxError("the process that forks workers ended while it was loading the suite's probes")

    def divide(self) -> socket.socket:
        """A further control socket, for a judge of its own."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        socket.send_fds(self._control, [json.dumps({"do": "control"}).encode()], [theirs.fileno()])
        theirs.close()
        return ours

    def preload(self, modules: Sequence[str]) -> bool:
        """Ask the zygote to import these modules before it forks the next worker."""
        self._control.settimeout(READY_SECONDS)
        try:
            self._control.send(json.dumps({"do": "preload", "modules": list(modules)}).encode())
            return self._control.recv(64) == b"preloaded"
        except OSError as error:
            raise SandboxError(f"the process that forks workers does not answer: {error}") from error

    def start(self, site: Site, limits: Limits) -> Process:
        """Lease the waiting worker, confine it, open the submission."""
        process = self._lease()
        deadline = time.monotonic() + START_SECONDS
        confinement = {
            "root": str(site.root),
            "number": process.number,
            "memory_mib": limits.memory_mib,
            "cpu_seconds": math.ceil(LIFE * limits.cpu_seconds),
            "output_kib": limits.output_kib,
            "device": site.device,
            "gpu": dict(site.gpu),
        }
        try:
            process.channel.send("confine", "confine", encode(confinement), deadline)
            facts = {str(name): str(fact) for name, fact in process.channel.receive(deadline).tree.items()}
            process.leftover = facts.pop("leftover")
            tree = site.tree(facts.pop("root"), facts.pop("folder"))
            process.channel.send("open", "open", encode(tree), deadline)
            process.channel.receive(deadline)
            if site.device == "cuda":
                process.gpu = _claim_gpu(process, limits, deadline + GPU_SECONDS)
        except (ChannelClosed, FrameTimeout, WireError) as error:
            ending = process.ending()
            output = process.output()
            raise SandboxError(f"a worker could not be confined ({ending}): {output[-1500:] or error!r}") from error
        if process.gpu is not None:
            facts["gpu"] = f"{process.gpu.name}, {process.gpu.total_mib} MiB"
        facts = {"back end": "confined process", **facts}
        self.protections = {"level": level_of(facts), **facts}
        return process

    def close(self) -> None:
        """Let go of the zygote; it ends when its last control socket is closed."""
        self._control.close()

    def _lease(self) -> LinuxProcess:
        self._control.settimeout(START_SECONDS)
        try:
            self._control.send(b'{"do": "lease"}')
            message, ancillary, _, _ = self._control.recvmsg(4096, socket.CMSG_SPACE(3 * 4))
        except OSError as error:
            raise SandboxError(f"no worker could be had: {error}") from error
        fds = array.array("i")
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
        if not message or len(fds) != 3:
            raise SandboxError("the process that forks workers has ended")
        channel = Channel(socket.socket(fileno=fds[0]))
        return LinuxProcess(json.loads(message)["worker"], channel, fds[1], fds[2], self._control)
