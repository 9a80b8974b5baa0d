"""What `grader doctor` lets a worker try: each probe is an attempt that should fail, or a limit that should hold."""

from __future__ import annotations

import os
import resource
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

import torch


def tried(attempt: Callable[[], str]) -> dict[str, object]:
    """Whether an attempt got through, with what it saw or why the system refused."""
    try:
        return {"reached": True, "detail": attempt()}
    except OSError as error:
        return {"reached": False, "detail": error.strerror or ""}


def read_outside(modules: Any, path: str) -> dict[str, object]:
    """Try to read a file of the grader."""

    def attempt() -> str:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - the plainest attempt
            return file.read(20)

    return tried(attempt)


def write_inside(modules: Any) -> dict[str, object]:
    """Try to change the submission's own folder."""

    def attempt() -> str:
        with open(f"{sys.path[0]}/planted.txt", "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write("planted")
        os.unlink(f"{sys.path[0]}/planted.txt")  # noqa: PTH108
        return "a file was written"

    return tried(attempt)


def connect(modules: Any, port: int) -> dict[str, object]:
    """Try to reach a listener of the grader on the loopback interface."""

    def attempt() -> str:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return "connected"

    return tried(attempt)


def kill_grader(modules: Any, pid: int) -> dict[str, object]:
    """Try to send the harmless signal 0 to the grader's process."""

    def attempt() -> str:
        os.kill(pid, 0)
        return "a signal could be sent"

    return tried(attempt)


def environment(modules: Any) -> dict[str, object]:
    """Look for inherited environment variables."""
    # Beside where the scratch folder is, one variable is there: it is empty, to hide a GPU.
    names = sorted(name for name, value in os.environ.items() if value not in ("", os.getcwd()))  # noqa: PTH109
    return {"reached": bool(names), "detail": ", ".join(names)[:100]}


def descriptors(modules: Any) -> dict[str, object]:
    """Look for inherited descriptors beyond input, output, errors and the channel."""
    found = []
    for number in range(4, 256):
        try:
            os.fstat(number)
            found.append(number)
        except OSError:
            continue
    return {"reached": bool(found), "detail": str(found)[:100] if found else ""}


def fork_many(modules: Any) -> dict[str, object]:
    """Start processes until the system refuses, at most 500."""
    for count in range(500):
        try:
            pid = os.fork()
        except OSError as error:
            return {"reached": False, "detail": f"refused after {count}: {error.strerror}"}
        if pid == 0:
            time.sleep(30)
            os._exit(0)
    return {"reached": True, "detail": "500 processes were started"}


def limit_others(modules: Any, pid: int) -> dict[str, object]:
    """Try to take processor time away from another process."""

    def attempt() -> str:
        resource.prlimit(pid, resource.RLIMIT_CPU, resource.prlimit(pid, resource.RLIMIT_CPU))
        return "limits could be set"

    return tried(attempt)


def leave_memory(modules: Any) -> dict[str, object]:
    """Try to make memory that outlives the worker and that other workers can reach."""

    def attempt() -> str:
        os.close(os.memfd_create("left"))
        return "a memory file was made"

    return tried(attempt)


def empty(modules: Any, path: str) -> dict[str, object]:
    """Try to empty a file of the grader by its path."""

    def attempt() -> str:
        os.truncate(path, 0)
        return "it was emptied"

    return tried(attempt)


def allocate(modules: Any, mib: int) -> dict[str, object]:
    """Allocate more than the limit."""
    block = torch.empty(mib << 18)
    return {"reached": True, "detail": f"{block.numel() >> 18} MiB were allocated"}


def spin(modules: Any) -> dict[str, object]:
    """Never end."""
    while True:
        pass


def train_a_little(modules: Any) -> dict[str, object]:
    """Forward, backward and a step by hand: what honest code needs must work."""
    weight = torch.ones(4, 4, requires_grad=True)
    loss = (weight @ torch.ones(4)).square().mean()
    loss.backward()  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    return {"reached": True, "detail": f"loss {loss.item():g}, gradient {weight.grad.mean().item():g}"}


def train_on_the_gpu(modules: Any) -> dict[str, object]:
    """A recurrent layer, a convolution and a loss, forwards and backwards: they load what CUDA loads lazily."""
    with torch.device(modules.device):
        layers = torch.nn.LSTM(8, 8, batch_first=True), torch.nn.Conv1d(6, 1, 3)
        rows = torch.ones(4, 6, 8)
        loss = torch.nn.functional.cross_entropy(layers[1](layers[0](rows)[0])[:, 0], torch.zeros(4, dtype=torch.long))
        loss.backward()  # type: ignore[no-untyped-call]
    gradient = layers[0].weight_ih_l0.grad
    assert gradient is not None
    return {"reached": True, "detail": f"loss {loss.item():.3g} on {gradient.device}"}
