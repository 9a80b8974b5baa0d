"""`grader calibrate` as an author uses it: evidence is measured, kept, and held against a threshold that changes."""

import os
import subprocess
import sys

import pytest
from tiny_assignment import copy_of_the_assignment, edit, open_for_workers

from grader.assignment.training import read_evidence

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="trains in the Linux sandbox")

ITEM = "classifier.learns"


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
