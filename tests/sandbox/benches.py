"""A back end with one open submission, as the conformance suite uses it."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

from grader.assignment.assignment import Limits
from grader.sandbox.base import Site, ask, request_tree
from grader.sandbox.launch import start_zygote
from grader.sandbox.portable import PortableSandbox
from grader.worker.loading import FileSpec

FIXTURES = Path(__file__).parent.parent / "fixtures"
SUITE = FIXTURES / "suites" / "behaviours"
LIMITS = Limits(wall_seconds=60.0, cpu_seconds=10.0, memory_mib=512, output_kib=64)
SHORT = Limits(wall_seconds=1.0, cpu_seconds=10.0, memory_mib=512, output_kib=64)


class Bench:
    """Runs probes on the behaviours; the worker is used again until it is dead."""

    def __init__(self, kind: str, root: Path) -> None:
        self.kind = kind
        self.site = Site(root=root, files=(FileSpec(id="m", path="m.py", expected="m.py"),))
        self.process = None
        self._zygote = None
        if kind != "portable":
            from grader.sandbox.linux import LinuxSandbox

            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the bench
            self._zygote = start_zygote(theirs, SUITE, self._errors, plain=kind == "plain")
            theirs.close()
            self.sandbox = LinuxSandbox(ours)
            self.sandbox.wait_until_ready()
        else:
            self.sandbox = PortableSandbox(SUITE)

    @property
    def zygote_pid(self) -> int:
        return self._zygote.pid

    def run(self, name, *arguments, probe="call", limits=LIMITS, fresh=False, **more):
        """The observation of one request."""
        if fresh and self.process is not None:
            self.process.kill()
        if self.process is None or self.process.dead:
            self.process = self.sandbox.start(self.site, LIMITS)
        inputs = {"name": name, "arguments": list(arguments)} if probe == "call" else {"name": name} if name else {}
        tree = {"binding": [], "seed": 0, "trace": False, **more}
        request = request_tree(probe=probe, inputs=inputs, options={}, **tree)
        return ask(self.process, "run", request, limits)

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
        self.sandbox.close()
        if self._zygote is not None:
            self._zygote.wait(60)
            self._errors.close()
