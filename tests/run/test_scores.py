"""Scores of a class are shared among processes: the files are those of one, and what cannot stand is told."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_assignment import ITEMS, tiny

from grader.errors import UsageError
from grader.model import CheckResult, Submission, Violation
from grader.release.keeping import stale
from grader.results.journal import NAME, Journal
from grader.run import processes
from grader.run.scores import reports_of, scores_of, scoring_of, write_results


def write_class(folder: Path, *keys: str) -> None:
    """One submission for each key; `ada~2` is another attempt of `ada`."""
    with Journal(folder, "tiny") as journal:
        journal.start_run("tiny", "seed", {"grader": "0.2"})
        for number, key in enumerate(keys):
            owner, _, attempt = key.partition("~")
            more = {"of": owner, "attempt": int(attempt)} if attempt else {}
            journal.submission(
                Submission(key=key, root=Path("/nowhere"), digest=key, files={"layers": "layers.py"}, **more)
            )
            for place, item in enumerate(ITEMS):
                passed = (number + place) % 3 > 0
                status = "passed" if passed else "failed"
                journal.result(key, CheckResult(item=item, status=status, credit=float(passed)), "stamp")
            journal.finished(key, {"level": "strict"}, 1.0)


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="processes are forked on Linux only")
@pytest.mark.parametrize("decided", [False, True])
def test_the_files_are_those_of_one_process(tmp_path, monkeypatch, decided):
    many = [f"student{number}" for number in range(9)]
    for name in ("alone", "shared"):
        write_class(tmp_path / name, *many, "student3~2", "student3~3")
        if decided:
            (tmp_path / name / "dispositions.csv").write_text("row,submission,what,must,decision,by,why\n")
    alone = write_results(scoring_of(tmp_path / "alone", tiny()[1]))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3})
    monkeypatch.setattr(processes, "ENOUGH", 2)
    assert write_results(scoring_of(tmp_path / "shared", tiny()[1])) == alone
    assert content(tmp_path / "shared") == content(tmp_path / "alone")
    assert "attempts/student3/results.json" in content(tmp_path / "shared")
    assert [report.key for report in alone.reports] == many


def test_an_outline_says_what_the_whole_says(tmp_path):
    write_class(tmp_path, "ada", "bob")
    said = [(one.key, one.score, one.attention) for one in write_results(scoring_of(tmp_path, tiny()[1])).reports]
    assert said == [(one.key, one.score, one.attention) for one in reports_of(tmp_path, tiny()[1])]


def test_a_key_that_is_no_name_of_a_folder_is_told_before_anything_is_written(tmp_path):
    write_class(tmp_path, "ada", "staff")
    with pytest.raises(UsageError, match="'staff' cannot be the name of a folder"):
        write_results(scoring_of(tmp_path, tiny()[1]))
    assert list(content(tmp_path)) == [NAME]


def test_a_damaged_line_is_told_with_its_number(tmp_path):
    write_class(tmp_path, "ada", "bob")
    lines = (tmp_path / NAME).read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b'"status":"', b'"status:"')
    (tmp_path / NAME).write_bytes(b"".join(lines))
    with pytest.raises(UsageError, match="line 4 is damaged"):
        write_results(scoring_of(tmp_path, tiny()[1]))
    assert "summary.csv" not in content(tmp_path)


def test_a_damaged_last_line_is_one_that_was_being_written(tmp_path):
    write_class(tmp_path, "ada")
    lines = (tmp_path / NAME).read_bytes().splitlines(keepends=True)
    (tmp_path / NAME).write_bytes(b"".join([*lines[:-1], lines[-2].replace(b'"status":"', b'"status:"')]))
    [report] = reports_of(tmp_path, tiny()[1])
    assert report.unfinished


def test_what_submissions_share_is_written_as_if_each_had_its_own(tmp_path):
    """Results in all that hang on more than the item, and the very same ones that only took something else."""
    odd = [
        CheckResult(item="exact", status="passed", credit=1.0, notes=("a", "b"), observation="ab", seconds=0.25),
        CheckResult(item="exact", status="failed", credit=1 / 3, figures={"x": 0.5}, observation="cd", seconds=1e-05),
        CheckResult(item="exact", status="passed", credit=0.0, seconds=1.0),
        CheckResult(item="exact", status="failed", reason="misses narrowly", credit=0.5, observation="no digest"),
        CheckResult(item="exact", status="grader_error", observation="0" * 300, seconds=2.0),
    ]
    with Journal(tmp_path, "tiny") as journal:
        journal.start_run("tiny", "seed", {})
        for number in range(3 * len(odd)):
            key, found = f"student{number:02}", odd[number % len(odd)]
            journal.submission(Submission(key=key, root=Path("/nowhere"), digest=key, files={"layers": "layers.py"}))
            for place, item in enumerate(ITEMS):
                took = number + place / 10
                journal.result(key, replace(found, item=item, seconds=found.seconds + took), "stamp")
            if number % 4:
                journal.violation(key, Violation(rule=tiny()[1].rules[number % 4 - 1].id, message="it is used"))
            journal.finished(key, {}, 1.0)
    (tmp_path / "marks.csv").write_text(f"submission,item,points\nstudent01,{ITEMS[0]},0.5\n")
    assignment = tiny()[1]
    write_results(scoring_of(tmp_path, assignment))
    assert not stale(tmp_path, scores_of(tmp_path, assignment))
    [first, *_] = json.loads((tmp_path / "student10/report.json").read_text())["lines"]
    assert (first["result"]["observation"], first["result"]["seconds"]) == ("ab", 10.25)
