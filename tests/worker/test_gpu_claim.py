"""What a worker does with a GPU, on one that is made up."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from grader.worker import gpu, service

GIB = 1 << 30


@pytest.fixture
def card(monkeypatch):
    """A GPU of 16 GiB with what `free` says; its calls are noted."""
    card = SimpleNamespace(free=[16 * GIB], share=None, waited=0.0, now=0.0)

    def sleep(seconds):
        card.now += seconds

    flags = torch.backends.cudnn, torch.backends.cuda.matmul
    before = [(flags[0], name, getattr(flags[0], name)) for name in ("allow_tf32", "benchmark", "deterministic")]
    before.append((flags[1], "allow_tf32", flags[1].allow_tf32))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(name="G", total_memory=16 * GIB))
    monkeypatch.setattr(
        torch.cuda, "mem_get_info", lambda: (card.free.pop(0) if len(card.free) > 1 else card.free[0], 16 * GIB)
    )
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda share: setattr(card, "share", share))
    ones = torch.ones
    monkeypatch.setattr(torch, "ones", lambda *size, device="cpu": ones(*size))
    monkeypatch.setattr(gpu.time, "sleep", sleep)
    monkeypatch.setattr(gpu.time, "monotonic", lambda: card.now)
    yield card
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True
    for place, name, value in before:
        setattr(place, name, value)


def test_a_worker_takes_its_share_and_no_more(card):
    assert gpu.claim(4096) == {"name": "G", "total_mib": 16384, "free_mib": 16384}
    assert card.share == 0.25


def test_numbers_are_repeatable_and_in_full_precision(card):
    gpu.claim(1024)
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cudnn.benchmark


def test_the_memory_of_a_killed_process_is_waited_for(card):
    card.free = [GIB, GIB, 8 * GIB]
    assert gpu.claim(4096)["free_mib"] == 8192
    assert card.now == 0.5


def test_memory_that_others_hold_is_no_students_fault(card):
    card.free = [GIB]
    answer = service.attempt_to_claim(4096)
    assert answer["status"] == "failed"
    assert (
        "1024 of its 16384 MiB of memory are free, 4096 are needed; other processes hold the rest" in answer["message"]
    )
    assert card.share is None


def test_a_torch_without_cuda_says_so():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    answer = service.attempt_to_claim(100)
    torch.use_deterministic_algorithms(False)
    assert answer["status"] == "failed"
    assert "CUDA" in answer["message"]


def test_progress_names_the_gpus_memory_only_where_one_is_used(monkeypatch):
    sent = []
    channel = SimpleNamespace(send=lambda frame, kind, encoded: sent.append(encoded.tree))
    report = service.reporter(channel, "id")
    report(1, {"loss": 0.5})
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 3 << 20)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    report(2, {"loss": 0.5})
    assert "gpu_mib" not in sent[0]
    assert sent[1]["gpu_mib"] == {"$f": (3.0).hex()}
