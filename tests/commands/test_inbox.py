"""`grader watch`: what is ready to be graded, and a session that is killed, continued and given more."""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile

import pytest
from test_cli import grader, linux
from test_grading_attempts import WRONG, rows
from tiny_assignment import ROOT, lay_out_submission, open_for_workers

from grader.commands.grade import Request
from grader.commands.inbox import Arrivals, run
from grader.errors import UsageError


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_what_is_still_written_is_left_alone(tmp_path):
    clock = Clock()
    arrivals = Arrivals(tmp_path, 5.0, clock)
    work = tmp_path / "ada"
    work.mkdir()
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "bob.zip.crdownload").write_text("x")
    assert not arrivals.look()
    clock.now = 10.0
    assert not arrivals.look(), "an empty folder holds nothing yet"
    (work / "a.py").write_text("x = 1\n")
    assert not arrivals.look()
    clock.now = 14.0
    assert not arrivals.look()
    assert not arrivals.all_quiet
    clock.now = 15.0
    assert [path.name for path in arrivals.look()] == ["ada"]
    assert arrivals.all_quiet
    before = arrivals.look()[work]
    (work / "a.py").write_text("x = 12\n")
    assert not arrivals.look()
    clock.now = 21.0
    assert arrivals.look()[work] != before
    shutil.rmtree(work)
    assert not arrivals.look()


def request(slug="tiny", **options):
    return Request(slug=slug, **{"jobs": 1, "seed": "s", "assignments": ROOT, **options})


def test_folders_that_cannot_be_watched(tmp_path):
    with pytest.raises(UsageError, match="is no folder"):
        run(tmp_path / "none", request(), 0, once=True)
    with pytest.raises(UsageError, match="would be taken for a submission"):
        run(tmp_path, request(out=tmp_path / "out"), 0, once=True)


@linux
def test_what_arrives_is_graded_and_a_kill_costs_nothing(tmp_path):
    inbox, out = open_for_workers(tmp_path) / "inbox", tmp_path / "out"
    lay_out_submission(inbox / "ada", WRONG)
    lay_out_submission(tmp_path / "bob")
    command = [
        sys.executable,
        "-m",
        "grader.cli",
        "watch",
        "tiny",
        inbox,
        "--out",
        out,
        "--quiet",
        "0.2",
        "--seed",
        "s",
    ]
    settings = {**os.environ, "GRADER_ASSIGNMENTS": str(ROOT)}
    killed = subprocess.Popen(list(map(str, command)), env=settings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    until = time.monotonic() + 120
    while not (out / "class.html").exists() and time.monotonic() < until:
        time.sleep(0.1)
    killed.kill()
    killed.communicate()
    assert [row["submission"] for row in rows(out / "summary.csv")] == ["ada"]
    lay_out_submission(inbox / "ada")  # corrected
    with zipfile.ZipFile(inbox / "bob.zip", "w") as archive:
        for path in sorted((tmp_path / "bob").iterdir()):
            archive.write(path, path.name)
    (inbox / "cy.zip").write_bytes((inbox / "bob.zip").read_bytes()[:200])  # half of it
    grader("watch", "tiny", inbox, "--out", out, "--quiet", "0.2", "--once")
    found = {row["submission"]: row for row in rows(out / "summary.csv")}
    assert (found["ada"]["attempt"], found["ada"]["score"], found["bob"]["score"]) == ("2 of 2", "9", "9")
    assert found["cy"]["score"] == "0" or "Refused" in str(found["cy"])
    (inbox / "cy.zip").write_bytes((inbox / "bob.zip").read_bytes())
    session = subprocess.Popen(list(map(str, command)), env=settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while line := session.stdout.readline():
        if b"class.html" in line:
            break
    session.send_signal(signal.SIGINT)
    _, said = session.communicate(timeout=60)
    assert session.returncode == 0
    assert "stopped; the same command continues" in said.decode()
    assert {row["submission"]: row["score"] for row in rows(out / "summary.csv")}["cy"] == "9"


@linux
def test_a_class_that_was_graded_is_looked_through_for_overlap(tmp_path):
    pytest.importorskip("copydetect")
    inbox, out = open_for_workers(tmp_path) / "class", tmp_path / "out"
    for name in ("ada", "bob"):
        lay_out_submission(inbox / name)
    grader("grade", "tiny", inbox, "--out", out, "--seed", "s", "--only", "gate.forward")
    lay_out_submission(tmp_path / "former" / "old")
    said, _ = grader("similar", out, "--former", tmp_path / "former", "--least", "0.3")
    found = {frozenset((row["submission"], row["other"])) for row in rows(out / "similar.csv")}
    assert frozenset(("ada", "bob")) in found
    assert "pairs share at least 30%" in said
    assert (out / "similar.html").read_text().count("<section>") == len(found)
