"""Stored submissions are judged again, as far as asked and no further."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import pytest
from tiny_assignment import ITEMS, copy_of_the_assignment, edit, lay_out_submission, open_for_workers

from grader.results import log

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
