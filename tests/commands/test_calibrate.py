"""`grader calibrate` as an author uses it: evidence is measured, kept, and held against a threshold that changes."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from tiny_assignment import copy_of_the_assignment, edit, open_for_workers

from grader.assignment.training import read_evidence
from grader.commands import calibrate as calibrating
from grader.model import CheckResult

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="trains in the Linux sandbox")

ITEM = "classifier.learns"
FIGURES = {"training": {"counts": True, "source": "made", "value": 0.9}}


@pytest.fixture
def assignments(tmp_path):
    return copy_of_the_assignment(open_for_workers(tmp_path) / "assignments")


def calibrate(assignments, *arguments):
    environment = {name: value for name, value in os.environ.items() if name != "GRADER_DATA"}
    command = [sys.executable, "-m", "grader.cli", "calibrate", "learner", *arguments, "--assignments", assignments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)


def learner(assignments):
    return assignments / "test_suites" / "learner"


def test_evidence_is_measured_and_a_new_threshold_trains_nothing(assignments):
    suite = learner(assignments)
    before = read_evidence(suite)
    edit(suite / "assignment.yaml", "memory_mib: 1200, full: 0.9,", "memory_mib: 1200, full: 0.85,")
    done = calibrate(assignments, "--training", "made", "--seeds", "3", "--only", ITEM, "--jobs", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("calibration-") == 3
    measured = read_evidence(suite)
    assert measured[ITEM]["made"].seeds == ("calibration-1", "calibration-2", "calibration-3")
    assert len(measured[ITEM]["made"].figures) == 3
    assert measured["tokens.learns"] == before["tokens.learns"]

    done = calibrate(assignments, "--training", "made", "--seeds", "4", "--more", "--only", ITEM, "--jobs", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.count("calibration-") == 1
    more = read_evidence(suite)[ITEM]["made"]
    assert more.seeds == (*measured[ITEM]["made"].seeds, "calibration-4")
    assert more.figures[:3] == measured[ITEM]["made"].figures
    measured = read_evidence(suite)

    edit(suite / "assignment.yaml", "memory_mib: 1200, full: 0.85,", "memory_mib: 1200, full: 0.97,")
    done = calibrate(assignments, "--rates")
    assert "calibration-" not in done.stderr
    assert done.returncode == 1
    assert f"PROBLEM item {ITEM!r} fails" in done.stdout
    anew = read_evidence(suite)
    assert anew[ITEM]["made"].false_fail > measured[ITEM]["made"].false_fail
    assert anew[ITEM]["made"].figures == measured[ITEM]["made"].figures


def test_each_style_is_kept_at_once_and_more_trains_only_what_is_lacking(assignments, monkeypatch):
    entry = read_evidence(learner(assignments))[ITEM]["made"]
    entry = replace(entry, styles={"zero biases": (0.91,)})
    monkeypatch.setattr(calibrating, "styles_of", lambda _: {"zero biases": {"a.py": "1"}, "Xavier": {"a.py": "2"}})
    trained = []

    def measure(seeds, *, sources, style):
        trained.extend((style, seed) for seed in seeds)
        return {seed: CheckResult(item=ITEM, status="passed", figures=FIGURES) for seed in seeds}

    found = [one.styles for one in calibrating._with_styles(entry, None, ("s1", "s2"), measure, more=True)]
    assert found == [
        {"zero biases": (0.91,)},
        {"zero biases": (0.91, 0.9)},
        {"zero biases": (0.91, 0.9), "Xavier": (0.9, 0.9)},
    ]
    assert trained == [("zero biases", "s2"), ("Xavier", "s1"), ("Xavier", "s2")]
    assert list(calibrating._with_styles(replace(entry, styles=found[-1]), None, ("s1",), measure, more=True)) == [
        replace(entry, styles=found[-1])
    ]
    anew = [one.styles for one in calibrating._with_styles(entry, None, ("s1",), measure, more=False)]
    assert anew[-1] == {"zero biases": (0.9,), "Xavier": (0.9,)}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--training", "made", "--seeds", "2"], "at least 3 are needed to say anything about a spread"),
        (["--training", "made", "--only", "classifier.shape"], "no training item of that name for made data"),
        (["--training", "real"], "--training real needs data, and GRADER_DATA is not set"),
        (["--training", "dreamt"], "expected one of off, made, real"),
    ],
)
def test_what_cannot_be_calibrated_is_said(assignments, arguments, said):
    done = calibrate(assignments, *arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_rates_without_evidence_say_how_to_measure_it(assignments):
    (learner(assignments) / "evidence.yaml").unlink()
    done = calibrate(assignments, "--rates")
    assert done.returncode == 2
    assert "`grader calibrate learner --training made` measures it" in done.stderr
