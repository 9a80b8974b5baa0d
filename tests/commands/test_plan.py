"""How long a run will take, said before anything runs."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from grader.assignment.assignment import Assignment, Budget, Evidence, Item, Needs, Part, Question, Training
from grader.commands.plan import prices_of, text
from grader.commands.runs import trainings_for, trainings_planned
from grader.errors import UsageError
from grader.run.engine import Trainings
from grader.run.grading import trainings_of

ONE = Evidence(
    figures=(0.95, 0.97), seeds=("1", "2"), mean=0.96, spread=0.01, false_fail=0.0, steps=60, seconds=30.0,
    device="cpu", data="made by code", versions="torch",
)  # fmt: skip
TRAINING = Training(metric="accuracy", counted="top-1", made=Budget(steps=60, seconds=300))
SOMETIMES = replace(TRAINING, real=Budget(steps=900, seconds=7200))


def item(name, training=None, **more):
    return Item(id=name, question="1", points=Decimal(1), part="1", training=training, **more)


ASSIGNMENT = Assignment(
    slug="hw", title="Homework", suite=Path("s"), reference=Path("r"), template=Path("t"), total=Decimal(4), files=(),
    questions=(Question(id="1", title="One"),), parts=(Part(id="1", title="One", question="1"),),
    items=(
        item("shape"), item("quick", TRAINING), item("both", SOMETIMES),
        item("large", SOMETIMES, needs=Needs(gpu=True)),
    ),
    evidence={"quick": {"made": ONE}, "both": {"made on cuda": replace(ONE, device="cuda", seconds=5.0)}},
)  # fmt: skip
ALL = ("shape", "quick", "both", "large")


def plan(trainings, items=ALL, count=1, jobs=1):
    return text(ASSIGNMENT, items, trainings, count, jobs).splitlines()


def test_measured_seconds_or_the_limit():
    assert plan(Trainings(source="made")) == [
        "hw: 1 item without training, well under a minute each way",
        "  quick                              30 s  measured on the reference, 60 steps",
        "  both                            5.0 min  at most, 60 steps (measured elsewhere only: 5 s on cuda)",
        "  large                                 -  needs a GPU: skipped",
        "On cuda: at most 10.1 min for one submission, at most 10.1 min for all (1 of 3 trainings measured, 2 by the "
        "manifest's limit).",
        "  For all: at most 0.2 hours of a GPU.",
        "On cpu: at most 5.5 min for one submission, at most 5.5 min for all (1 of 2 trainings measured, 1 by the "
        "manifest's limit).",
        "  For all: at most 0.1 hours of a processor.",
        "That is 1 submission with 1 job.",
    ]


def test_the_seconds_of_another_device_do_not_count():
    lines = plan(Trainings(source="made", device="cuda"))
    assert lines[1:4] == [
        "  quick                           5.0 min  at most, 60 steps (measured elsewhere only: 30 s on cpu)",
        "  both                                5 s  measured on the reference, 60 steps",
        "  large                           5.0 min  at most, 60 steps (not measured on cuda)",
    ]


def test_what_is_measured_on_other_hardware_says_which_and_by_what_factor(monkeypatch):
    fast = replace(ONE, device="NVIDIA H200", seconds=5.0)
    evidence = {"quick": {"made": ONE, "made on cuda": fast}, "both": {"made on cuda": fast}}
    monkeypatch.setitem(globals(), "ASSIGNMENT", replace(ASSIGNMENT, evidence=evidence))
    lines = plan(Trainings(source="made"))
    assert lines[2].endswith("30 s  5 s on NVIDIA H200, times 6 as for 1 training measured on both")
    assert lines[-3].startswith("On cpu: about 60 s for one submission")
    assert "(1 of 2 trainings measured, 1 elsewhere, times its factor)" in lines[-3]


def test_hours_of_a_device_and_their_price_are_of_all_submissions_whatever_runs_side_by_side():
    hundred = [
        text(ASSIGNMENT, ALL, Trainings(source="made"), 100, jobs, prices_of(["cuda=2.5", "cpu=.1"])).splitlines()
        for jobs in (1, 8)
    ]
    for lines in hundred:
        assert lines[-2] == "  For all: at most 9.2 hours of a processor, 0.92 at 0.10 an hour."
        assert lines[-4] == "  For all: at most 16.8 hours of a GPU, 42.01 at 2.50 an hour."
    assert "at most 9.2 hours for all" in hundred[0][-3]
    assert "at most 68.8 min for all" in hundred[1][-3]


@pytest.mark.parametrize("given", [["cuda"], ["tpu=1"], ["cpu=dear"], ["cpu=-1"], ["cpu=inf"], ["cpu=1", "cpu=2"]])
def test_a_price_is_of_an_hour_of_a_device(given):
    with pytest.raises(UsageError, match=r"expected a device, cpu or cuda, with the price .* such as cuda=2\.50"):
        prices_of(given)


def test_items_without_that_data():
    lines = plan(Trainings(source="real", data=Path("data"), device="cuda"))
    assert lines[1].endswith("-  no training on real data")
    assert "4.0 hours" in lines[-3]
    assert lines[-3].startswith("On cuda: at most")
    assert lines[-1].startswith("That is 1 submission with 1 job, fewer if the GPU's memory is too small")


def test_what_is_measured_throughout_is_no_upper_bound():
    assert plan(Trainings(source="made"), ("quick",))[-3:-2] == [
        "On cpu: about 30 s for one submission, about 30 s for all (1 of 1 trainings measured)."
    ]


def test_nothing_is_trained_unless_it_is_turned_on():
    lines = plan(Trainings())
    assert all(line.endswith("-  not trained") for line in lines[1:4])
    assert lines[4:] == ["Nothing will be trained: --training made or --training real turns it on."]


def test_without_training_items_nothing_is_said_of_them():
    assert plan(Trainings(), ("shape",)) == ["hw: 1 item without training, well under a minute each way"]


@pytest.mark.parametrize(
    ("count", "jobs", "time"),
    [(0, 4, "0 s"), (100, 1, "9.2 hours"), (100, 4, "2.3 hours"), (2, 64, "5.5 min"), (1, 0, "5.5 min")],
)
def test_the_whole_class(count, jobs, time):
    found = plan(Trainings(source="made"), count=count, jobs=jobs)
    assert f"at most {time} for all" in found[-3]


# --- what a run trains --------------------------------------------------------------------------------------------


def test_the_time_of_trainings_allows_for_a_second_try():
    assert trainings_of(ASSIGNMENT, "off").seconds == 0
    assert trainings_of(ASSIGNMENT, "made").seconds == 6 * 900
    assert trainings_of(ASSIGNMENT, "real", Path("d"), "cuda").seconds == 6 * 14400


def test_without_a_choice_real_data_is_used_where_it_is(monkeypatch, tmp_path):
    monkeypatch.delenv("GRADER_DATA", raising=False)
    assert trainings_for(ASSIGNMENT, None, "cpu").source == "off"
    monkeypatch.setenv("GRADER_DATA", str(tmp_path))
    assert trainings_for(ASSIGNMENT, None, "cpu") == trainings_of(ASSIGNMENT, "real", tmp_path)
    made = trainings_for(ASSIGNMENT, "made", "cpu")
    assert (made.source, made.data) == ("made", None)


def test_a_plan_needs_neither_data_nor_a_gpu(monkeypatch):
    monkeypatch.delenv("GRADER_DATA", raising=False)
    planned = trainings_planned(ASSIGNMENT, "real", "cuda")
    assert (planned.source, planned.device, planned.data) == ("real", "cuda", None)


def test_the_folder_may_begin_with_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GRADER_DATA", "~")
    assert trainings_for(ASSIGNMENT, "real", "cpu").data == tmp_path


@pytest.mark.parametrize(
    ("folder", "choice", "device", "said"),
    [
        ("", "sometimes", "cpu", "--training 'sometimes': expected one of off, made, real"),
        ("", "real", "cpu", "GRADER_DATA is not set"),
        ("/nowhere/data", "real", "cpu", "/nowhere/data, which is no folder"),
        ("/nowhere/data", None, "cpu", "/nowhere/data, which is no folder"),
        ("", "made", "abacus", "--device 'abacus': expected one of cpu, cuda"),
    ],
)
def test_what_cannot_be_trained(monkeypatch, folder, choice, device, said):
    monkeypatch.setenv("GRADER_DATA", folder)
    with pytest.raises(UsageError, match=said):
        trainings_for(ASSIGNMENT, choice, device)
