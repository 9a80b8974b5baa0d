"""Trainings whose data is not there: a part of a class ends at once, a run of the whole class leaves them open."""

import os
import subprocess
import sys

import pytest
from tiny_assignment import ROOT, open_for_workers

from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.intake.layout import digest_of
from grader.model import Submission
from grader.proof.reference import lay_out
from grader.results.journal import read
from grader.run.engine import Engine, Order, Trainings
from grader.run.grading import judge_all
from grader.thresholds import figure_of

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="trains in the Linux sandbox")

FOLDERS = folders_below(ROOT, "learner")
LEARNER = load(FOLDERS)
ALIKE = "grader: nothing more of this part is judged here, because all parts of a class must be judged alike."
NEITHER = "Not found: points. Looked in: {data}/points. Put train.csv and test.csv into {data}/points (plain or .gz)."


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    folder = open_for_workers(tmp_path_factory.mktemp("learners"))
    for key in ("ada", "bob"):
        lay_out(LEARNER, folder / key)
    return folder


@pytest.fixture
def data(tmp_path):
    """A folder of data with another set."""
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    (tmp_path / "data" / "mnist" / "mnist.npz").write_text("of no concern")
    return tmp_path / "data"


def put(data, *names):
    (data / "points").mkdir(exist_ok=True)
    for name in names:
        (data / "points" / name).write_text("drawn by the task")


def grade(folder, out, *options, data, code=0):
    """What is said of one part; `data` is what GRADER_DATA names."""
    command = [sys.executable, "-m", "grader.cli", "grade", "learner", folder, "--out", out, "--seed", "s", *options]
    environment = {name: value for name, value in os.environ.items() if name != "GRADER_DATA"}
    environment |= {} if data is None else {"GRADER_DATA": str(data)}
    done = subprocess.run(
        [*map(str, command), "--assignments", str(ROOT)],
        env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout[-2000:] + done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    return done.stderr


def statuses(out):
    return {
        key: {name: result.status for name, result in stored.results.items()}
        for key, stored in read(out).submissions.items()
    }


def figures(out):
    return {key: figure_of(stored.results["classifier.learns"]) for key, stored in read(out).submissions.items()}


def test_a_part_that_lacks_a_set_ends_before_anything_is_judged_and_goes_on_when_it_is_there(handed_in, data, tmp_path):
    out, part = tmp_path / "out", ("--shard", "1/1", "--training", "real")
    told = grade(handed_in, out, *part, data=data, code=3)
    assert told.count("Not found: points") == 1
    assert f"run the same command again. classifier.learns: {NEITHER.format(data=data)}" in told
    assert ALIKE in told
    assert statuses(out) == {"ada": {}, "bob": {}}
    put(data, "train.csv")
    told = grade(handed_in, out, *part, data=data, code=3)
    assert f"{data}/points lacks test.csv." in told
    assert statuses(out) == {"ada": {}, "bob": {}}
    put(data, "test.csv")
    grade(handed_in, out, *part, data=data)
    assert statuses(out)["bob"] == {
        "classifier.shape": "passed", "classifier.learns": "passed", "tokens.learns": "skipped"
    }  # fmt: skip
    grade(handed_in, tmp_path / "another", *part, data=data)
    assert figures(out) == figures(tmp_path / "another")
    (data / "points" / "test.csv").unlink()
    grade(handed_in, out, *part, data=data)  # nothing is to be trained


def test_a_part_on_a_machine_without_the_folder_ends_like_any_fault_of_a_machine(handed_in, tmp_path):
    out, part = tmp_path / "out", ("--shard", "1/1", "--training", "real")
    for folder, words in (
        (tmp_path / "nowhere", f"names {tmp_path}/nowhere, which is no folder"),
        (None, "is not set"),
    ):
        told = grade(handed_in, out, *part, data=folder, code=3)
        assert f"--training real needs data, and GRADER_DATA {words}" in told
        assert ALIKE in told
        assert words in grade(handed_in, out, "--training", "real", data=folder, code=2), "one run is a wrong call"
    told = grade(handed_in, out, *part, "--stage", tmp_path / "node", data=tmp_path / "nowhere", code=3)
    assert f"--stage copies the data that GRADER_DATA names, and that is no folder: {tmp_path}/nowhere" in told
    assert not out.exists()


def test_a_part_whose_machine_copied_too_little_ends_too(handed_in, data, tmp_path):
    out, part = tmp_path / "out", ("--shard", "1/1", "--training", "real", "--stage", tmp_path / "node")
    put(data, "train.csv", "test.csv")
    grade(handed_in, out, *part, "--only", "classifier.shape", data=data)
    [copy] = (tmp_path / "node").iterdir()
    assert (copy / "points" / "test.csv").exists()
    (data / "points" / "test.csv").unlink()
    told = grade(handed_in, out, *part, data=data, code=3)
    assert f"{copy}/points lacks test.csv." in told, "a copy of what is gone would be taken for the set"
    (tmp_path / "unmounted").mkdir()
    told = grade(handed_in, out, *part, data=tmp_path / "unmounted", code=3)
    assert f"{tmp_path}/unmounted holds no file; is its disk mounted on this machine?" in told
    assert "classifier.learns" not in statuses(out)["ada"]


def test_a_run_of_the_whole_class_says_it_once_and_leaves_these_items_open(handed_in, data, tmp_path):
    told = grade(handed_in, tmp_path / "out", data=data)
    assert told.count("note: classifier.learns: Not found: points. Looked in:") == 1
    assert "Until then it stays open; everything else is judged." in told
    assert statuses(tmp_path / "out")["ada"] == {
        "classifier.shape": "passed", "classifier.learns": "skipped", "tokens.learns": "skipped"
    }  # fmt: skip


def test_data_that_goes_while_it_is_used_is_a_fault_and_no_missing_set(handed_in, data):
    put(data, "train.csv", "test.csv")
    order = Order(folders=FOLDERS, seed="s", trainings=Trainings(source="real", data=data, seconds=100))
    work = [
        Submission(key=key, root=handed_in / key, digest=digest_of(handed_in / key), files={"model": "model.py"})
        for key in ("ada", "bob")
    ]
    with Engine(order) as engine:
        assert engine.lacking == {}
        (data / "points" / "test.csv").unlink()
        [ada, _] = judge_all(engine, work, seed="s", items=("classifier.learns", "classifier.shape"))
    assert ada.results["classifier.shape"].status == "passed"
    lost = ada.results["classifier.learns"]
    assert lost.status == "grader_error"
    assert "The data was there when this run began, and is there no more." in lost.staff
    assert "lacks test.csv" in lost.staff
