"""`make gpu` on GPUs that are none, so that the first real one finds no slip of ours."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from test_made_up_gpu import ON_GPU, made_up  # noqa: F401 - a fixture
from test_without_a_gpu import assignment  # noqa: F401 - a fixture

from benchmarks import gpu
from grader.assignment.manifest import load

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="uses the Linux sandbox")


def test_every_call_of_a_suite_is_held_against_the_processors_answer(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "assignments"))
    monkeypatch.setattr(gpu, "SUITE_SECONDS", 600.0)
    found = gpu.in_a_child("conv_net", "pretend_device")
    assert found["calls"] > 100
    assert found["agree"] == found["calls"], found
    row = gpu.table({"agreement": {"conv_net": {**found, "took": 1.0}}})[-1]
    assert row == f"| agreement | conv_net | {found['calls']} of {found['calls']} calls agree | 1.0 |"


def test_trainings_and_eight_at_a_time(made_up, monkeypatch):  # noqa: F811
    monkeypatch.setattr(gpu, "PACKED", 2)
    monkeypatch.setattr(gpu, "context", lambda: {"context_mib": 400.0, "assumed_mib": 800, "gpu": "made up"})
    account = gpu.Account(600.0)
    gpu.examine(account, {"learner": (made_up, load(made_up))}, ON_GPU.gpu, ["made", "packed", "context"])
    trained = account.figures["made"]["learner"]
    assert trained["items"]["classifier.learns"]["status"] == ["passed"], trained
    assert trained["items"]["classifier.learns"]["gpu_peak_mib"] == 96.0
    assert [figure["jobs"] for figure in account.figures["packed"].values()] == [1, 2]
    rows = gpu.table(account.figures)
    assert "| context | process | 400 MiB (800 assumed) on made up |" in rows[2]
    assert any("classifier.learns passed, 96 MiB" in row for row in rows)


def test_what_fails_is_told_and_the_others_go_on():
    def broken():
        raise RuntimeError("CUDA error: out of memory")

    account = gpu.Account(600.0)
    account.take("made", "one", broken)
    account.take("made", "two", lambda: {"copies": 1, "seconds": 1.0, "jobs": 1, "seats": 3, "items": {}})
    late = gpu.Account(-1.0)
    late.take("made", "three", broken)
    assert "**RuntimeError: CUDA error: out of memory**" in gpu.table(account.figures)[2]
    assert "1 in 1.0 s" in gpu.table(account.figures)[3]
    assert late.figures["made"]["three"]["error"] == "no time was left"
