"""Starting the zygote and the judge from the command line. Imports neither torch nor anything Linux-only."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

# Forked by a zygote and held back; forked by one and held back by nothing; each a Python of its own (and neither).
Workers = Literal["confined", "plain", "spawned"]
ZYGOTE_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # Huge pages make forks cheap: fewer page table entries are copied. Python's own allocator would not use them.
    "PYTHONMALLOC": "malloc",
    # The fixed threshold gives large tensors back at once; else a heap of huge pages grows with every step of training.
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=4194304",
    "KINETO_LOG_LEVEL": "99",
    # Backends that are no part of torch are not looked for in every installed package.
    "TORCH_DEVICE_BACKEND_AUTOLOAD": "0",
    "CUDA_VISIBLE_DEVICES": "",
    # An optimiser asks whether there is a GPU. Answered by the driver, that would keep every fork from using it.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
}
JUDGE_SETTINGS = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", "KINETO_LOG_LEVEL": "99"}
LIBRARIES = "LD_LIBRARY_PATH"  # on some clusters the GPU's driver is found through it alone
KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "USERPROFILE")


def start_zygote(
    control: socket.socket, suite: Path, errors: IO[bytes], *, plain: bool = False
) -> subprocess.Popen[bytes]:
    """Exec a zygote that serves the other end of `control`; it says b"ready" there when everything is loaded."""
    more = ["plain"] if plain else []
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "grader.sandbox.zygote", str(control.fileno()), str(suite), *more],
        env={**ZYGOTE_ENVIRONMENT, **_search_paths()},
        pass_fds=[control.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        start_new_session=True,
        cwd="/",
    )


@dataclass(frozen=True)
class Launched:
    """The process that becomes zygote and judge parent, our end of the conversation, and what it prints."""

    process: subprocess.Popen[bytes]
    port: socket.socket
    errors: IO[bytes]

    def __enter__(self) -> Launched:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, and the judges and workers with it. Safe to call twice."""
        self.port.close()
        end(self.process)
        self.errors.close()


def unconfined() -> Workers:
    """How a student's own code runs here without a sandbox: forked, where the system has what that needs."""
    try:
        os.close(os.pidfd_open(os.getpid()))
        os.close(os.memfd_create("probe", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING))
        return "plain" if hasattr(os, "fork") else "spawned"
    except (AttributeError, OSError):
        return "spawned"


def launch(*, plain: bool = False) -> Launched:
    """Exec the process that imports torch once and becomes two (see `grader.judge.start`). Needs Linux.

    `plain`: its workers are held back by nothing and keep the user's environment; nothing is left in their folder.

    It learns from the first message over `port` what the run is about, so it can be started before that is known:
    importing torch takes longer than everything that the command line has to find out.
    """
    control, judges_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for side in (ours, theirs):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
    ends = [theirs.fileno(), judges_control.fileno(), control.fileno()]
    more, environment = (["plain"], {"PYTHONDONTWRITEBYTECODE": "1"}) if plain else ([], {})
    path = {"PATH": os.environ.get("PATH", os.defpath)}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "grader.judge.start", *map(str, ends), str(os.getpid()), *more],
        env={**judge_environment(), **ZYGOTE_ENVIRONMENT, **path, **environment},
        pass_fds=ends,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=errors,
        start_new_session=True,
    )
    for side in (control, judges_control, theirs):
        side.close()
    return Launched(process, ours, errors)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, and make it."""
    with suppress(OSError):
        process.terminate()
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def start_portable_judge(errors: IO[bytes]) -> subprocess.Popen[bytes]:
    """Exec a judge that talks over its standard input and output and uses the portable back end."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "grader.judge.main", "portable"],
        env={**judge_environment(), "PYTHONDONTWRITEBYTECODE": "1"},  # nothing is left in a student's folder
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
    )


def judge_environment() -> dict[str, str]:
    """A clean environment: nothing of the instructor's pytest or Hypothesis settings reaches the judge."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return {**kept, **JUDGE_SETTINGS, **_search_paths()}


def _search_paths() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PYTHONPATH", LIBRARIES) if name in os.environ}
