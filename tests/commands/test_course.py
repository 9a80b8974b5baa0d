"""Deadlines of a course, over stored results: `grader score --course --times`, and what bad input leaves alone."""

import csv
import shutil

import pytest
from test_cli import grader
from tiny_assignment import ROOT, copy_of_the_assignment

COURSE = """\
zone: America/New_York
assignments:
  tiny: {due: 2024-03-22 23:59, per_day: {percent: 25}, minute_counts: true, extensions: x}
"""


@pytest.fixture
def stored(tmp_path):
    assignments = copy_of_the_assignment(tmp_path / "assignments")
    shutil.copytree(ROOT.parent / "results_of_0_1", tmp_path / "out")
    return assignments, tmp_path / "out"


def summary(out):
    with (out / "summary.csv").open(encoding="utf-8", newline="") as file:
        return {row["submission"]: row for row in csv.DictReader(file)}


def test_a_late_policy_of_the_course_is_applied_to_stored_results(stored):
    assignments, out = stored
    grader("score", out, assignments=assignments)
    before = summary(out)
    key = max(before, key=lambda name: float(before[name]["score"]))
    (assignments / "course.yaml").write_text(COURSE.replace(", extensions: x", ""))
    times = out.parent / "when.csv"
    times.write_text(f"who,time\n{key},2024-03-23 09:00\n")
    said = grader("score", out, "--times", times, assignments=assignments)
    after = summary(out)[key]
    assert float(after["score"]) == pytest.approx(0.75 * float(before[key]["score"]))
    assert (after["late"], after["submitted_at"]) == ("late", "2024-03-23T13:00:00+00:00")
    page = (out / key / "report.html").read_text(encoding="utf-8")
    assert "due 2024-03-22 23:59 EDT: 9 h 1 min late, by the minute." in page
    assert "1 day begun, 25 % each: it costs 25 % of what was earned." in page
    times.unlink()
    shutil.rmtree(out / key)
    grader("score", out, assignments=assignments)  # both are remembered
    assert summary(out)[key] == after
    assert said


def test_bad_input_leaves_the_results_as_they_are(stored):
    assignments, out = stored
    grader("score", out, assignments=assignments)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (assignments / "course.yaml").write_text(COURSE)
    said = grader("score", out, assignments=assignments, code=2)
    assert any("course.yaml:3" in text and "unknown key 'extensions'" in text for text in said)
    times = out.parent / "when.csv"
    times.write_text("who,time\nnobody,2024-03-23 09:00\n")
    (assignments / "course.yaml").unlink()
    said = grader("score", out, "--times", times, assignments=assignments, code=2)
    assert any("when.csv:2: there is no submission of 'nobody'" in text for text in said)
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_what_is_wrong_with_the_lists_is_told_before_anything_is_graded(tmp_path):
    assignments = copy_of_the_assignment(tmp_path / "assignments")
    course = assignments / "test_suites" / "course.yaml"  # beside the suite's folder is found as well
    course.write_text(COURSE.replace(", extensions: x", "").replace("assignments:", "groups: groups.csv\nassignments:"))
    (course.parent / "groups.csv").write_text("group,id\na,1001\na,1002\nb,1002\n")
    handed_in = assignments / "reference_solutions" / "tiny"
    _, said = grader("grade", "tiny", handed_in, "--out", tmp_path / "out", assignments=assignments, code=2)
    assert "groups.csv:4: 1002 is in the group 'b', and in line 3 in 'a'" in said
    assert not (tmp_path / "out").exists()


def test_a_class_at_a_glance_of_stored_results(stored):
    assignments, out = stored
    grader("score", out, assignments=assignments)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    (assignments / "course.yaml").write_text("roster: roster.csv\nassignments: {}\n")
    (assignments / "roster.csv").write_text("id,name\n1,Somebody Missing\n")
    grader("score", out, assignments=assignments)
    said, _ = grader("class", out, assignments=assignments)
    assert "Somebody Missing" in said
    page = (out / "class.html").read_text(encoding="utf-8")
    assert "Somebody Missing" in page
    assert (out / "class.html").stat().st_mode & 0o077 == 0
    said, _ = grader("class", out, "--anonymous", "--out", out.parent / "class.html", assignments=assignments)
    assert "Somebody" not in said + (out.parent / "class.html").read_text(encoding="utf-8")
    unchanged = [path for path, content in before.items() if path.read_bytes() == content]
    assert out / "journal.jsonl" in unchanged
    grader("forget", out, "bob", assignments=assignments)
    assert not (out / "class.html").exists()
