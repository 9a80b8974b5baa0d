"""Whole runs with `--device cuda` and no GPU: refused by a real torch, and on one that the suite's probes make up."""

from __future__ import annotations

import sys

import pytest
import torch
from test_without_a_gpu import assignment, handed_in  # noqa: F401 - fixtures
from tiny_assignment import copy_of_the_assignment

from grader.assignment.locate import folders_below
from grader.errors import GraderError
from grader.run.engine import Engine, Order, Trainings
from grader.run.grading import judge_all
from grader.thresholds import FIGURES

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="uses the Linux sandbox")

ON_GPU = Trainings(source="made", device="cuda", gpu={"CUDA_VISIBLE_DEVICES": "7"}, seconds=100)
# Loaded by the process that forks workers, before any of them is confined.
MADE_UP = """

import os
import types

import torch

_ones = torch.ones
torch.ones = lambda *size, **more: _ones(*size, **{**more, "device": "cpu"})
torch.cuda.get_device_properties = lambda _: types.SimpleNamespace(
    name="GPU " + os.environ["CUDA_VISIBLE_DEVICES"], total_memory=16 << 30
)
torch.cuda.mem_get_info = lambda: (15 << 30, 16 << 30)
torch.cuda.set_per_process_memory_fraction = lambda share: setattr(torch.cuda, "is_initialized", lambda: True)
torch.cuda.manual_seed_all = lambda seed: None
torch.cuda.max_memory_allocated = lambda: 96 << 20
torch.cuda.reset_peak_memory_stats = lambda: None
"""


@pytest.fixture(scope="module")
def made_up(assignment, tmp_path_factory):  # noqa: F811
    """The same assignment; its probes bring a GPU."""
    root = copy_of_the_assignment(tmp_path_factory.mktemp("made-up") / "root")
    suite = root / "test_suites" / "learner"
    (suite / "assignment.yaml").write_text((assignment[0].suite / "assignment.yaml").read_text())
    (suite / "probes.py").write_text((suite / "probes.py").read_text() + MADE_UP)
    return folders_below(root, "learner")


def test_a_gpu_that_cannot_be_used_ends_the_run_before_anybody_is_graded(assignment):  # noqa: F811
    if torch.version.cuda:
        pytest.skip("this torch may find one")
    order = Order(folders=assignment[0], seed="s", trainings=ON_GPU)
    with pytest.raises(GraderError, match=r"a worker cannot use the GPU: .*CUDA"), Engine(order):
        pass


def test_a_training_on_a_gpu_reports_its_name_and_memory(made_up, handed_in):  # noqa: F811
    items = ("classifier.shape", "classifier.learns")
    with Engine(Order(folders=made_up, seed="s", items=items, trainings=ON_GPU)) as engine:
        seats = engine.seats
        [graded] = judge_all(engine, [handed_in], seed="s", items=items, jobs=64)
    assert seats == 15 * 1024 // (3 * (1200 + 800))
    assert graded.results["classifier.shape"].status == "passed", graded.results["classifier.shape"].message
    result = graded.results["classifier.learns"]
    assert (result.status, result.message) == ("passed", "")
    figures = result.figures[FIGURES]
    assert (figures["device"], figures["gpu"]) == ("cuda", "GPU 7")
    assert (figures["gpu_peak_mib"], figures["gpu_steady_mib"]) == (96.0, 96.0)
    assert figures["peak_mib"] > 50
