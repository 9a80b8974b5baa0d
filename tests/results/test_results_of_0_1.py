"""A results folder that version 0.1 wrote is read by every command that works on stored results."""

import csv
import shutil
from pathlib import Path

import pytest

from grader.commands import merge, score
from grader.results.journal import Journal, read

ROOT = Path(__file__).parents[1] / "fixtures"
KEPT = ROOT / "results_of_0_1"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADER_ASSIGNMENTS", str(ROOT / "assignments"))
    return Path(shutil.copytree(KEPT, tmp_path / "results"))


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return {row["submission"]: row for row in csv.DictReader(file)}


def test_its_journal_is_read_and_goes_on(folder):
    with Journal(folder, "tiny") as journal:
        stored = journal.contents.submissions
    assert {key: len(entry.results) for key, entry in stored.items()} == {"ada": 7, "bob": 7, "dan": 0}
    assert stored["ada"].finished
    assert read(folder).seed == "kept"


def test_scores_are_made_anew_as_they_were(folder):
    (folder / "summary.csv").unlink()
    assert score.run(folder, lenient=False, as_json=False, assignments=None) == 0
    then, now = rows(KEPT / "summary.csv"), rows(folder / "summary.csv")
    assert set(now) == {"ada", "bob", "dan"}
    for key, row in then.items():
        assert {name: now[key][name] for name in row} == row


def test_it_can_be_merged(folder, tmp_path):
    rest = Path(shutil.copytree(folder, tmp_path / "rest"))
    assert merge.run([folder, rest], tmp_path / "merged", as_json=False, assignments=None) == 0
    then, now = rows(KEPT / "summary.csv"), rows(tmp_path / "merged" / "summary.csv")
    assert {key: row["score"] for key, row in now.items()} == {key: row["score"] for key, row in then.items()}
