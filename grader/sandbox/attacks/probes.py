"""What `grader doctor` lets a worker try: each probe is an attempt that should fail, or a limit that should hold."""

from __future__ import annotations

import os
import resource
import socket
import sys
import time
from typing import Any

import torch


def read_outside(modules: Any, path: str) -> dict[str, object]:
    """Try to read a file of the grader."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - the plainest attempt
            return {"reached": True, "detail": file.read(20)}
    except OSError as error:
        return {"reached": False, "detail": error.strerror or ""}


def write_inside(modules: Any) -> dict[str, object]:
    """Try to change the submission's own folder."""
    try:
        with open(f"{sys.path[0]}/planted.txt", "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write("planted")
        os.unlink(f"{sys.path[0]}/planted.txt")  # noqa: PTH108
        return {"reached": True, "detail": "a file was written"}
    except OSError as error:
        return {"reached": False, "detail": error.strerror or ""}


def connect(modules: Any, port: int) -> dict[str, object]:
    """Try to reach a listener of the grader on the loopback interface."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1.0):
            return {"reached": True, "detail": "connected"}
    except OSError as error:
        return {"reached": False, "detail": error.strerror or ""}


def kill_grader(modules: Any, pid: int) -> dict[str, object]:
    """Try to send the harmless signal 0 to the grader's process."""
    try:
        os.kill(pid, 0)
        return {"reached": True, "detail": "a signal could be sent"}
    except OSError as error:
        return {"reached": False, "detail": error.strerror or ""}


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
    try:
        resource.prlimit(pid, resource.RLIMIT_CPU, resource.prlimit(pid, resource.RLIMIT_CPU))
        return {"reached": True, "detail": "limits could be set"}
    except OSError as error:
        return {"reached": False, "detail": error.strerror or ""}


def leave_memory(modules: Any) -> dict[str, object]:
    """Try to make memory that outlives the worker and that other workers can reach."""
    try:
        os.close(os.memfd_create("left"))
        return {"reached": True, "detail": "a memory file was made"}
    except OSError as error:
        return {"reached": False, "detail": error.strerror or ""}


def empty(modules: Any, path: str) -> dict[str, object]:
    """Try to empty a file of the grader by its path."""
    try:
        os.truncate(path, 0)
        return {"reached": True, "detail": "it was emptied"}
    except OSError as error:
        return {"reached": False, "detail": error.strerror or ""}


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
