"""Stored submissions are judged again, as far as asked and no further."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
from tiny_assignment import ITEMS, copy_of_the_assignment, edit, lay_out_submission, open_for_workers

from grader.commands import regrade
from grader.container import running
from grader.container.box import OUT
from grader.results import log
from grader.results.journal import NAME

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="grading a class needs Linux")


def grader(root, *arguments, code=0):
    command = [sys.executable, "-m", "grader.cli", *map(str, arguments), "--assignments", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stderr[-3000:]
    return done.stdout + done.stderr


def judged(folder):
    """How often each (submission, item) was judged, by the journal."""
    records = map(json.loads, (folder / "journal.jsonl").read_text().splitlines())
    return Counter((record["key"], record["result"]["item"]) for record in records if record["kind"] == "result")


def test_one_item_one_student_and_what_a_repaired_test_touches(tmp_path):
    root = copy_of_the_assignment(open_for_workers(tmp_path) / "assignments")
    for key in ("ada", "bob"):
        lay_out_submission(tmp_path / "in" / key)
    out = tmp_path / "out"
    grader(root, "grade", "tiny", tmp_path / "in", "--out", out, "--seed", "s", "--jobs", "2")
    first = judged(out)
    assert set(first.values()) == {1}
    grader(root, "release", out, "--by", "kim", "--open-points")

    grader(root, "regrade", out)
    assert judged(out) == first, "nothing is stale"

    edit(root / "test_suites" / "tiny" / "test_tiny.py", "The score is the projected", "It is the projected")
    grader(root, "regrade", out)
    again = judged(out) - first
    assert {key for key, _ in again} == {"ada", "bob"}
    assert len({item for _, item in again}) == 1, "the others were not touched"

    before = judged(out)
    grader(root, "regrade", out, "bob", "scorer.forward")
    assert judged(out) - before == Counter({("bob", "scorer.forward"): 1})

    before = judged(out)
    grader(root, "regrade", out, "ada")
    assert judged(out) - before == Counter({("ada", item): 1 for item in ITEMS})
    entries = log.read(out)
    assert [entry.what for entry in entries] == ["released", *["regraded"] * 4]
    assert entries[-2].facts["items"] == ["scorer.forward"]
    assert "results and release fit" in grader(root, "audit", out)

    assert "did you mean 'bob'" in grader(root, "regrade", out, "bobb", code=2)
    assert "no automatic item 'scorer.backward'" in grader(root, "regrade", out, "bob", "scorer.backward", code=2)


class Inside:
    """A container that is none: what it would run is run here, on what it would be given."""

    def __init__(self, root: Path, mounts, command) -> None:
        given = {mount["Target"]: mount["Source"] for mount in mounts}
        room = open_for_workers(root)
        (room / NAME).symlink_to(given[f"{OUT}/{NAME}"])
        places = {**given, OUT: str(room)}
        options = json.loads(command[-1])
        told = {name: places.get(said, said) if isinstance(said, str) else said for name, said in options.items()}
        self.command = [*command[:-1], json.dumps(told)]
        self.status, self.attrs = "created", {}

    def start(self) -> None:
        command = [sys.executable, *self.command]
        self._done = subprocess.run(command, capture_output=True, timeout=300, check=False)
        self.attrs = {"State": {"ExitCode": self._done.returncode}}

    def reload(self) -> None:
        self.status = "exited"

    def logs(self, tail: int) -> bytes:
        return self._done.stderr

    def remove(self, force: bool, v: bool) -> None:
        pass


def test_a_container_judges_again_what_was_asked_and_keeps_the_rest(tmp_path, monkeypatch):
    pytest.importorskip("docker", reason="the Docker SDK is not installed")
    root = copy_of_the_assignment(open_for_workers(tmp_path) / "assignments")
    for key in ("ada", "bob"):
        lay_out_submission(tmp_path / "in" / key)
    out = tmp_path / "out"
    grader(root, "grade", "tiny", tmp_path / "in", "--out", out, "--seed", "s", "--jobs", "2")
    made = []

    def create(*, mounts, command, **rest):
        room = tmp_path / f"inside{len(made)}"
        room.mkdir()
        made.append(Inside(room, mounts, command))
        return made[-1]

    @contextmanager
    def engine():
        yield SimpleNamespace(containers=SimpleNamespace(create=create, list=lambda **found: []), info=dict)

    monkeypatch.setattr(running, "engine", engine)
    monkeypatch.setattr(running, "require_image", lambda *arguments: None)

    def again(key, *items):
        before = last_results(out)
        options = {"jobs": 1, "device": "cpu", "training": None, "recording": None, "assignments": root}
        assert regrade.run(out, key, items, container=True, image="mine", **options) == 0
        now = last_results(out)
        assert {place: found["credit"] for place, (found, _) in now.items()} == {
            place: found["credit"] for place, (found, _) in before.items()
        }
        return {place for place in now if now[place] != before[place]}

    assert again("bob", "scorer.forward") == {("bob", "scorer.forward")}
    assert again("ada") == {("ada", item) for item in ITEMS}
    assert again("") == set(), "nothing is stale"
    assert len(made) == 3


def last_results(folder):
    """The last result of every item in the journal, and how long it took: judged twice, it took another time."""
    records = map(json.loads, (folder / "journal.jsonl").read_text().splitlines())
    return {
        (record["key"], record["result"]["item"]): (record["result"], record["result"]["seconds"])
        for record in records
        if record["kind"] == "result"
    }
