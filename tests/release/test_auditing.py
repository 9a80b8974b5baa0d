"""What was altered behind the grader's back is found, and named exactly."""

from __future__ import annotations

import json

import pytest
from class_examples import ASSIGNMENTS, scored
from tiny_assignment import tiny

from grader.commands import audit as command
from grader.commands import release, score, settle
from grader.errors import UsageError
from grader.release import frozen
from grader.release.auditing import audit
from grader.results import log

_, TINY = tiny()


@pytest.fixture
def released(folder):
    settle.run(folder, [row.id for row in scored(folder).rows if row.must], "accepted", "kim", "seen", ASSIGNMENTS)
    assert release.run(folder, "kim", False, True, ASSIGNMENTS) == 0
    assert audit(folder, TINY) == []
    return folder


def edit(path, find, replace):
    text = path.read_text()
    assert find in text
    path.write_text(text.replace(find, replace, 1))


def test_what_fits_is_said_with_the_head(released, capsys):
    assert command.run(released, "", ASSIGNMENTS) == 0
    head = log.head(released)
    assert f"2 lines of the log, results and release fit; head {head}" in capsys.readouterr().out
    assert audit(released, TINY, head=head[:16]) == []


def test_a_score_in_a_report_is_named_with_its_item(released, capsys):
    path = released / "bob" / "report.json"
    data = json.loads(path.read_text())
    data["score"] = "9"
    data["lines"][0] |= {"score": "2", "state": "passed"}
    path.write_text(json.dumps(data))
    [found] = audit(released, TINY)
    assert found.splitlines()[0] == "bob/report.json is not what journal and decisions give:"
    assert "bob: 7 → 9" in found
    assert "gate.forward: 0 → 2" in found
    assert command.run(released, "", ASSIGNMENTS) == 1


@pytest.mark.parametrize(
    "name", ["bob/results.json", "bob/report.html", "staff/bob.html", "summary.csv", "attention.csv"]
)
def test_any_other_file_is_named(released, name):
    edit(released / name, "e", "E")
    assert audit(released, TINY) == [f"{name} is not what journal and decisions give"]
    (released / name).unlink()
    assert audit(released, TINY) == [f"{name} is missing"]


def test_sources_that_changed_are_named_with_what_follows(released):
    (released / "marks.csv").write_text("submission,item,points\nbob,gate.forward,2\n")
    found = audit(released, TINY)
    assert "marks.csv is new since line 2 of the log" in found[0]
    assert "kim: released" in found[0]
    assert any(text.startswith("bob/report.json is not what") for text in found)
    assert "the scores are not those of release 1:\nbob: 7 → 9" in found[-1]
    score.run(released, lenient=False, as_json=False, assignments=ASSIGNMENTS)
    [left] = audit(released, TINY)
    assert left.startswith("the scores are not those of release 1")


def test_an_edited_journal_and_an_edited_release(released):
    edit(released / "journal.jsonl", '"status":"failed"', '"status":"passed"')
    edit(released / "journal.jsonl", '"credit":0.0', '"credit":1.0')
    found = audit(released, TINY)
    assert found[0].startswith("journal.jsonl was changed since line 2")
    assert any("bob: 7 → 9" in text for text in found)
    edit(released / frozen.NAME, '"score": "7"', '"score": "8"')
    assert any(text.startswith("released.json was changed since line 2") for text in audit(released, TINY))


def test_lines_cut_off_the_end_are_missed_by_the_feedback_that_names_them(released):
    path = released / log.NAME
    head = log.head(released)
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    found = audit(released, TINY)
    assert any(f"names a line of the log that is not there ({head[:16]}): lines were cut off" in text for text in found)
    assert "lines were cut off, or all was written anew" in audit(released, TINY, head=head)[0]


def test_a_broken_chain_is_named_with_its_line(released):
    edit(released / log.NAME, "accepted", "changed")
    [found] = audit(released, TINY)
    assert "line 2 does not follow the line before it" in found


def test_another_manifest_is_told_from_tampering(released):
    from dataclasses import replace
    from decimal import Decimal

    heavier = replace(TINY, items=(replace(TINY.items[0], points=Decimal(3)), *TINY.items[1:]))
    assert audit(released, heavier)[0].startswith("the items or rules of the manifest changed since line 2")


def test_without_a_log_there_is_nothing_to_audit(folder):
    with pytest.raises(UsageError, match="nothing was decided or released there, or the log was deleted"):
        audit(folder, TINY)
