"""Items that count for everybody alike: `voids.csv`, and what scoring makes of it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from rubric import NEEDS_F, assignment, graded, item, passed, rule

from grader.assignment.assignment import Choice, Track
from grader.course import voids
from grader.errors import UsageError
from grader.model import Mark, Void
from grader.scoring import score

HW = assignment(item("a"), item("b", "3"), item("c", "1", extra_credit=True))


def void(how, name="a"):
    return (Void(item=name, how=how, by="kim", why="wrong"),)


def test_out_leaves_score_and_total():
    report = score(graded(passed("a"), passed("b"), passed("c")), HW, voids=void("out"))
    assert (report.score, report.total) == (4, 3)
    assert not next(line for line in report.lines if line.item == "a").counted
    assert score(graded(passed("c")), HW, voids=void("out", "c")).total == 5, "extra credit was never in the total"


def test_full_marks_for_everybody_whatever_was_done_and_broken():
    hw = assignment(item("a"), item("b", "3"), rules=(rule("r", "zero"),))
    for one in (graded(passed("a", 0.0), passed("b")), graded(), graded(passed("b"), broken=("r",))):
        assert score(one, hw, voids=void("full")).lines[0].score == 2
    assert score(graded(passed("b"), broken=("r",)), hw, voids=void("full")).score == 2
    marked = [Mark(submission="ann", item="a", points=Decimal(1))]
    assert score(graded(), hw, marked, voids=void("full")).score == 2


def test_a_track_loses_what_counts_in_it():
    tracks = (Track(id="short", title="", points=Decimal(3), without=("a",)),
              Track(id="long", title="", points=Decimal(5)))  # fmt: skip
    hw = assignment(item("a"), item("b", "3"), tracks=tracks)
    totals = {name: score(graded(track=name), hw, voids=void("out")).total for name in ("short", "long")}
    assert totals == {"short": 3, "long": 3}


def test_what_replaces_a_voided_item_is_void_with_it():
    hw = assignment(item("a", kind="manual"), item("again", replaces="a", needs=NEEDS_F))
    one = graded(passed("again", 0.0), files={"f": "f.py"})
    assert score(one, hw, voids=void("full")).score == 2
    assert (score(one, hw, voids=void("out")).score, score(one, hw, voids=void("out")).open_points) == (0, 0)


def refusal(tmp_path: Path, text: str, hw=HW) -> str:
    (tmp_path / voids.NAME).write_text(text)
    with pytest.raises(UsageError) as caught:
        voids.read(tmp_path / voids.NAME, hw)
    return str(caught.value)


def test_what_is_written_is_read_back(tmp_path):
    given = (Void(item="a", how="full", by="=kim", why='two, "readings"'), Void(item="b", how="out", by="k", why="w"))
    (tmp_path / voids.NAME).write_text(voids.listed(given))
    assert voids.read(tmp_path / voids.NAME, HW) == given
    assert voids.read(tmp_path / "none.csv", HW) == ()


def test_all_bad_lines_at_once(tmp_path):
    lines = "aa,full,k,w\nb,half,k,w\nb,out,,w\nb,out,k,\na,out,k,w\na,full,k,w\n"
    said = refusal(tmp_path, f"item,how,by,why\n{lines}").splitlines()
    assert said[0].endswith("voids.csv: nothing was voided, because")
    assert said[1:] == [
        "  line 2: unknown item 'aa'; did you mean 'a'?",
        "  line 3: 'half' is not known; expected full or out",
        "  line 4: who decided it (by) and the reason (why) must be given",
        "  line 5: who decided it (by) and the reason (why) must be given",
        "  line 7: a is voided twice",
    ]
    assert "expected the columns item, how, by, why" in refusal(tmp_path, "item,how\na,full\n")


def test_one_of_a_choice_cannot_be_out(tmp_path):
    hw = assignment(item("a"), item("b"), choices=(Choice(id="x", items=("a", "b")),))
    assert "give full marks instead" in refusal(tmp_path, "item,how,by,why\na,out,k,w\n", hw)
