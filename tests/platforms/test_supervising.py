"""The supervisor on this machine: what is told in the end, and what when the grading or it itself is stopped."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from jsonschema import validate
from tiny_assignment import SLUG, copy_of_the_assignment, edit, lay_out_submission

from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.platforms.bundle import Wanted, write
from grader.reports import gradescope

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="platforms run Linux")
DUE = 'late: {due: "2026-03-01T00:00:00+01:00", action: zero}\n\nlimits:'
SLOW = {"layers.py": ("    shifted =", "    import time\n    time.sleep(30)\n    shifted =")}


def bundle(folder, *, platform="gradescope", due=False, seconds=None):
    root = copy_of_the_assignment(folder / "assignments")
    if due:
        edit(folders_below(root, SLUG).suite / "assignment.yaml", "limits:", DUE)
    folders = folders_below(root, SLUG)
    write(load(folders), folders, Wanted(platform=platform, seed="seed", docker=True), folder / "bundle")
    source = folder / "bundle" / "source"
    settings = json.loads((source / "bundle.json").read_text("utf-8"))
    if seconds is not None:
        (source / "bundle.json").write_text(json.dumps({**settings, "seconds": seconds}), encoding="utf-8")
    return source


def started(platform, source, root):
    return subprocess.Popen(
        [sys.executable, "-m", "grader.platforms", platform, str(source), str(root)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.fixture
def autograder(tmp_path):
    """Gradescope's folder."""
    root = tmp_path / "autograder"
    root.mkdir()
    return root


def run(source, root, code=0, platform="gradescope"):
    process = started(platform, source, root)
    text, _ = process.communicate(timeout=300)
    assert process.returncode == code, text
    return text


def told(root):
    found = json.loads((root / "results" / "results.json").read_text("utf-8"))
    validate(found, gradescope.schema())
    return found


@pytest.mark.parametrize(("created", "score"), [("2026-02-28T23:59:00+01:00", 9), ("2026-03-01T00:01:00+01:00", 0)])
def test_lateness_is_that_of_the_submissions_own_time(tmp_path, autograder, created, score):
    lay_out_submission(autograder / "submission")
    (autograder / "submission_metadata.json").write_text(json.dumps({"created_at": created}), encoding="utf-8")
    run(bundle(tmp_path, due=True), autograder)
    found = told(autograder)
    assert (found["score"], found["extra_data"]["late"]) == (score, score == 0)


def test_when_the_time_is_up_the_part_that_was_judged_is_told_and_nothing_is_left(tmp_path, autograder):
    lay_out_submission(autograder / "submission", SLOW)
    run(bundle(tmp_path, seconds=20.0), autograder, code=3)
    found = told(autograder)
    assert "took too long" in found["output"]
    assert found["extra_data"]["complete"] is False
    assert processes_of(tmp_path) == []


def processes_of(folder):
    """Command lines that name the folder."""
    done = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if str(folder) in line]


def wait_for(root, seen):
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline:
        if (root / "results" / "results.json").exists() and seen(told(root)):
            return
        time.sleep(0.1)
    raise AssertionError("it was not told in time")


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 3), (signal.SIGKILL, -signal.SIGKILL)])
def test_a_supervisor_that_is_stopped_has_told_what_was_judged(tmp_path, autograder, sent, code):
    lay_out_submission(autograder / "submission", SLOW)
    process = started("gradescope", bundle(tmp_path), autograder)
    wait_for(autograder, lambda found: any(test.get("score") for test in found["tests"]))
    process.send_signal(sent)
    process.communicate(timeout=60)
    assert process.returncode == code
    found = told(autograder)
    assert [test["extra_data"]["item"] for test in found["tests"] if test.get("score")][:1] == ["gate.forward"]
    assert found["extra_data"]["complete"] is False


def test_an_empty_hand_in_and_a_strange_one_are_told(tmp_path, autograder):
    (autograder / "submission").mkdir()
    source = bundle(tmp_path)
    run(source, autograder)
    assert told(autograder)["score"] == 0
    (autograder / "submission" / "notes.txt").write_text("no code", encoding="utf-8")
    run(source, autograder)
    assert told(autograder)["score"] == 0


def test_prairielearn_and_autolab_take_the_same_path(tmp_path):
    lay_out_submission(tmp_path / "grade" / "student", {"model.py": (".mean(dim=1)", ".sum(dim=1)")})
    source = bundle(tmp_path, platform="prairielearn")
    run(source, tmp_path / "grade", platform="prairielearn")
    found = json.loads((tmp_path / "grade" / "results" / "results.json").read_text("utf-8"))
    assert found["score"] == pytest.approx(7 / 9)
    assert found["gradable"] is True
    last = run(source, tmp_path / "grade" / "student", platform="autolab").splitlines()[-1]
    assert json.loads(last) == {"scores": {"Question 1": 5, "Question 2": 0, "Question 3": 2}}


def test_plain_grades_a_class_from_in_to_out(tmp_path):
    for name in ("ada", "bob"):
        lay_out_submission(tmp_path / "in" / name)
    (tmp_path / "out").mkdir()
    run(bundle(tmp_path, platform="plain"), tmp_path, platform="plain")
    assert {path.parent.name for path in (tmp_path / "out").glob("*/results.json")} == {"ada", "bob"}
