"""What a worker takes for itself: pages that it shares neither with the zygote nor with other workers."""

from __future__ import annotations

import socket
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import children_of, private_mib
from grader.assignment.assignment import Limits
from grader.sandbox.base import Site, ask
from grader.sandbox.launch import start_zygote
from grader.sandbox.linux import LinuxSandbox
from grader.wire.frames import encode
from grader.worker.loading import FileSpec


@dataclass(frozen=True)
class WorkerMemory:
    """MiB of a worker that waits for a submission, and of one that has loaded it (None: may not be looked at)."""

    waiting: float
    loaded: float | None

    @property
    def opened_text(self) -> str:
        """The second figure in words."""
        return "with the submission loaded " + ("unknown" if self.loaded is None else f"{self.loaded:.1f} MiB")


def worker_memory(suite: Path, submission: Path) -> WorkerMemory:
    """Start a zygote, let one worker load the submission, and look at it and at the one that waits."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with tempfile.TemporaryFile() as errors:
        zygote = start_zygote(theirs, suite, errors)
        theirs.close()
        sandbox = LinuxSandbox(ours)
        try:
            sandbox.wait_until_ready()
            site = Site(root=submission, files=(FileSpec(id="speed", path="speed.py", expected="speed.py"),))
            limits = Limits()
            process = sandbox.start(site, limits)
            ask(process, "load", encode({"file": "speed"}), limits)
            time.sleep(0.2)  # the next worker is forked while this one works
            loaded, waiting = sorted(children_of(zygote.pid))
            return WorkerMemory(private_mib(waiting), _if_allowed(loaded))
        finally:
            sandbox.close()
            zygote.wait(10.0)


def _if_allowed(pid: int) -> float | None:
    # A confined worker is not dumpable: only root may look at its memory.
    try:
        return private_mib(pid)
    except OSError:
        return None
