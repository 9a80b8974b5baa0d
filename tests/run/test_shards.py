"""A class judged in parts and merged is the class judged at once, byte for byte but for times."""

import os
import subprocess
import sys

import pytest
from comparing import files_of
from tiny_assignment import ROOT, lay_out_submission, open_for_workers

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="grading a class needs Linux")

EDITS = {
    "bo": {"model.py": (".mean(dim=1)", ".mean(dim=1) * 2")},
    "cy": {"layers.py": ("opened = torch.sigmoid(self.gate(x))", "print('x')\n        opened = self.gate(x)")},
}


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    folder = open_for_workers(tmp_path_factory.mktemp("class"))
    for key in ("ada", "bo", "cy", "dan", "eve"):
        lay_out_submission(folder / key, EDITS.get(key))
    (folder / "empty").mkdir()
    return folder


def run(*arguments, code=0):
    command = [sys.executable, "-m", "grader.cli", *map(str, arguments), "--assignments", str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env={**os.environ})
    assert done.returncode == code, done.stderr[-3000:]
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def parts(handed_in, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    for number in (1, 2, 3):
        run("grade", "tiny", handed_in, "--seed", "s", "--shard", f"{number}/3", "--out", folder / str(number))
    return [folder / str(number) for number in (1, 2, 3)]


def test_the_parts_are_the_whole(handed_in, parts, tmp_path):
    run("grade", "tiny", handed_in, "--seed", "s", "--out", tmp_path / "whole")
    run("merge", *parts, "--out", tmp_path / "merged")
    whole, merged = files_of(tmp_path / "whole"), files_of(tmp_path / "merged")
    assert set(whole) == set(merged)
    for name, text in whole.items():
        assert merged[name] == text, name
    taken = [{path.name for path in (part / "submissions").iterdir()} for part in parts]
    assert sum(map(len, taken)) == 5, "each part takes in its own submissions only"
    assert {"people.csv", "suite.json", "summary.csv", "bo/report.html"} <= set(whole)


def test_a_recording_gives_every_part_its_seed(handed_in, parts, tmp_path):
    listing = run_recordings("list")
    name = next(line.split()[0] for line in listing.splitlines() if "seed s" in line and line.startswith("tiny-"))
    place = f"{os.environ['XDG_CACHE_HOME']}/dl-grader/recordings/{name}"
    run("grade", "tiny", handed_in, "--recording", place, "--shard", "1/3", "--out", tmp_path / "one", "--no-cache")
    assert files_of(tmp_path / "one") == files_of(parts[0])
    told = run("grade", "tiny", handed_in, "--recording", place, "--seed", "t", "--out", tmp_path / "two", code=2)
    assert "was made with the seed s, and this run has the seed t" in told


def run_recordings(*arguments, code=0):
    command = [sys.executable, "-m", "grader.cli", "recording", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == code, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_parts_need_one_seed(handed_in, tmp_path):
    told = run("grade", "tiny", handed_in, "--shard", "1/3", "--out", tmp_path / "out", code=2)
    assert "--shard needs --seed or --recording: every shard must draw the same cases" in told


def test_a_folder_belongs_to_one_part(handed_in, parts, tmp_path):
    told = run("grade", "tiny", handed_in, "--seed", "s", "--shard", "2/3", "--out", parts[0], code=2)
    assert "holds shard 1/3, not 2/3" in told
    told = run("grade", "tiny", handed_in, "--seed", "s", "--out", parts[0], code=2)
    assert "is that of a shard" in told
    run("grade", "tiny", handed_in, "--shard", "1/3", "--out", parts[0])
    told = run("merge", *parts[:2], "--out", tmp_path / "merged", code=2)
    assert "missing of 3 shards: 3" in told


def test_recordings_are_listed_shown_and_removed(handed_in, tmp_path):
    run("grade", "tiny", handed_in / "ada", "--seed", "shown", "--only", "gate", "--out", tmp_path / "out")
    listing = run_recordings("list")
    name = next(line.split()[0] for line in listing.splitlines() if "seed shown" in line)
    assert "2 items" in next(line for line in listing.splitlines() if line.startswith(name))
    shown = run_recordings("show", name, "--suite", tmp_path / "suite")
    assert "assignment tiny, seed shown" in shown
    assert "gate.forward: 8 case(s). The output is tanh of one layer" in shown
    for path in ("cases.py", "assignment.yaml"):
        assert (tmp_path / "suite" / path).read_bytes() == (ROOT / "test_suites" / "tiny" / path).read_bytes()
    assert "name a new folder" in run_recordings("show", name, "--suite", tmp_path / "suite", code=2)
    assert f"removed {name}" in run_recordings("remove", name)
    assert name not in run_recordings("list")
    assert "there is no recording" in run_recordings("show", name, code=2)
    assert "there is no recording" in run_recordings("remove", name, code=2)
    assert "name recordings, or give --all" in run_recordings("remove", code=2)
