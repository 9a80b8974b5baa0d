"""Whoever was forgotten does not come back with the same download, unless somebody says so."""

from __future__ import annotations

import csv
import json
import re
import sys

import pytest
from tiny_assignment import ROOT, tiny

from grader.cli import main
from grader.course import forgotten
from grader.errors import UsageError
from grader.release.forgetting import forget

_, TINY = tiny()
PEOPLE = {
    "101": [("Ada Lovelace", "900000001", "ada@example.edu")],
    "102": [("Grace Hopper", "900000002", "grace@example.edu")],
    "103": [("Bob Núñez", "900000003", "bob@example.edu"), ("Zoe Quist", "", "zoe@example.edu")],
}


@pytest.fixture
def grader(monkeypatch, capsys):
    def run(*arguments, code=0):
        monkeypatch.setattr(sys, "argv", ["grader", *map(str, arguments), "--assignments", str(ROOT)])
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert (end.value.code or 0) == code, said.out + said.err
        return said.out + said.err

    return run


def export(folder, people):
    """A download of Gradescope in which nobody handed in anything that can be judged, so that it takes no time."""
    said = ""
    for number, members in people.items():
        (folder / f"submission_{number}").mkdir(parents=True)
        (folder / f"submission_{number}" / "report.pdf").write_text(f"%PDF of {members[0][0]}")
        said += f"submission_{number}:\n  :created_at: 2024-03-22 20:00:00 -04:00\n  :submitters:\n"
        said += "".join(f"  - :name: {n}\n    :sid: '{i}'\n    :email: {e}\n" for n, i, e in members)
    (folder / "submission_metadata.yml").write_text(said)
    return folder


def canvas(folder):
    folder.mkdir()
    for name in ("lovelaceada_8810443_9001_report.pdf", "hoppergrace_LATE_882_9002_report.pdf"):
        (folder / name).write_text("%PDF")
    return folder


def column(path, name):
    with path.open(encoding="utf-8", newline="") as file:
        return [row[name] for row in csv.DictReader(file)]


def naming(out, *words):
    pattern = re.compile("|".join(words))
    return [str(path) for path in out.rglob("*") if path.is_file() and pattern.search(path.read_text("utf-8"))]


def test_neither_a_submission_nor_a_name_comes_back_unasked(tmp_path, grader):
    out, download = tmp_path / "out", export(tmp_path / "download", PEOPLE)
    grader("grade", "tiny", download, "--out", out)
    assert naming(out, "Lovelace")
    grader("forget", out, "101")
    grader("forget", out, "bob@example.edu")
    assert naming(out, "Lovelace", "900000001", "ada@", "Núñez", "bob@") == []

    said = grader("grade", "tiny", download, "--out", out)
    assert f"note: 101 was forgotten in {out} and is not taken in again; --remember 101 does so" in said
    assert column(out / "summary.csv", "submission") == ["102", "103"]
    assert naming(out, "Lovelace", "900000001", "ada@", "900000003", "bob@", r"\b101\b") == []
    assert set(column(out / "people.csv", "name")) == {"Grace Hopper", "Zoe Quist"}
    assert [text for text in column(out / "attention.csv", "what") if "forgotten" in text] == [
        "Handed in by somebody who was forgotten here, and not taken in again: 1 submission."
    ]

    later = export(tmp_path / "later", {"109": PEOPLE["101"], "110": [PEOPLE["103"][0]], "102": PEOPLE["102"]})
    assert "note: 109 was forgotten" in (said := grader("grade", "tiny", later, "--out", out))
    assert "note: 110 was forgotten" in said, "alone, the work is theirs"
    assert "note: 102" not in said

    assert "--remember adda: nobody" in grader("grade", "tiny", download, "--out", out, "--remember", "adda")
    said = grader("grade", "tiny", download, "--out", out, "--remember", "ADA@example.edu")
    assert "not taken in" not in said
    assert column(out / "summary.csv", "submission") == ["101", "102", "103"]
    assert "not taken in" not in grader("grade", "tiny", download, "--out", out)
    assert "Núñez" not in (out / "people.csv").read_text()


def test_a_flat_download_shows_no_file_of_theirs(tmp_path, grader):
    out, download = tmp_path / "out", canvas(tmp_path / "submissions")
    grader("grade", "tiny", download, "--out", out)
    assert str(out / "intake.csv") in naming(out, "lovelace")
    grader("forget", out, "8810443")
    assert "note: 8810443 was forgotten" in grader("grade", "tiny", download, "--out", out)
    assert naming(out, "lovelace", "8810443") == []
    assert "hoppergrace" in (out / "intake.csv").read_text()


def test_forgetting_again_says_nothing_else_and_does_nothing(tmp_path, grader):
    out, download = tmp_path / "out", export(tmp_path / "download", PEOPLE)
    grader("grade", "tiny", download, "--out", out)
    grader("forget", out, "101")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert "101 is forgotten" in grader("forget", out, "101")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    with pytest.raises(UsageError, match="there is no submission '111'"):
        forget(out, TINY, "111", "kim")


def test_a_merge_brings_nobody_back(tmp_path, grader):
    download = export(tmp_path / "download", PEOPLE)
    for name in ("a", "b"):
        grader("grade", "tiny", download, "--out", tmp_path / name, "--seed", "s")
    a, b, both = tmp_path / "a", tmp_path / "b", tmp_path / "both"
    grader("forget", a, "101")
    grader("forget", a, "bob@example.edu")
    said = grader("merge", a, b, "--out", both, code=2)
    assert f"{b} has the work of 101, who was forgotten in {a}: say `grader forget {b} 101`" in said
    assert not both.exists()
    grader("forget", b, "101")
    grader("merge", a, b, "--out", both)
    assert set(column(both / "people.csv", "name")) == {"Grace Hopper", "Zoe Quist"}
    assert "note: 101 was forgotten" in grader("grade", "tiny", download, "--out", both)


def test_nothing_in_the_list_can_be_read(tmp_path, grader):
    out, download = tmp_path / "out", export(tmp_path / "download", PEOPLE)
    grader("grade", "tiny", download, "--out", out)
    grader("forget", out, "101")
    path = out / forgotten.NAME
    assert path.stat().st_mode & 0o077 == 0
    [entry] = json.loads(path.read_text())["forgotten"]
    assert set(entry) == {"salt", "key", "people", "begun"}
    assert entry["begun"] is None
    assert all(re.fullmatch("[0-9a-f]{32}", word) for word in (entry["salt"], entry["key"], *entry["people"]))
    path.write_text("[]")
    assert "restore it from a copy" in grader("grade", "tiny", download, "--out", out, code=2)
