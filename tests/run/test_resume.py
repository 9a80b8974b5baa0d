"""A run that is killed or interrupted and continued with the same command gives the same results."""

import contextlib
import csv
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_assignment import ROOT, lay_out_submission, open_for_workers

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="grading a class needs Linux")

COPIES = 8
EDITS = {
    2: {"model.py": (".mean(dim=1)", ".sum(dim=1)")},
    4: {"layers.py": ("opened = torch.sigmoid(self.gate(x))", "print('x')\n        opened = self.gate(x)")},
    6: {"layers.py": ("    shifted =", "    import os\n    os._exit(0)\n    shifted =")},
}


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    folder = open_for_workers(tmp_path_factory.mktemp("many"))
    for number in range(COPIES):
        lay_out_submission(folder / f"s{number}", EDITS.get(number))
    return folder


def command(handed_in, out):
    return [sys.executable, "-m", "grader.cli", "grade", "tiny", str(handed_in), "--out", str(out), "--seed", "resume",
            "--jobs", "2", "--assignments", str(ROOT)]  # fmt: skip


def start(handed_in, out):
    return subprocess.Popen(command(handed_in, out), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def finish(handed_in, out, code=0):
    done = subprocess.run(command(handed_in, out), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stderr[-3000:]


@pytest.fixture(scope="module")
def undisturbed(handed_in, tmp_path_factory):
    """The result files of a run that nothing happened to, and how long it took."""
    out = tmp_path_factory.mktemp("undisturbed") / "out"
    started = time.monotonic()
    finish(handed_in, out)
    return files_of(out), time.monotonic() - started


def files_of(out):
    """{path: text without times} of every result file; what a folder keeps for itself hangs on times."""
    found = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_file() and not name.startswith((".", "submissions/", "journal.jsonl", "suite.json")):
            text = path.read_text()
            found[name] = json.dumps(timeless(json.loads(text))) if path.suffix == ".json" else text
    assert len([name for name in found if name.endswith("results.json")]) == COPIES
    return found


def timeless(value):
    if isinstance(value, dict):
        return {name: timeless(entry) for name, entry in value.items() if name not in ("seconds", "execution_time")}
    return [timeless(entry) for entry in value] if isinstance(value, list) else value


def same(first, second):
    assert set(first) == set(second)
    for name in first:
        assert without_seconds(first[name]) == without_seconds(second[name]), name


def without_seconds(text):
    """Pages may say how long something took."""
    return re.sub(r"Seconds</th><td>[\d.]+|\d+\.\d+ s, observation", "", text)


def descendants(pid):
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        found.append((int(fields[1]), int(status.parent.name)))
    tree, queue = [], [pid]
    while queue:
        parent = queue.pop()
        children = [child for above, child in found if above == parent]
        tree += children
        queue += children
    return tree


def gone(pids, seconds=60.0):
    """Whether all these processes have soon ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        left = [pid for pid in pids if running(pid)]
        if not left:
            return True
        time.sleep(0.05)
    return False


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def results_in(out):
    journal = out / "journal.jsonl"
    return journal.read_bytes().count(b'"kind":"result"') if journal.exists() else 0


def wait_for_results(process, out, count):
    """Let the run go on until the journal holds that many results."""
    while results_in(out) < count and process.poll() is None:
        time.sleep(0.01)
    assert process.poll() is None, "the run ended before it could be disturbed"


def zygote_of(process):
    """The one process that the command line starts; see grader.judge.start."""
    [zygote] = children(process.pid)
    return zygote


def judge_of(process):
    """The zygote's first fork."""
    return min(children(zygote_of(process)), key=started_at)


def judges_of(process):
    """The forks of the judge parent."""
    return children(judge_of(process))


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def started_at(pid):
    """In clock ticks; later than anything for a process that has ended since it was listed."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19])
    except FileNotFoundError:
        return 1 << 62


def end(process):
    process.stderr.close()
    return process.wait(60)


def any_of(process):
    """Whatever process of the run there is, the command line and workers included."""
    return random.Random(process.pid).choice([process.pid, *descendants(process.pid)])


@pytest.mark.parametrize("victim", [lambda process: process.pid, any_of], ids=["the command line", "any process"])
def test_killed_at_random_moments_and_continued(handed_in, undisturbed, tmp_path, monkeypatch, victim):
    """`KILLS` says how often; a recording is being made at some of the moments, cut short at others."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files, seconds = undisturbed
    moments = random.Random(20261120)
    kills = int(os.environ.get("KILLS", "2"))
    for number in range(kills):
        out = tmp_path / f"out{number // 2}"  # every second run is a continued one
        process = start(handed_in, out)
        time.sleep((moments.uniform(0.1, 0.6), moments.uniform(0.6, 1.0))[number % 2] * seconds)
        family = descendants(process.pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim(process), signal.SIGKILL)
        end(process)
        assert gone(family), "processes outlived the command line"
        if number % 2 or number == kills - 1:
            finish(handed_in, out)
            same(files_of(out), files)
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)


def test_a_judge_that_is_killed_is_replaced_within_the_run(handed_in, undisturbed, tmp_path):
    out = tmp_path / "out"
    process = start(handed_in, out)
    wait_for_results(process, out, 10)
    for judge in judges_of(process):
        os.kill(judge, signal.SIGKILL)
    errors = process.stderr.read()
    assert end(process) == 0, errors[-2000:]
    same(files_of(out), undisturbed[0])


def test_killed_between_results_nothing_that_was_finished_is_run_again(handed_in, undisturbed, tmp_path):
    out = tmp_path / "out"
    process = start(handed_in, out)
    wait_for_results(process, out, 24)
    family = descendants(process.pid)
    process.kill()
    end(process)
    assert gone(family)
    before = (out / "journal.jsonl").read_bytes()
    complete = {json.loads(line)["key"] for line in before.splitlines() if b'"kind":"finished"' in line}
    assert complete
    finish(handed_in, out)
    after = (out / "journal.jsonl").read_bytes()[before.rindex(b"\n") + 1 :]
    again = {json.loads(line)["key"] for line in after.splitlines() if b'"kind":"started"' in line}
    assert not complete & again
    same(files_of(out), undisturbed[0])


@pytest.mark.parametrize("victim", [zygote_of, judge_of])
def test_a_lost_process_of_the_grader_costs_nobody_points(handed_in, undisturbed, tmp_path, victim):
    out = tmp_path / "out"
    process = start(handed_in, out)
    wait_for_results(process, out, 10)
    family = descendants(process.pid)
    os.kill(victim(process), signal.SIGKILL)
    errors = process.stderr.read()
    assert end(process) == 3, errors[-2000:]
    assert gone(family)
    for path in out.rglob("results.json"):
        for test in json.loads(path.read_text())["tests"]:
            failed = test.get("score") == 0 and test.get("max_score")
            assert not failed or path.parent.name in ("s2", "s4", "s6"), (path, test)
    finish(handed_in, out)
    same(files_of(out), undisturbed[0])


def test_an_interrupt_keeps_what_was_finished(handed_in, undisturbed, tmp_path):
    out = tmp_path / "out"
    process = start(handed_in, out)
    wait_for_results(process, out, 10)
    family = descendants(process.pid)
    process.send_signal(signal.SIGINT)
    errors = process.stderr.read()
    assert end(process) == 130
    assert "Traceback" not in errors
    assert "the same command continues" in errors
    assert gone(family)
    told = said_of_the_unfinished(out)
    assert told
    finish(handed_in, out)
    same(files_of(out), undisturbed[0])


def said_of_the_unfinished(out):
    """The submissions that are unfinished, after making sure that every result file says so."""
    with (out / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    unfinished = {row["submission"] for row in rows if row["state"] == "unfinished"}
    for row in rows:
        results = json.loads((out / row["submission"] / "results.json").read_text())
        assert ("score" in results) is (bool(row["score"])) is (row["submission"] not in unfinished), row
        if row["submission"] in unfinished:
            assert not any("score" in test for test in results["tests"])
            assert "interrupted" in results["output"]
    attention = (out / "attention.csv").read_text()
    assert all(f'{key},"Not finished' in attention for key in unfinished)
    return unfinished


@pytest.mark.parametrize("what", ["the journal", "everything"])
def test_results_deleted_while_grading_are_an_error_and_the_same_command_begins_anew(
    handed_in, undisturbed, tmp_path, what
):
    out = tmp_path / "out"
    process = start(handed_in, out)
    wait_for_results(process, out, 10)
    if what == "everything":
        out.rename(tmp_path / "elsewhere")
    else:
        (out / "journal.jsonl").unlink()
    errors = process.stderr.read()
    assert end(process) == 3, errors
    assert "was deleted or replaced while its submissions were graded" in errors
    assert not (out / "summary.csv").exists()
    finish(handed_in, out)
    same(files_of(out), undisturbed[0])
