"""What `grader doctor` lets a worker try: each probe is an attempt that should fail, or a limit that should hold."""

from __future__ import annotations

import os
import socket
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
        with open("planted.txt", "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write("planted")
        os.unlink("planted.txt")  # noqa: PTH108
        return {"reached": True, "detail": "a file was written"}
    except OSError as error:
        return {"reached": False, "detail": error.strerror or ""}


def connect(modules: Any, port: int) -> dict[str, object]:
    """Try to reach a listener of the grader on the loopback interface."""
    with socket.socket() as attempt:
        attempt.settimeout(1.0)
        try:
            attempt.connect(("127.0.0.1", port))
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
    names = sorted(name for name in os.environ if name != "CUDA_VISIBLE_DEVICES")  # empty, to hide a GPU
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
