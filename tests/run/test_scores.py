"""Scores of a class are shared among processes: the files are those of one, and what cannot stand is told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tiny_assignment import ITEMS, tiny

from grader.errors import UsageError
from grader.model import CheckResult, Submission
from grader.results.journal import NAME, Journal
from grader.run import processes
from grader.run.scores import reports_of, scoring_of, write_results


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
