"""Theory of operation of the seats: judges that are forked once and judge one submission after another.

    command line ──job──▶ judge parent ──job──▶ judge ──results──▶ command line
                 ◀─"finished"──┘  ◀──"finished"──┘

A judge sends what it finds out straight to the command line; that a submission is finished, it tells the judge parent,
which passes it on: so the parent knows which judges are idle before the command line can send the next job. A judge is
forked when no other is idle, and takes one job at a time. One that ends (killed by the kernel, at a submission's
deadline, or of its own accord after an error) is replaced when the next job comes; what it had in hand is `gone`.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from grader.wire.messages import PacketPort

MESSAGE_ROOM = 1 << 20

Become = Callable[[PacketPort], None]


@dataclass(eq=False)
class Seat:
    """One judge, what it has in hand (None: it is idle), and until when."""

    pid: int
    pidfd: int
    port: PacketPort
    key: str | None = None
    deadline: float = 0.0

    def descriptors(self) -> tuple[int, int]:
        """What becomes readable when it says something, and when it ends."""
        return self.port.fileno(), self.pidfd


class Seats:
    """The judges of a run, as the judge parent sees them."""

    def __init__(self, port: PacketPort, become: Become, seconds: float) -> None:
        """`become` turns a forked process into a judge that takes jobs from its port; `seconds` are for one job."""
        self._port = port
        self._become = become
        self._seconds = seconds
        self._seats: list[Seat] = []

    def wait(self) -> bool:
        """Wait for the command line, passing on what judges say and reporting those that end. True for a message."""
        watched = {fd: seat for seat in self._seats for fd in seat.descriptors()}
        busy = [seat for seat in self._seats if seat.key is not None]
        timeout = min((max(0.0, seat.deadline - time.monotonic()) for seat in busy), default=None)
        readable, _, _ = select.select([self._port.fileno(), *watched], [], [], timeout)
        for seat in dict.fromkeys(watched[fd] for fd in readable if fd in watched):
            if seat.pidfd in readable:
                self._reap(seat)
            else:
                self._hear(seat)
        for seat in self._seats:
            if seat.key is not None and time.monotonic() >= seat.deadline:
                signal.pidfd_send_signal(seat.pidfd, signal.SIGKILL)
        return self._port.fileno() in readable

    def give(self, job: Mapping[str, object]) -> None:
        """Hand a job to an idle judge, or to a new one."""
        for seat in [seat for seat in self._seats if seat.key is None]:
            if self._send(seat, job):
                return
            self._reap(seat)
        seat = self._fork()
        if not self._send(seat, job):
            # It is dead already; its end will be read and the job is gone.
            seat.key, seat.deadline = str(job["key"]), time.monotonic() + self._seconds

    def close(self) -> None:
        """End all judges."""
        for seat in self._seats:
            signal.pidfd_send_signal(seat.pidfd, signal.SIGKILL)
        for seat in self._seats:
            os.waitpid(seat.pid, 0)

    def _send(self, seat: Seat, job: Mapping[str, object]) -> bool:
        try:
            seat.port.send(job)
        except OSError:
            return False
        seat.key, seat.deadline = str(job["key"]), time.monotonic() + self._seconds
        return True

    def _hear(self, seat: Seat) -> bool:
        """Pass one message on. False when there will be no more: the judge is ending, which its pidfd will say."""
        message = seat.port.receive()
        if message is None:
            return False
        if message["say"] == "finished":
            seat.key = None
        self._port.send(message)
        return True

    def _reap(self, seat: Seat) -> None:
        """Note the end of a judge, after the last things that it said."""
        _, status = os.waitpid(seat.pid, 0)
        while self._hear(seat):
            pass
        seat.port.socket.close()
        os.close(seat.pidfd)
        self._seats.remove(seat)
        if seat.key is not None:
            self._port.send({"say": "gone", "key": seat.key, "status": status})

    def _fork(self) -> Seat:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for side in (ours, theirs):
            side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MESSAGE_ROOM)
        pid = os.fork()
        if pid == 0:
            # A judge that held the other judges' sockets would keep them from seeing the parent's end.
            for seat in self._seats:
                seat.port.socket.close()
                os.close(seat.pidfd)
            ours.close()
            self._judge(PacketPort(theirs))
        theirs.close()
        seat = Seat(pid, os.pidfd_open(pid), PacketPort(ours))
        self._seats.append(seat)
        return seat

    def _judge(self, port: PacketPort) -> None:
        """The forked side; never returns."""
        code = 1
        try:
            self._become(port)
            code = 0
        finally:
            os._exit(code)
