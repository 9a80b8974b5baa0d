"""Theory of operation of the zygote.

One process with one thread that has imported torch, the worker's code and the suite's probes, and holds nothing else:
a child can read all memory of its parent, so the zygote is exec'd clean and never sees a test, the reference or a
student's file. It forks workers on request.

    judge ── control socket (SOCK_SEQPACKET, one per judge) ──▶ zygote ──fork──▶ worker
      └──────────────── channel (frames, see grader.wire.frames) ─────────────────────────┘

Requests on a control socket are JSON. `lease` answers with a worker's number and three descriptors (channel, pidfd,
captured output); `exit` answers how a worker ended, once it has; `control` brings the socket of another judge;
`preload` names modules that workers will need. A worker is always forked ahead, while the one before it runs.
Workers are killed through pidfds, never through numbers, and when the judge that they were leased to is gone. What a
worker leaves behind is adopted by the zygote (it is a subreaper) and killed. When every control socket is closed the
zygote ends, and the workers with it.

The zygote waits for nothing but requests and ends. A process that another one traces has ended and cannot be reaped
until its tracer is gone; so what is left behind is killed first, and what cannot be reaped yet is looked at again.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from grader.sandbox import confine, plain
from grader.sandbox.apart import ProcessTable, free_uids
from grader.sandbox.preload import load_suite, warm_up, warm_up_training
from grader.wire.frames import WORKER_CAPS, Channel, encode
from grader.worker.loading import Probe
from grader.worker.ownership import module_files
from grader.worker.service import serve

CHANNEL_FD = 3
END_SECONDS = 2.0
AGAIN = 0.02  # seconds until what could not be reaped is looked at again


@dataclass
class Forked:
    """A worker: its number and pid, and the descriptors that go to the judge."""

    number: int
    pid: int
    pidfd: int
    channel: socket.socket
    output: int


@dataclass
class Waiting:
    """A judge that asked how a worker ended."""

    control: socket.socket
    number: int


class Zygote:
    """The loop, and the table of workers."""

    def __init__(
        self,
        control: socket.socket,
        probes: dict[str, Probe],
        relatives: frozenset[int] = frozenset(),
        *,
        unconfined: bool = False,
    ) -> None:
        self.probes = probes
        self.relatives = relatives
        self.unconfined = unconfined
        self.known = module_files()
        self.selector = selectors.DefaultSelector()
        self.controls: set[socket.socket] = set()
        self.workers: dict[int, int] = {}  # pid -> number
        self.leases: dict[int, tuple[int, socket.socket]] = {}  # pid -> pidfd and whose the worker is
        self.ended: dict[int, dict[str, int]] = {}
        self.ending: set[int] = set()  # pids of workers that have ended and were not reaped yet
        self.waiting: list[Waiting] = []
        self.uids = free_uids()
        self.table = ProcessTable()
        self.count = 0
        self.add_control(control)
        self.spare: Forked | None = None

    def add_control(self, control: socket.socket) -> None:
        """Listen to one more judge."""
        control.setblocking(True)
        self.controls.add(control)
        self.selector.register(control, selectors.EVENT_READ, self.answer)

    def run(self) -> None:
        """Serve until the last judge is gone."""
        while self.controls:
            for key, _ in self.selector.select(AGAIN if self.ending else None):
                key.data(key.fileobj)
            if self.ending:
                self.reap()
        self.end_all()

    def end_all(self) -> None:
        """Nothing that was forked here outlives this process, for as long as it takes within reason."""
        self.ending = set(self.workers)
        deadline = time.monotonic() + END_SECONDS
        for pid in self.ending:
            os.kill(pid, signal.SIGKILL)
        while (self.ending or self.kill_orphans()) and time.monotonic() < deadline:
            self.reap()
            time.sleep(0.002)

    def answer(self, control: socket.socket) -> None:
        """One request of a judge."""
        try:
            message, fds, _, _ = socket.recv_fds(control, 1 << 16, 1)
        except OSError:
            message, fds = b"", []
        if not message:
            self.let_go(control)
            return
        request = json.loads(message)
        if request["do"] == "lease":
            self.lease(control)
        elif request["do"] == "preload":
            self.preload(control, request["modules"])
        elif request["do"] == "control":
            self.add_control(socket.socket(fileno=fds[0]))
        else:
            self.tell_exit(Waiting(control, request["worker"]))

    def let_go(self, control: socket.socket) -> None:
        """A judge is gone: end the workers that it left, which may be in a loop and read no channel."""
        for pidfd, holder in self.leases.values():
            if holder is control:
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        self.selector.unregister(control)
        self.controls.discard(control)
        control.close()

    def lease(self, control: socket.socket) -> None:
        """Hand out the spare worker and fork the next one."""
        worker = self.spare or self.fork()
        reply = json.dumps({"worker": worker.number}).encode()
        fds = array.array("i", [worker.channel.fileno(), worker.pidfd, worker.output])
        with contextlib.suppress(OSError):
            control.sendmsg([reply], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        worker.channel.close()
        os.close(worker.output)
        self.leases[worker.pid] = (worker.pidfd, control)
        self.spare = self.fork()

    def preload(self, control: socket.socket, modules: list[str]) -> None:
        """Import modules for all workers from now on, and replace the one that was forked before."""
        for name in modules:
            with contextlib.suppress(Exception, SystemExit):
                importlib.import_module(name)
        self.known = module_files()
        gc.freeze()
        if self.spare is not None:
            self.spare.channel.close()
            os.close(self.spare.output)
        self.spare = self.fork()
        with contextlib.suppress(OSError):
            control.send(b"preloaded")

    def fork(self) -> Forked:
        """A new worker, waiting to be confined."""
        self.count += 1
        ours, theirs = socket.socketpair()
        output = os.memfd_create("output", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        pid = self.table.fork()
        if pid == 0:
            self.become_worker(theirs, output)
        theirs.close()
        pidfd = os.pidfd_open(pid)
        self.workers[pid] = self.count
        self.selector.register(pidfd, selectors.EVENT_READ, lambda fd: self.bury(fd, pid))
        return Forked(self.count, pid, pidfd, ours, output)

    def bury(self, pidfd: int, pid: int) -> None:
        """A worker ended."""
        self.selector.unregister(pidfd)
        os.close(pidfd)
        self.leases.pop(pid, None)
        self.ending.add(pid)

    def reap(self) -> None:
        """Clear away what workers left, note how those ended that can be reaped, tell who asked. Waits for nothing."""
        self.kill_orphans()
        for pid in list(self.ending):
            if (status := reaped(pid)) is None:
                continue
            self.ending.discard(pid)
            number = self.workers.pop(pid)
            told = {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else {"code": os.WEXITSTATUS(status)}
            self.ended[number] = told
            for old in [key for key in self.ended if key < number - 1000]:
                del self.ended[old]
        waiting, self.waiting = self.waiting, []
        for entry in waiting:
            self.tell_exit(entry)

    def kill_orphans(self) -> bool:
        """Kill every child that is not a worker: processes that a worker started and left. Reap those that are dead.

        Returns whether there were any.
        """
        me = os.getpid()
        children = {int(pid) for pid in Path(f"/proc/{me}/task/{me}/children").read_text().split()}
        orphans = children - set(self.workers) - self.relatives
        for pid in orphans:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            reaped(pid)
        return bool(orphans)

    def tell_exit(self, entry: Waiting) -> None:
        """Answer an `exit` request now, or keep it until the worker has ended."""
        if entry.number not in self.ended and entry.number in self.workers.values():
            self.waiting.append(entry)
            return
        with contextlib.suppress(OSError):
            entry.control.send(json.dumps(self.ended.get(entry.number, {})).encode())

    def become_worker(self, channel: socket.socket, output: int) -> None:
        """The forked side; never returns."""
        try:
            os.setsid()
            null = os.open(os.devnull, os.O_RDONLY)
            # High copies first, so that no target is overwritten before it was copied.
            high = [os.dup(fd) for fd in (null, output, channel.fileno())]
            for source, target in ((high[0], 0), (high[1], 1), (high[1], 2), (high[2], CHANNEL_FD)):
                os.dup2(source, target)
            os.closerange(CHANNEL_FD + 1, 1 << 16)
            channel.detach()
            uid = self.uids[self.count % len(self.uids)]
            inherited = Inherited(uid, self.table.fact, self.unconfined)
            work(Channel(socket.socket(fileno=CHANNEL_FD), WORKER_CAPS), self.probes, self.known, inherited)
        finally:
            os._exit(70)


def reaped(pid: int) -> int | None:
    """The wait status of a child that has ended; None when it cannot be had yet."""
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return status if found else None


@dataclass(frozen=True)
class Inherited:
    """What the zygote has decided for a worker: its user, the fact about its table of processes, how it is held back.

    `unconfined`: by nothing. No message decides that, only who started the zygote.
    """

    uid: int
    table: str
    unconfined: bool


def work(channel: Channel, probes: dict[str, Probe], known: frozenset[str], inherited: Inherited) -> None:
    """Confine this process as the first frame says, then serve."""
    frame = channel.receive()
    facts = (
        plain.settle(str(frame.tree["root"]), int(str(frame.tree["output_kib"])))
        if inherited.unconfined
        else confined(frame.tree, inherited)
    )
    channel.send(frame.id, "answer", encode({**facts, "process table": inherited.table}))
    serve(channel, probes, known)
    os._exit(0)


def confined(tree: Mapping[str, object], inherited: Inherited) -> dict[str, str]:
    """What confining this process achieved."""
    return confine.apply(
        confine.Confinement(
            root=str(tree["root"]),
            number=int(str(tree["number"])),
            uid=inherited.uid,
            memory_mib=int(str(tree["memory_mib"])),
            cpu_seconds=int(str(tree["cpu_seconds"])),
            output_kib=int(str(tree["output_kib"])),
            device=str(tree["device"]),
            gpu={str(name): str(value) for name, value in dict(tree["gpu"]).items()},  # type: ignore[call-overload]
        )
    )


def main(arguments: list[str]) -> None:
    """`zygote FD SUITE [plain]`: serve the control socket FD with the probes of the suite folder."""
    run(socket.socket(fileno=int(arguments[0])), Path(arguments[1]), unconfined="plain" in arguments[2:])
    # Taking torch apart in good order takes half a second.
    os._exit(0)


def run(
    control: socket.socket,
    suite: Path | None,
    relatives: frozenset[int] = frozenset(),
    *,
    unconfined: bool = False,
) -> None:
    """Load the suite's probes and serve until the last judge is gone. `relatives` are children that are no workers.

    Without a suite, the judge names it in its first message. `unconfined`: workers are held back by nothing.
    """
    warm_up()
    if suite is None:
        message = control.recv(1 << 16)
        if not message:
            return
        request = json.loads(message)
        suite = Path(request["suite"])
        if request["trains"]:
            warm_up_training()
    probes = load_suite(suite)
    confine.prctl(confine.PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    gc.enable()
    control.send(b"ready")
    Zygote(control, probes, relatives, unconfined=unconfined).run()


if __name__ == "__main__":
    main(sys.argv[1:])
