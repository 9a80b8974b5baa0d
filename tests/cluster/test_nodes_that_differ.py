"""What one node lacks, or has otherwise than the others: said once, resumable, nothing doubled, never another grade."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from comparing import files_of
from stand_in_slurm import StandIn
from through_slurm import SEED, command, run, status
from tiny_assignment import ROOT, lay_out_submission, open_for_workers

import grader
from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.cluster.task import FOLDER, place
from grader.proof.reference import lay_out
from grader.results.journal import NAME, read
from grader.run.engine import Order, record_at
from grader.thresholds import figure_of

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="grading a class needs Linux")
pytest.importorskip("submitit", reason='submitit is not installed: pip install "dl-grader[slurm]"')

WRONG = {"model.py": (".mean(dim=1)", ".mean(dim=1) * 2")}
OPTIONS = ("--slurm", "--jobs", 1, "--shards", 2)
HOURS = 7200
JUDGE = "from grader.cluster import node; node.UNTIL_FREE_SECONDS = 300; node.Judge()({0!r}, 'cpu', {1})"


@pytest.fixture
def slurm(tmp_path):
    with StandIn(tmp_path / "slurm") as running:
        yield running


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    folder = open_for_workers(tmp_path_factory.mktemp("class"))
    for key in ("ada", "bo", "cy", "dan"):
        lay_out_submission(folder / key, WRONG if key == "bo" else {})
    return folder


@pytest.fixture(scope="module")
def whole(handed_in, tmp_path_factory):
    """The results of one run."""
    out = tmp_path_factory.mktemp("whole") / "out"
    run(None, "grade", "tiny", handed_in, "--seed", SEED, "--out", out)
    return files_of(out)


def grade(slurm, folder, out, *options, slug="tiny", code=0, **environment):
    arguments = ("grade", slug, folder, "--seed", SEED, "--out", out, *OPTIONS, *options)
    told = run(slurm, *arguments, code=code, **environment)
    assert "Traceback" not in told
    return told


def tried(out, number, array="cpu"):
    """How often a shard began to say something."""
    return place(out, array, number).with_suffix(".log").read_text().count("grader: ")


# --- data -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def learners(tmp_path_factory):
    folder = open_for_workers(tmp_path_factory.mktemp("learners"))
    for key in ("ada", "bo"):  # one in each shard
        lay_out(load(folders_below(ROOT, "learner")), folder / key)
    return folder


@pytest.fixture
def data(tmp_path):
    for name in ("train.csv", "test.csv"):
        (tmp_path / "data" / "points").mkdir(parents=True, exist_ok=True)
        (tmp_path / "data" / "points" / name).write_text("drawn by the task")
    return tmp_path / "data"


def figures(out):
    """What was measured of whom; every training is judged."""
    stored = read(out).submissions
    assert {one.results["classifier.learns"].status for one in stored.values()} == {"passed"}
    return {key: figure_of(one.results["classifier.learns"]) for key, one in stored.items()}


def test_what_one_node_lacks_is_judged_on_another(slurm, learners, data, tmp_path):
    slurm.nodes(full={}, bare={"GRADER_DATA": str(tmp_path / "unmounted")})
    grade(slurm, learners, tmp_path / "out", slug="learner", GRADER_DATA=str(data))
    assert sorted(task.split()[2] for task in slurm.tasks) == ["bare", "full", "full"]
    assert set(figures(tmp_path / "out")) == {"ada", "bo"}


def test_data_that_no_node_has_is_said_once_and_resume_tries_again(slurm, learners, data, tmp_path):
    """Copies of the nodes' own are looked at as well: one lacks a file, and one node has nothing to copy."""
    out, node = tmp_path / "out", tmp_path / "scratch"
    shutil.copytree(data, tmp_path / "half")
    (tmp_path / "half" / "points" / "test.csv").unlink()
    slurm.nodes(half={"GRADER_DATA": str(tmp_path / "half")}, bare={"GRADER_DATA": str(tmp_path / "unmounted")})
    options = ("--training", "real", "--stage", node)
    told = grade(slurm, learners, out, *options, slug="learner", code=3, GRADER_DATA=str(data))
    assert "2 thing(s) keep shards from being judged" in told or "1 thing(s) keep shards" in told
    assert told.count("Not found: points. Looked in: ") == 1
    assert "lacks test.csv. Put train.csv and test.csv into" in told
    assert "all parts of a class must be judged alike" in told
    assert "Not found: points" in status(slurm, out)
    for number in (1, 2):
        assert tried(out, number) == 3, "another node may have it, but somebody has to hear of it"
        if (journal := place(out, "cpu", number) / NAME).exists():
            assert '"kind":"result"' not in journal.read_text()
    slurm.nodes(half={}, bare={})
    assert "2 done; 2 of 2 submissions judged" in grade(
        slurm, learners, out, *options, "--resume", slug="learner", GRADER_DATA=str(data)
    )
    one = tmp_path / "one"
    run(None, "grade", "learner", learners, "--seed", SEED, "--out", one, GRADER_DATA=str(data))
    assert figures(out) == figures(one)


def test_what_is_trained_does_not_hang_on_a_nodes_environment(slurm, learners, data, tmp_path):
    """Where GRADER_DATA is not set, nothing is trained by default."""
    out = tmp_path / "out"
    slurm.nodes(forgetful={"GRADER_DATA": ""})
    told = grade(slurm, learners, out, slug="learner", code=3, GRADER_DATA=str(data))
    assert told.count("--training real needs data, and GRADER_DATA is not set") == 1
    slurm.nodes(mended={})
    told = grade(slurm, learners, out, "--resume", slug="learner", code=2, GRADER_DATA="")
    assert "--training real needs data, and GRADER_DATA is not set" in told, "not begun anew without trainings"
    grade(slurm, learners, out, "--resume", slug="learner", GRADER_DATA=str(data))
    assert set(figures(out)) == {"ada", "bo"}


# --- programs, clocks, disks ----------------------------------------------------------------------------------------


@pytest.fixture
def another_version(tmp_path):
    """The package as somebody changed it, found before the installed one."""
    package = tmp_path / "other" / "grader"
    shutil.copytree(Path(grader.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / "text.py").open("a") as file:
        file.write("# of last week\n")
    return {"PYTHONPATH": str(package.parent)}


@pytest.fixture
def wrong_clock(tmp_path):
    """Two hours ahead of everybody else."""
    (tmp_path / "ahead").mkdir()
    (tmp_path / "ahead" / "sitecustomize.py").write_text(
        f"import time\nreal = time.time\ntime.time = lambda: real() + {HOURS}\n"
    )
    return {"PYTHONPATH": str(tmp_path / "ahead")}


def test_another_version_and_another_clock_on_a_node(slurm, handed_in, whole, another_version, wrong_clock, tmp_path):
    out = tmp_path / "out"
    slurm.nodes(new={}, old=another_version)
    told = grade(slurm, handed_in, out, code=3)
    assert "cpu 2 (on old): this node has another grader" in told
    assert told.count("install the same on both, and run the same command again") == 1
    assert len(slurm.tasks) == 2, "what somebody must mend is not tried again by itself"
    for path in [path for path in (out / FOLDER).rglob("*") if path.is_file()]:
        os.utime(path, (time.time() + 9 * HOURS,) * 2)  # what a file server far ahead would write
    (out / FOLDER / "cpu" / "002.json").write_text('{"code": 0, "of a later version": true}')
    assert "tiny on cpu: 2 shards: 1 done" in status(slurm, out)
    slurm.nodes(ahead=wrong_clock)
    told = grade(slurm, handed_in, out, "--resume")
    assert told.count("note: the clock of ahead differs from the file server's by +7200 s") == 1
    assert files_of(out) == whole


def mounted(folder, mib):
    """A small disk of its own. Skips where it cannot be had."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", folder], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no disk can be mounted here: {done.stderr.strip()}")


@pytest.fixture
def disk(tmp_path):
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root mounts disks")
    mounted(tmp_path / "disk", 40)
    yield open_for_workers(tmp_path / "disk")
    subprocess.run(["umount", "-l", tmp_path / "disk"], check=True)


def fill(disk, leave):
    """Take all room but some bytes."""
    with (disk / "others").open("ab") as file:
        room = shutil.disk_usage(disk).free - leave
        os.posix_fallocate(file.fileno(), file.tell(), room)


def test_a_shared_disk_that_fills(slurm, handed_in, whole, disk, tmp_path):
    out = disk / "out"
    fill(disk, 16 << 10)
    assert "No space left on device" in grade(slurm, handed_in, out, code=3), "there is no room for the recording"
    assert slurm.tasks == []
    (disk / "others").unlink()
    slurm.nodes(before=f"head -c 99M /dev/zero >> {disk}/others", one={}, two={})
    told = grade(slurm, handed_in, out, code=3)
    assert told.count(f"the disk of {out} is full: make room") == 1, told
    (disk / "others").unlink()
    for number in (1, 2):
        subprocess.run([sys.executable, "-c", JUDGE.format(str(out), number)], cwd=tmp_path, check=True)
    fill(disk, 8 << 10)
    told = grade(slurm, handed_in, out, "--resume", code=3)
    assert "No space left on device" in told, "all is judged, and there is no room to put it together"
    assert "ake room" in told
    (disk / "others").unlink()
    grade(slurm, handed_in, out, "--resume")
    assert files_of(out) == whole
    assert len(slurm.tasks) == 2


# --- twice ----------------------------------------------------------------------------------------------------------


def test_two_callers_of_one_folder_send_once(slurm, handed_in, whole, tmp_path):
    out = tmp_path / "out"
    arguments = command("grade", "tiny", handed_in, "--seed", SEED, "--out", out, *OPTIONS)
    callers = [
        subprocess.Popen(
            arguments, env={**os.environ, **slurm.environment}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]  # fmt: skip
    said = {caller.communicate(timeout=300)[1]: caller.returncode for caller in callers}
    assert sorted(Counter(caller.returncode for caller in callers).items()) == [(0, 1), (2, 2)], said
    assert all(f"another call looks after {out}" in text for text, code in said.items() if code)
    assert len(slurm.tasks) == 2
    assert files_of(out) == whole


def test_one_shard_on_two_nodes_at_once(slurm, handed_in, whole, tmp_path):
    """As when a node that was given up still judges: the second waits, and finds that all is done."""
    out = tmp_path / "out"
    slurm.nodes(before="exit 1", dead={})
    assert "it died without a word" in grade(slurm, handed_in, out, code=3)
    judge = [sys.executable, "-c", JUDGE.format(str(out), 1)]
    both = [subprocess.Popen(judge, stderr=subprocess.PIPE, cwd=tmp_path) for _ in range(2)]
    assert [one.communicate(timeout=300)[1] or one.returncode for one in both] == [0, 0]
    lines = [json.loads(line) for line in (place(out, "cpu", 1) / NAME).read_text().splitlines()]
    written = Counter((line["key"], line["result"]["item"]) for line in lines if line["kind"] == "result")
    assert set(written.values()) == {1}
    slurm.nodes(alive={})
    grade(slurm, handed_in, out, "--resume")
    assert files_of(out) == whole


# --- what cannot be sent --------------------------------------------------------------------------------------------


def test_without_slurm_or_with_another_partition_nothing_is_made(slurm, handed_in, tmp_path):
    out = tmp_path / "out"
    (tmp_path / "empty").mkdir()
    told = run(None, "grade", "tiny", handed_in, "--out", out, "--slurm", code=2, PATH=str(tmp_path / "empty"))
    assert "there is no Slurm on this machine (sbatch is not found)" in told
    assert "--shard I/N" in told
    told = grade(slurm, handed_in, out, "--partition", "nowhere", code=2)
    assert "--partition: Slurm has no partition nowhere; it has main, gpus" in told
    assert not out.exists()


def test_a_recording_of_something_else_changes_no_grade(slurm, handed_in, whole, tmp_path):
    record_at(tmp_path / "recording", Order(folders=folders_below(ROOT, "learner"), seed=SEED))
    told = grade(slurm, handed_in, tmp_path / "out", "--recording", tmp_path / "recording")
    assert (
        told.count("is not used: it was made for assignment learner, this is tiny. The reference is run instead") == 1
    )
    assert files_of(tmp_path / "out") == whole
