"""Of several attempts one counts, by the manifest's rule; none is forgotten, and a drop is told."""

from dataclasses import replace
from decimal import Decimal

import pytest
from rubric import assignment, graded, item, passed

from grader.model import DOUBT_REASON, CheckResult, Mark
from grader.scoring import score_class
from grader.scoring.duplicates import duplicates

DAY = "2024-03-{}T10:00:00+00:00"


def attempt(number, credit, day=None, **more):
    key = "ann" if number == 1 else f"ann~{number}"
    times = {"submitted_at": DAY.format(day)} if day else {}
    of = "ann" if number > 1 else ""
    return replace(graded(passed("a", credit)), key=key, of=of, attempt=number, **times, **more)


def refused(number):
    return replace(attempt(number, 1.0), results={}, refused="it is damaged")


ON_TIME, BEST, LATE = attempt(1, 0.5, "02"), attempt(2, 1.0, "01"), attempt(3, 0.0, "09", late=True)


@pytest.mark.parametrize(
    ("rule", "attempts", "number"),
    [
        ("last", (ON_TIME, BEST, LATE), 3),
        ("best", (ON_TIME, BEST, LATE), 2),
        ("last_on_time", (ON_TIME, BEST, LATE), 1),
        ("active", (ON_TIME, BEST, LATE), 1),
        ("active", (ON_TIME, replace(BEST, active=True), LATE), 2),
        ("active", (replace(ON_TIME, active=True), replace(BEST, active=True)), 1),
        ("last", (attempt(1, 1.0), attempt(2, 0.0)), 2),
        ("last", (attempt(1, 1.0), refused(2)), 1),
        ("best", (refused(1), refused(2)), 2),
        ("best", (attempt(1, 0.0), replace(attempt(2, 1.0), finished=False)), 1),
    ],
)
def test_the_manifest_says_which_counts(rule, attempts, number):
    (report,) = score_class(attempts, assignment(item("a"), counts=rule))
    assert (report.key, report.attempt) == ("ann", number)
    assert [entry.number for entry in report.attempts] == [entry.attempt for entry in attempts]
    assert any(f"number {number} is graded here" in note for note in report.notes)


def test_a_drop_and_a_refused_later_attempt_are_told():
    (report,) = score_class([attempt(1, 1.0), attempt(2, 0.5), refused(3)], assignment(item("a")))
    assert report.attention == (
        "Attempt 2 counts (the last on time counts) with 1 points; attempt 1 has 2.",
        "The later attempt 3 was refused: it is damaged",
    )
    (report,) = score_class([attempt(1, 0.5), attempt(2, 1.0)], assignment(item("a")))
    assert report.attention == ()


def test_marks_go_by_the_author():
    mark = Mark(submission="ann", item="a", points=Decimal(1))
    (report,) = score_class([attempt(1, 0.0), attempt(2, 0.0)], assignment(item("a")), [mark])
    assert report.score == 1


def test_what_was_interrupted_has_no_score_and_says_so():
    rubric = assignment(item("a"), item("b"))
    cut = replace(graded(passed("a"), broken=("r",)), finished=False)
    (report,) = score_class([cut], rubric)
    assert report.unfinished
    assert (report.score, report.open_points) == (0, 4)
    assert all(line.score is None for line in report.lines)
    assert report.attention[0].startswith("Not finished")


def test_a_figure_that_its_own_check_contradicts_waits_for_a_person():
    rubric = assignment(item("figure", doubted_by=("causal",)), item("causal"))
    (report,) = score_class([graded(passed("figure"), passed("causal", 0.0))], rubric)
    assert (report.lines[0].state, report.lines[0].score, report.score) == ("awaiting", None, 0)
    assert report.attention[-1].startswith("figure waits for a person: A person decides, because causal failed")
    (report,) = score_class([graded(passed("figure"), passed("causal"))], rubric)
    assert report.score == 4
    odd = CheckResult(item="figure", status="passed", credit=1.0, reason=DOUBT_REASON, notes=("1.2 is too low.",))
    (report,) = score_class([graded(odd, passed("causal"))], rubric)
    assert (report.lines[0].state, report.score) == ("awaiting", 2)
    assert "1.2 is too low." in report.attention[-1]
    mark = Mark(submission="ann", item="figure", points=Decimal(2))
    (report,) = score_class([graded(odd, passed("causal"))], rubric, [mark])
    assert report.score == 4


def test_equal_work_of_different_people_is_told_and_attempts_are_not():
    prints = {"f": "1", "g": "2"}
    ann, again = attempt(1, 1.0, prints=prints, digest="x"), attempt(2, 1.0, prints=prints, digest="y")
    bob = replace(graded(), key="bob", prints=prints, digest="x")
    zoe = replace(graded(), key="zoe", prints={"f": "1", "g": "9"}, digest="z")
    plain = replace(graded(), key="tim", digest="x")
    found = duplicates([ann, again, bob, zoe, plain], assignment(item("a")))
    assert found["ann"] == (
        "Its files are byte by byte those of bob.",
        "Its own code in f.py is that of zoe, but for comments and layout.",
    )
    assert found["zoe"] == ("Its own code in f.py is that of ann, bob, but for comments and layout.",)
    assert duplicates([ann, again], assignment(item("a"))) == {"ann": (), "ann~2": ()}
    assert "tim" not in found
