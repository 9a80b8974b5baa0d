"""A run on a machine without a GPU: what needs one is skipped and stays open, and a run that had one is not undone."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_assignment import copy_of_the_assignment, open_for_workers

from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.commands import replay
from grader.commands.runs import trainings_for
from grader.errors import UsageError
from grader.intake.layout import digest_of
from grader.model import CheckResult, Submission
from grader.proof.reference import lay_out
from grader.results.journal import Journal, read
from grader.run.engine import Trainings
from grader.run.grading import grade_into
from grader.run.scores import reports_of
from grader.sandbox import gpu

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="uses the Linux sandbox")

ITEMS = ("classifier.shape", "classifier.learns")


@pytest.fixture(scope="module")
def assignment(tmp_path_factory):
    """The tiny assignment with trainings, one item of which needs a GPU."""
    root = copy_of_the_assignment(tmp_path_factory.mktemp("assignments") / "root")
    manifest = root / "test_suites" / "learner" / "assignment.yaml"
    text = manifest.read_text()
    manifest.write_text(
        text.replace("  - id: classifier.shape\n", "  - id: classifier.shape\n    needs: {gpu: true}\n")
    )
    folders = folders_below(root, "learner")
    return folders, load(folders)


@pytest.fixture(scope="module")
def handed_in(assignment, tmp_path_factory):
    root = open_for_workers(tmp_path_factory.mktemp("handed-in")) / "ada"
    lay_out(assignment[1], root)
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return Submission(key="ada", root=root.resolve(), digest=digest_of(root), files={"model": "model.py"})


def grade(assignment, handed_in, out):
    folders, manifest = assignment
    with Journal(out, "learner") as journal:
        grade_into(
            journal, manifest, folders, [handed_in], seed="s", items=ITEMS, jobs=1, report=None,
            tell=lambda progress: None, trainings=Trainings(source="made", seconds=100),
        )  # fmt: skip
    return read(out).submissions["ada"].results


def test_skipped_is_not_failed_and_a_run_on_a_gpu_is_not_undone(assignment, handed_in, tmp_path):
    results = grade(assignment, handed_in, tmp_path)
    skipped = results["classifier.shape"]
    assert (skipped.status, skipped.reason) == ("skipped", "needs a GPU, and this run has none")
    assert results["classifier.learns"].status == "passed"
    [report] = reports_of(tmp_path, assignment[1])
    assert [line.state for line in report.lines if line.item == "classifier.shape"] == ["skipped"]

    with Journal(tmp_path, "learner") as journal:
        journal.result("ada", replace(skipped, status="passed", credit=1.0, reason="", message=""), "on a GPU")
    assert grade(assignment, handed_in, tmp_path)["classifier.shape"].status == "passed"


def test_the_gpu_of_a_run_is_the_one_that_may_be_seen(assignment, monkeypatch):
    monkeypatch.setattr(gpu, "nodes", lambda: [Path("/dev/nvidia0")])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    assert trainings_for(assignment[1], "made", "cuda").gpu == {"CUDA_VISIBLE_DEVICES": "2"}
    assert trainings_for(assignment[1], "made", "cpu").gpu == {}
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(UsageError, match="CUDA_VISIBLE_DEVICES hides every GPU"):
        trainings_for(assignment[1], "made", "cuda")


def test_without_one_the_option_is_refused(assignment, monkeypatch):
    monkeypatch.setattr(gpu, "nodes", list)
    with pytest.raises(UsageError, match="no NVIDIA GPU"):
        trainings_for(assignment[1], "made", "cuda")


def test_what_needs_a_gpu_is_replayed_on_one(assignment, monkeypatch):
    monkeypatch.setattr(gpu, "nodes", lambda: [Path("/dev/nvidia0")])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    result = CheckResult(item="classifier.shape", status="passed", credit=1.0)
    assert replay._trainings(result, assignment[1]).device == "cuda"
    assert replay._trainings(replace(result, item="classifier.learns"), assignment[1]).device == "cpu"
