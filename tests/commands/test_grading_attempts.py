"""A resubmission graded into the same folder: every attempt is kept, judged, listed, and can be replayed."""

import csv
import shutil
import sys
from pathlib import Path

import pytest
from test_cli import grader
from tiny_assignment import ROOT, copy_of_the_assignment, edit, lay_out_submission, open_for_workers

WRONG = {"model.py": (".mean(dim=1)", ".sum(dim=1)")}
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="grading a class needs Linux")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@linux
def test_every_attempt_is_kept_judged_and_replayed(tmp_path) -> None:
    out = tmp_path / "out"
    handed_in = open_for_workers(tmp_path) / "class"
    for edits in (None, WRONG, WRONG):
        shutil.rmtree(handed_in, ignore_errors=True)
        lay_out_submission(handed_in / "ada", edits)
        lay_out_submission(handed_in / "bob")
        grader("grade", "tiny", handed_in, "--out", out, "--seed", "x")
    ada, bob = rows(out / "summary.csv")
    assert (ada["submission"], ada["attempt"], ada["score"], bob["attempt"]) == ("ada", "2 of 2", "7", "")
    said = [row["what"] for row in rows(out / "attention.csv") if row["submission"] == "ada"]
    assert "Attempt 2 counts (the last on time counts) with 7 points; attempt 1 has 9." in said
    for key, text in (("ada", ".mean(dim=1)"), ("ada~2", ".sum(dim=1)")):
        assert text in (out / "submissions" / key / "model.py").read_text()
    passing, _ = grader("replay", out / "attempts" / "ada", "scorer.forward")
    failing, _ = grader("replay", out / "ada", "scorer.forward")
    assert "ada, item scorer.forward" in passing
    assert "status: passed" in passing
    assert "ada~2, item scorer.forward" in failing
    assert "status: failed" in failing
    for side in ("inputs:", "reference:", "submission:"):
        assert side in failing
    assert failing.rstrip().endswith("Reproduced.")
    fates = {(row["path"], row["submission"]): row["fate"] for row in rows(out / "intake.csv")}
    assert fates["class/ada/model.py", "ada"] == fates["class/ada/model.py", "ada~2"] == "graded"


def test_the_difference_is_between_the_scores_that_each_side_had(tmp_path) -> None:
    assignments = copy_of_the_assignment(tmp_path / "assignments")
    before, after = tmp_path / "before", tmp_path / "after"
    shutil.copytree(ROOT.parent / "results_of_0_1", before)
    grader("score", before, assignments=assignments)
    shutil.copytree(before, after)
    manifest = assignments / "test_suites" / "tiny" / "assignment.yaml"
    edit(
        manifest,
        'id: softmax.values, part: softmax, question: "1", points: 1',
        'id: softmax.values, part: softmax, question: "1", points: 1.5',
    )
    edit(
        manifest,
        'id: softmax.stable, part: softmax, question: "1", points: 1',
        'id: softmax.stable, part: softmax, question: "1", points: 0.5',
    )
    grader("score", after, assignments=assignments)
    text, _ = grader("diff", before, after, assignments=assignments)
    assert "the item's points changed" in text
    assert "softmax.values: 1 → 1.5" in text


def test_a_mistyped_key_in_marks_is_told_with_its_line(tmp_path) -> None:
    folder = tmp_path / "results"
    shutil.copytree(ROOT.parent / "results_of_0_1", folder)
    (folder / "marks.csv").write_bytes("submission;item;points\r\nadda;essay;1\r\n".encode("utf-16"))
    _, errors = grader("score", folder)
    sentence = "marks.csv, line 2: there is no submission 'adda', so these marks count for nobody; "
    sentence += "the keys stand in summary.csv"
    assert sentence in errors
    assert {"submission": "adda", "what": sentence} in rows(folder / "attention.csv")


def test_marks_that_differ_leave_their_item_open_and_stand_in_attention(tmp_path) -> None:
    folder = tmp_path / "results"
    shutil.copytree(ROOT.parent / "results_of_0_1", folder)
    (folder / "marks").mkdir()
    for who, points in (("kim", "1"), ("ada", "0.5")):
        (folder / "marks" / f"{who}.csv").write_text(f"submission,item,points\nada,essay,{points}\nbob,essay,1\n")
    grader("score", folder)
    ada, bob, *_ = rows(folder / "summary.csv")
    assert (ada["marked"], ada["awaiting"], bob["marked"], bob["awaiting"]) == ("0", "1", "1", "0")
    sentence = "Marks differ for essay: ada gives 0.5, kim gives 1. It stays open until marks.csv has a line for it."
    assert {"submission": "ada", "what": sentence} in rows(folder / "attention.csv")
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (folder / "marks" / "ada.csv").unlink()
    grader("merge", folder, other, "--out", tmp_path / "all")
    assert sorted(path.name for path in (tmp_path / "all" / "marks").iterdir()) == ["ada.csv", "kim.csv"]
    assert {"submission": "ada", "what": sentence} in rows(tmp_path / "all" / "attention.csv")
