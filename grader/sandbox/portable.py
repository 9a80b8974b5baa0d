"""The portable back end: a spawned Python, the same wire over a loopback socket. Works on Windows and macOS.

It protects nothing and says so: this is a student's machine running the student's own code. Nothing Linux-only is
imported here, and nothing forks.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from grader.assignment.assignment import Limits
from grader.errors import AuthorError, SandboxError
from grader.sandbox import scratch
from grader.sandbox.base import Ending, Process, Site
from grader.sandbox.gpu import Gpu
from grader.sandbox.level import UNPROTECTED, level_of
from grader.sandbox.starving import Starving
from grader.text import clean
from grader.wire.frames import Channel, ChannelClosed, FrameTimeout, WireError, encode

SPAWN_SECONDS = 90.0
KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "TEMP", "TMP", "HOME", "USERPROFILE", "PYTHONPATH", "LD_LIBRARY_PATH")


class PortableProcess:
    """One spawned worker."""

    def __init__(self, popen: subprocess.Popen[bytes], channel: Channel, output: IO[bytes], folder: str) -> None:
        self.channel = channel
        self._folder = folder
        self.dead = False
        self.gpu: Gpu | None = None  # a portable worker has none
        self._popen = popen
        self._output = output
        self._starving = Starving(popen.pid)

    def kill(self) -> None:
        """Kill the process; what it started itself is not found on every system."""
        self.dead = True
        with contextlib.suppress(OSError):
            self._popen.kill()
        if self._popen.stdin is not None:
            with contextlib.suppress(OSError):
                self._popen.stdin.close()
        self.channel.close()

    def ending(self) -> Ending:
        """Wait for the process, killing it if it does not end by itself."""
        try:
            code = self._popen.wait(2.0)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._popen.wait(10.0)
        return Ending(signal=-code) if code < 0 else Ending(code=code)

    def output(self, since: int = 0) -> str:
        """What was written to the descriptors."""
        self._output.seek(since)
        raw = self._output.read(1 << 14)
        self._output.seek(0, os.SEEK_END)  # the worker writes where this file stands
        return clean(raw.decode("utf-8", errors="replace"), 4000)

    def written(self) -> int:
        """The size of the file that it was written to."""
        return os.fstat(self._output.fileno()).st_size

    def memory_mib(self) -> float | None:
        """Not seen from outside in a way that every system has."""
        return None

    def processor_seconds(self) -> float | None:
        """Nor this: the wall clock alone limits a portable worker."""
        return None

    def starved_seconds(self) -> float | None:
        """Seen on Linux."""
        return self._starving.seconds()

    def __del__(self) -> None:
        self.kill()
        self._starving.close()
        with contextlib.suppress(Exception):
            self._popen.wait(5.0)
            self._output.close()
        scratch.remove(self._folder)


class PortableSandbox:
    """Spawned workers. One serves a whole submission, because starting one takes seconds on a laptop."""

    forks = False

    def __init__(self, suite: Path) -> None:
        self._suite = suite
        self.protections: Mapping[str, str] = {"level": level_of(UNPROTECTED), **UNPROTECTED}

    def start(self, site: Site, limits: Limits) -> Process:
        """Spawn a Python, wait for its connection, open the submission."""
        if site.device != "cpu":
            raise SandboxError("without a sandbox nothing runs on a GPU")
        deadline = time.monotonic() + SPAWN_SECONDS
        token = secrets.token_hex(16)
        folder = scratch.apart(str(site.root))
        output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        with socket.create_server(("127.0.0.1", 0)) as server:
            port = server.getsockname()[1]
            popen = subprocess.Popen(
                [sys.executable, "-P", "-m", "grader.sandbox.spawned", str(port), str(self._suite)],
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=site.root,
            )
            assert popen.stdin is not None
            # Left open: its end tells the worker that the judge is gone, however that ended.
            popen.stdin.write(token.encode() + b"\n")
            popen.stdin.flush()
            connection = _accept(server, popen, token, deadline, output)
        process = PortableProcess(popen, Channel(connection), output, folder)
        try:
            process.channel.send("open", "open", encode(site.tree(str(site.root), folder)), deadline)
            process.channel.receive(deadline)
        except (ChannelClosed, FrameTimeout, WireError) as error:
            raise SandboxError(f"a worker could not open the submission: {process.output()[-1500:]}") from error
        return process

    def preload(self, modules: Sequence[str]) -> bool:
        """Not needed: a portable worker can import what is installed."""
        return False

    def close(self) -> None:
        """Nothing is kept running between submissions."""


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    fixed = {"OMP_NUM_THREADS": "1", "KINETO_LOG_LEVEL": "99", "CUDA_VISIBLE_DEVICES": "", "PYTHONUTF8": "1"}
    return {**kept, **fixed, "PYTHONDONTWRITEBYTECODE": "1"}  # nothing is left in a student's folder


def _accept(
    server: socket.socket, popen: subprocess.Popen[bytes], token: str, deadline: float, output: IO[bytes]
) -> socket.socket:
    """The connection that presents the token. Raises AuthorError when the process ends first."""
    server.settimeout(0.2)
    while time.monotonic() < deadline:
        try:
            connection, _ = server.accept()
        except TimeoutError:
            if popen.poll() is not None:
                output.seek(0)
                text = clean(output.read(1 << 14).decode("utf-8", errors="replace"), 3000)
                raise AuthorError(f"the suite's probes or stand-ins cannot be imported:\n{text}") from None
            continue
        connection.settimeout(5.0)
        with contextlib.suppress(OSError):
            if secrets.compare_digest(connection.recv(64), token.encode()):
                return connection
        connection.close()
    popen.kill()
    raise SandboxError(f"a worker did not start within {SPAWN_SECONDS:.0f} s")
