"""What doctor says of a GPU: that a confined worker trained on it, or why none can."""

from __future__ import annotations

from types import SimpleNamespace

from grader.commands import doctor
from grader.errors import SandboxError
from grader.model import Raised, Values
from grader.sandbox import base
from grader.sandbox.base import Site
from grader.sandbox.gpu import Gpu

SITE = Site(root="/nowhere", files=())
FOUND = Gpu(name="NVIDIA H100", total_mib=81_000, free_mib=80_000)


def told(monkeypatch, observation=None, refusal=""):
    """The line, and where its worker was."""
    asked = []

    def start(site, limits):
        asked.append(site)
        if refusal:
            raise SandboxError(refusal)
        return SimpleNamespace(gpu=FOUND, kill=lambda: None)

    monkeypatch.setattr(base, "ask", lambda *_: observation)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    line = doctor._gpu(SimpleNamespace(start=start, protections={"files": "Landlock"}), SITE)
    assert (asked[0].device, asked[0].gpu) == ("cuda", {"CUDA_VISIBLE_DEVICES": "1"})
    return line


def test_a_gpu_that_trains(monkeypatch):
    line = told(monkeypatch, Values(values={"reached": True, "detail": "loss 1.77 on cuda:0"}))
    assert line.holds
    assert line.seen == "loss 1.77 on cuda:0; NVIDIA H100, 80000 of 81000 MiB free; Landlock"


def test_a_gpu_that_cannot_load_its_libraries(monkeypatch):
    line = told(monkeypatch, Raised(kind="RuntimeError", message="CUDNN_STATUS_NOT_INITIALIZED", where="", trace=()))
    assert not line.holds
    assert "CUDNN_STATUS_NOT_INITIALIZED" in line.seen


def test_a_gpu_that_does_not_start(monkeypatch):
    line = told(monkeypatch, refusal="a worker cannot use the GPU: Torch not compiled with CUDA enabled")
    assert (line.holds, line.without) == (False, "--device cuda cannot be used")
    assert "not compiled with CUDA" in line.seen
