"""What a training does when something goes wrong on the GPU that is not the student's mistake."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal
from types import SimpleNamespace

import pytest
import torch

from grader.assignment.assignment import Budget, Item, Needs, Part, Training
from grader.datasets.source import DataSource
from grader.judge import training_run
from grader.judge.attempt import figures_of
from grader.judge.sides import Ended, ReferenceSide
from grader.judge.submissions import SubmissionJudge
from grader.judge.training_run import Gym, TrainingRun, WorkerPredictor
from grader.model import Notes, OutOfMemory, Raised, Values
from grader.sandbox.base import Site
from grader.sandbox.gpu import Gpu
from grader.suite.training import Trained

MIXED = Raised(kind="RuntimeError", message="Expected all tensors to be on the same device", where="", trace=())
DONE = Values(values={"steps": 2}, notes=Notes(progress=((2, {"loss": 0.5}),), gpu_mib=(10.0, 30.0, 20.0, 40.0)))
FULL = OutOfMemory(limit_mib=100)
SITE = Site(root="/nowhere", files=(), device="cuda", gpu={"CUDA_VISIBLE_DEVICES": "0"})


@pytest.fixture
def runs(monkeypatch):
    """Make runs whose workers answer as told; where each worker was, and which had the machine to itself."""

    def make(*answers, site=SITE, needs=None):
        told, seen = list(answers), SimpleNamespace(devices=[], alone=[])

        @contextmanager
        def alone(only):
            seen.alone.append(only)
            yield

        def start(where, limits):
            seen.devices.append(where.device)
            found = Gpu(name="G", total_mib=100, free_mib=100) if where.device == "cuda" else None
            return SimpleNamespace(dead=False, gpu=found, kill=lambda: None, ending=lambda: None)

        monkeypatch.setattr(training_run, "ask", lambda *_: told.pop(0))
        monkeypatch.setattr(TrainingRun, "give", lambda *_: None)
        monkeypatch.setattr(TrainingRun, "_take", lambda *_: {})
        gym = Gym(
            sandbox=SimpleNamespace(start=start, preload=lambda names: False), site=site, source=DataSource(made=True),
            seed="s", alone=alone,
        )  # fmt: skip
        item = Item(id="a", question="1", points=Decimal(1), part="1", needs=needs or Needs())
        reference = ReferenceSide(SimpleNamespace(), SimpleNamespace(), {})
        return TrainingRun(gym, item, Budget(steps=2, seconds=1), 0, reference), seen

    return make


def probe(modules):
    """Never called: the workers are made up."""


def test_code_that_only_runs_on_a_processor_is_trained_there(runs):
    run, seen = runs(MIXED, DONE)
    run.train(probe, given={})
    assert seen.devices == ["cuda", "cpu"]
    assert (run.attempt.device, run.attempt.gpu) == ("cpu", "")
    assert "Expected all tensors to be on the same device" in run.attempt.moved


def test_what_raises_everywhere_is_the_students(runs):
    wrong = Raised(kind="IndexError", message="index out of range", where="", trace=())
    run, seen = runs(MIXED, wrong)
    with pytest.raises(Ended) as ended:
        run.train(probe, given={})
    assert ended.value.observation == wrong
    assert seen.devices == ["cuda", "cpu"]


def test_a_processor_is_not_left(runs):
    run, seen = runs(MIXED, site=Site(root="/nowhere", files=()))
    with pytest.raises(Ended):
        run.train(probe, given={})
    assert seen.devices == ["cpu"]


def test_what_must_run_on_a_gpu_stays_there(runs):
    run, seen = runs(MIXED, needs=Needs(gpu=True))
    with pytest.raises(Ended):
        run.train(probe, given={})
    assert (seen.devices, run.attempt.device) == (["cuda"], "cuda")


def test_memory_that_ran_out_on_the_gpu_is_tried_alone(runs):
    run, seen = runs(FULL, DONE)
    run.train(probe, given={})
    assert (seen.devices, seen.alone) == (["cuda", "cuda"], [False, True])
    again, seen = runs(FULL, FULL)
    with pytest.raises(Ended):
        again.train(probe, given={})
    assert seen.devices == ["cuda", "cuda"]


def test_predictions_leave_the_gpu_too(runs):
    run, seen = runs(MIXED, Values(values={"logits": torch.zeros(1)}))
    answer = WorkerPredictor(run, probe, Trained(weights={}, start={}), {})({})
    assert set(answer) == {"logits"}
    assert run.attempt.device == "cpu", "nothing was trained, and nothing was measured elsewhere"
    assert seen.devices == ["cuda", "cpu"]


def test_the_gpu_and_what_it_held_are_stored(runs):
    run, _ = runs(DONE)
    run.train(probe, given={})
    budget = Budget(steps=2, seconds=1)
    spec = Training(metric="accuracy", counted="all", made=budget)
    figures = figures_of(spec, budget, "made", run.attempt, [run.attempt])
    assert (figures["device"], figures["gpu"]) == ("cuda", "G")
    assert (figures["gpu_peak_mib"], figures["gpu_steady_mib"], figures["peak_mib"]) == (40.0, 30.0, None)


def test_what_needs_a_gpu_is_asked_where_there_is_one():
    asked = []
    part = Part(id="1", title="One", question="1")
    plain = Item(id="plain", question="1", points=Decimal(1), part="1")
    large = Item(id="large", question="1", points=Decimal(1), part="1", needs=Needs(gpu=True))
    here, there = Site(root="/nowhere", files=()), SITE
    judge = SimpleNamespace(
        _skipped=lambda item: False, _site=here, _site_of_gpu=there, _doubts=[],
        _observing=SimpleNamespace(set_aside=lambda put_back=None: None), _observe=lambda: asked.append("observed"),
        _workers=SimpleNamespace(move=lambda site: asked.append(site.device), renew=lambda: None),
        _settle=lambda: asked.append("settled"),
        _judge_group=lambda part, items: asked.append([item.id for item in items]),
    )  # fmt: skip
    SubmissionJudge._run_part(judge, part, [large, plain])
    assert asked == ["cpu", ["plain"], "cuda", ["large"], "settled", "observed"]
