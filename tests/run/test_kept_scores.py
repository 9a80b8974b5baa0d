"""A second scoring makes again what has changed, and nothing else: its files are those of a first one."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from tiny_assignment import ITEMS, ROOT, tiny

from grader.commands import merge
from grader.model import CheckResult, Submission, Violation
from grader.reports.files import SCORED
from grader.results import log
from grader.results.journal import Journal
from grader.run import kept, scores
from grader.run.scores import outlines_of, scores_of, scoring_of, write_results

ASSIGNMENT = replace(tiny()[1], late=replace(tiny()[1].late, due="2026-11-01T10:00:00", zone="Europe/Berlin"))
DUE = replace(ASSIGNMENT, late=replace(ASSIGNMENT.late, due="2026-10-01T10:00:00", action="zero"))
OTHER_POINTS = replace(
    ASSIGNMENT, items=tuple(replace(item, points=item.points + Decimal("0.5")) for item in ASSIGNMENT.items)
)
MANY = ("ada", "bob", "cleo", "cleo~2")


@pytest.fixture
def folder(tmp_path):
    with Journal(tmp_path / "grades", "tiny") as journal:
        journal.start_run("tiny", "seed", {"grader": "0.2"})
        for number, key in enumerate(MANY):
            hand_in(journal, key, f"print {number}")
            for place, item in enumerate(ITEMS):
                credit = float((number + place) % 3 > 0)
                status = "passed" if credit else "failed"
                journal.result(key, CheckResult(item=item, status=status, credit=credit, seconds=place / 7), "stamp")
            if key == "bob":
                journal.violation(key, Violation(rule="no_softmax", message="it is used", parts=("softmax",)))
            journal.finished(key, {"level": "strict"}, 1.0)
    return tmp_path / "grades"


def hand_in(journal, key, print_):
    owner, _, attempt = key.partition("~")
    more = {"of": owner, "attempt": int(attempt)} if attempt else {}
    when = "2026-10-20T10:00:00+01:00"
    files = {"layers": "layers.py"}
    journal.submission(
        Submission(
            key=key, root=Path("/x"), digest=key, files=files, prints={"layers": print_}, submitted_at=when, **more
        )
    )


@pytest.fixture
def read_again(monkeypatch):
    """The keys of submissions whose results were looked at."""
    keys, read = [], scores._graded

    def graded(scoring, key, words):
        keys.append(key)
        return read(scoring, key, words)

    monkeypatch.setattr(scores, "_graded", graded)
    return keys


def write(folder, assignment=ASSIGNMENT, *, lenient=False, pages=True):
    return write_results(scoring_of(folder, assignment, lenient=lenient), pages=pages)


def content(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def mark(folder):
    (folder / "marks.csv").write_text("submission,item,points\nada,essay,1\n")


def void(folder):
    (folder / "voids.csv").write_text(f"item,how,by,why\n{ITEMS[0]},full,kim,It was wrong.\n")


def decide(folder):
    row = next(row for row in scores_of(folder, ASSIGNMENT).rows if row.must)
    text = f"row,submission,what,must,decision,by,why\n{row.id},{row.submission},,must,changed,kim,fine\n"
    (folder / "dispositions.csv").write_text(text)


def judge(folder):
    with Journal(folder, "tiny") as journal:
        journal.result("bob", CheckResult(item=ITEMS[0], status="failed", message="no"), "stamp")


def copy_ada(folder):
    """What is said of ada changes with what another one hands in."""
    with Journal(folder, "tiny") as journal:
        hand_in(journal, "dan", "print 0")
        journal.finished("dan", {}, 1.0)


def run_again(folder):
    with Journal(folder, "tiny") as journal:
        journal.start_run("tiny", "seed", {"grader": "0.3"})


def tell(folder):
    log.append(folder, "kim", "released", {})


def damage(folder):
    (folder / "ada" / "results.json").write_text("{}")


def remove(folder):
    (folder / "ada" / "report.json").unlink()


def stray_page(folder):
    (folder / "ada" / "report.html").write_text("of other scores")


ONE = ["bob", "cleo", "cleo~2"]  # of several attempts nothing is kept


@pytest.mark.parametrize(
    ("change", "options", "again"),
    [
        (None, {}, ["cleo", "cleo~2"]),
        (mark, {}, ["ada", "cleo", "cleo~2"]),
        (judge, {}, ONE),
        (copy_ada, {}, ["ada", "cleo", "cleo~2", "dan"]),
        (damage, {}, ["ada", "cleo", "cleo~2"]),
        (remove, {}, ["ada", "cleo", "cleo~2"]),
        (stray_page, {"pages": False}, None),
        (void, {}, None),
        (run_again, {}, None),
        (None, {"assignment": OTHER_POINTS}, None),
        (None, {"assignment": DUE}, None),
        (None, {"lenient": True}, None),
        (tell, {}, None),
        (None, {"pages": False}, None),
    ],
)
def test_what_has_changed_is_made_again_and_nothing_else(folder, read_again, change, options, again):
    write(folder)
    if change:
        change(folder)
    read_again.clear()
    found = write(folder, **options)
    assert sorted(read_again) == (again or sorted({*MANY}))
    (folder / SCORED).unlink()
    first = write(folder, **options)
    assert found == first
    new = folder.parent / "new"
    shutil.copytree(folder, new, ignore=shutil.ignore_patterns("ada", "bob", "cleo", "staff", "attempts"))
    assert write(new, **options) == first
    assert content(new) == content(folder)


def test_a_page_that_was_put_back_goes_again(folder, read_again):
    write(folder, pages=False)
    stray_page(folder)
    read_again.clear()
    write(folder, pages=False)
    assert sorted(read_again) == ["ada", "cleo", "cleo~2"]
    assert not (folder / "ada/report.html").exists()


def test_a_file_that_cannot_be_read_is_written_anew(folder, read_again, monkeypatch):
    write(folder)
    unreadable, read = folder / "ada/results.json", Path.read_bytes

    def refuse(path):
        if path == unreadable:
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    read_again.clear()
    write(folder)
    assert sorted(read_again) == ["ada", "cleo", "cleo~2"]


def test_decisions_change_whom_they_concern(folder, read_again):
    write(folder)
    before = (folder / "bob/report.json").read_bytes()
    decide(folder)
    first = write(folder)
    assert (folder / "bob/report.json").read_bytes() != before
    read_again.clear()
    assert write(folder) == first
    assert set(read_again) == {"bob", "cleo", "cleo~2"}, "bob is scored without the decision, to see what it is about"
    assert read_again.count("bob") == 1


def test_outlines_are_looked_up_whatever_the_files_are(folder, read_again):
    write(folder)
    shutil.rmtree(folder / "ada")
    read_again.clear()
    tell(folder)
    found = outlines_of(scoring_of(folder, ASSIGNMENT))
    assert read_again == ["cleo", "cleo~2"]
    (folder / SCORED).unlink()
    assert found == outlines_of(scoring_of(folder, ASSIGNMENT))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-20],
        lambda text: text.replace(b'"score": "', b'"score": "1', 1),
        lambda text: b"",
        lambda text: b"\xff\n",
        lambda text: text.partition(b"\n")[2],
    ],
)
def test_what_is_kept_says_nothing_when_it_is_damaged(folder, read_again, damage):
    write(folder)
    before, text = content(folder), (folder / SCORED).read_bytes()
    (folder / SCORED).write_bytes(damage(text))
    read_again.clear()
    write(folder)
    assert sorted(read_again) == sorted(MANY)
    assert content(folder) == before


@pytest.mark.parametrize("what", ["folder_digest", "_zone"])
def test_another_state_of_the_grader_or_of_time_zones_makes_all_again(folder, read_again, monkeypatch, what):
    write(folder)
    read_again.clear()
    monkeypatch.setattr(kept, what, lambda _: "another")
    write(folder)
    assert sorted(read_again) == sorted(MANY)


def test_numbers_that_json_does_not_have_are_not_kept(folder, read_again):
    with Journal(folder, "tiny") as journal:
        journal.finished("ada", {}, float("nan"))
    write(folder)
    read_again.clear()
    write(folder)
    assert sorted(read_again) == ["ada", "cleo", "cleo~2"]
    assert json.loads((folder / "ada/report.json").read_text())["seconds"] == "nan"


def class_of(folder, **took):
    """A results folder of the tiny assignment with some submissions; the more they took, the worse they are."""
    with Journal(folder, "tiny") as journal:
        journal.start_run("tiny", "seed", {"grader": "0.2"})
        for key, seconds in took.items():
            hand_in(journal, key, key)
            for place, item in enumerate(ITEMS):
                status = "passed" if place > seconds else "failed"
                journal.result(
                    key, CheckResult(item=item, status=status, credit=float(place > seconds), seconds=seconds), "s"
                )
            journal.finished(key, {"level": "strict"}, seconds)
    return folder


@pytest.mark.parametrize("pages", [True, False])
def test_merging_brings_what_the_parts_have(tmp_path, read_again, capsys, pages):
    """Of whom both parts tell is made anew; so is whose files are not as they were written."""
    parts = [class_of(tmp_path / "one", ada=1.0, bob=2.0, cleo=3.0), class_of(tmp_path / "two", ada=0.5, dan=4.0)]
    for part in parts:
        shutil.copytree(part, tmp_path / f"bare {part.name}")
        write(part, tiny()[1])
    (parts[0] / "bob/results.json").write_text("another text")
    before = [content(part) for part in parts]
    read_again.clear()
    merge.run(parts, tmp_path / "whole", False, ROOT, pages=pages)
    assert sorted(read_again) == ["ada", "bob"]
    merge.run([tmp_path / "bare one", tmp_path / "bare two"], tmp_path / "bare", False, ROOT, pages=pages)
    assert content(tmp_path / "whole") == content(tmp_path / "bare")
    (tmp_path / "whole/marks.csv").write_text("submission,item,points\ncleo,essay,1\n")
    write(tmp_path / "whole", tiny()[1], pages=pages)
    assert [content(part) for part in parts] == before, "what is shared is not written into"
