"""Scoring by example: each rule of the head of `grader.scoring` once."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from rubric import NEEDS_F, assignment, graded, item, passed, rule

from grader.assignment.assignment import Budget, Cap, Choice, Late, Track, Training
from grader.errors import UsageError
from grader.model import (
    DATA_REASON,
    KILLED_REASON,
    SELF_KILLED_REASON,
    UNREADABLE_REASON,
    CheckResult,
    Mark,
    Violation,
)
from grader.scoring import score


def line(report, name):
    return next(entry for entry in report.lines if entry.item == name)


def mark(name, points, **more):
    return Mark(submission="ann", item=name, points=Decimal(points), **more)


# --- points and states --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("credit", "points", "expected", "state"),
    [
        (1.0, "0.125", "0.125", "passed"),  # all of it is exact, however fine
        (0.5, "3", "1.50", "partly"),
        (1 / 3, "1", "0.33", "partly"),
        (0.125, "1", "0.13", "partly"),  # half up
        (0.9999, "0.1", "0.1", "partly"),
        (0.99, "0.0096", "0.0096", "partly"),  # rounding never goes beyond the maximum
        (0.1, "3", "0.30", "partly"),  # not 0.30000000000000004
        (0.0, "3", "0", "failed"),
    ],
)
def test_credit_becomes_exact_points(credit, points, expected, state):
    report = score(graded(passed("a", credit)), assignment(item("a", points)))
    assert (report.score, line(report, "a").state) == (Decimal(expected), state)


def test_open_items_have_no_score_and_count_as_open():
    rubric = assignment(
        item("ok"), item("skip", "3"), item("broken", "4"), item("not_run", "5"), item("proof", "6", kind="manual")
    )
    results = graded(
        passed("ok"),
        CheckResult(item="skip", status="skipped", message="needs a GPU"),
        CheckResult(item="broken", status="grader_error", message="boom"),
    )
    report = score(results, rubric)
    assert (report.score, report.open_points, report.total) == (2, 18, 20)
    assert [entry.state for entry in report.lines] == ["passed", "skipped", "grader_error", "skipped", "awaiting"]
    assert [entry.score for entry in report.lines] == [2, None, None, None, None]
    assert line(report, "not_run").message == "This item was not run."
    assert report.attention == ("The grader could not judge broken; these points are open.",)


@pytest.mark.parametrize(
    ("status", "credit"),
    [("passed", 0.0), ("failed", 1.0), ("failed", 1.5), ("passed", -1.0), ("failed", float("nan"))],
)
def test_a_verdict_that_contradicts_itself_is_a_grader_error(status, credit):
    report = score(graded(CheckResult(item="a", status=status, credit=credit)), assignment(item("a")))
    assert (report.lines[0].state, report.lines[0].score, report.open_points) == ("grader_error", None, 2)


def test_a_refused_submission_scores_zero_and_says_why():
    rubric = assignment(item("a"), item("proof", "3", kind="manual"))
    report = score(graded(refused="the archive is damaged"), rubric)
    assert (report.score, report.open_points, report.refused) == (0, 3, "the archive is damaged")
    assert report.attention == ("Refused: the archive is damaged",)
    assert score(graded(refused="damaged"), rubric, [mark("proof", 3)]).score == 3, "a person may still mark the report"


def test_results_of_items_that_the_manifest_no_longer_has_are_left_out():
    assert score(graded(passed("a"), passed("gone")), assignment(item("a"))).score == 2


# --- marks ----------------------------------------------------------------------------------------------------------


def test_marks_fill_and_override():
    rubric = assignment(item("a"), item("proof", "3", kind="manual"))
    marks = [mark("proof", "2.5", comment="sign", by="gh"), mark("a", 2, by="gh"), mark("a", 1, comment="agreed")]
    report = score(graded(passed("a", 0.0, message="values differ")), rubric, marks)
    assert (report.score, report.open_points) == (Decimal("3.5"), 0)
    assert [(entry.state, entry.comment) for entry in report.lines] == [
        ("marked", "agreed"),
        ("marked", "sign (marked by gh)"),
    ]
    assert line(report, "a").message == "values differ", "what the check said stays readable"


def test_marks_of_others_do_not_matter_and_unknown_items_do():
    other = Mark(submission="bob", item="x", points=Decimal(1))
    assert score(graded(passed("a")), assignment(item("a")), [other]).score == 2
    with pytest.raises(UsageError, match="names 'x', which is no item of hw"):
        score(graded(passed("a")), assignment(item("a")), [mark("x", 1)])


def test_an_overridden_item_is_out_of_reach_of_rules_and_a_filled_one_is_not():
    rubric = assignment(item("a"), item("b"), item("proof", "3", kind="manual"), rules=(rule("print", "zero"),))
    report = score(graded(passed("a"), passed("b"), broken=("print",)), rubric, [mark("a", 2), mark("proof", 3)])
    assert [entry.score for entry in report.lines] == [2, 0, 0]


# --- replacement, choices, caps, extra credit, tracks -----------------------------------------------------------------

REPLACED = assignment(
    item("proof", "3", kind="manual"), item("computed", "3", replaces="proof", needs=NEEDS_F), total=Decimal(3)
)


@pytest.mark.parametrize(
    ("files", "marks", "expected"),
    [
        ({"f": "f.py"}, [], (3, 0, ["computed"])),
        ({}, [], (0, 3, ["proof"])),
        ({"f": "f.py"}, [mark("proof", 1)], (1, 0, ["proof"])),
        ({}, [mark("computed", 2)], (2, 0, ["computed"])),
    ],
)
def test_a_computed_item_takes_the_manual_items_place(files, marks, expected):
    report = score(graded(passed("computed"), files=files), REPLACED, marks)
    assert (report.score, report.open_points, [entry.item for entry in report.lines if entry.counted]) == expected


BUDGET = Budget(steps=9, seconds=1, full=0.9)
TRAINING = Training(metric="accuracy", counted="top-1", made=BUDGET, real=BUDGET)
TRAINED = assignment(item("seen", "3"), item("trained", "3", replaces="seen", training=TRAINING), total=Decimal(3))


def trained(status="passed", value=0.95, source="real"):
    figures = {"counts": value is not None, "source": source, "value": value}
    return CheckResult(item="trained", status=status, credit=float(status == "passed"), figures={"training": figures})


@pytest.mark.parametrize(
    ("results", "marks", "expected"),
    [
        ([], [], (1.5, 0, ["seen"])),
        ([trained()], [], (3, 0, ["trained"])),
        ([trained(value=0.5)], [], (0, 0, ["trained"])),
        ([trained("failed", None)], [], (0, 0, ["trained"])),
        ([trained("skipped", None)], [], (1.5, 0, ["seen"])),
        ([trained("not_attempted", None)], [], (1.5, 0, ["seen"])),
        ([trained("grader_error", None)], [], (0, 3, ["trained"])),
        ([trained()], [mark("seen", 1)], (1, 0, ["seen"])),
        ([], [mark("trained", 2)], (2, 0, ["trained"])),
        # Data made by code prove that it learns, not what the handout asks for: both are shown.
        ([trained(source="made")], [], (1.5, 0, ["seen"])),
        ([trained("failed", None, source="made")], [], (1.5, 0, ["seen"])),
        ([trained(source="made")], [mark("trained", 2)], (2, 0, ["trained"])),
    ],
)
def test_a_training_that_ran_takes_the_place_of_what_it_replaces(results, marks, expected):
    report = score(graded(passed("seen", 0.5), *results), TRAINED, marks)
    assert (report.score, report.open_points, [entry.item for entry in report.lines if entry.counted]) == expected


def test_what_broke_or_lacked_data_in_a_training_needs_attention():
    def said(**result):
        found = CheckResult(item="trained", **{"status": "skipped", **result})
        return score(graded(passed("seen"), found), TRAINED).attention

    broken = "The grader could not judge trained; these points are open."
    assert said(status="grader_error") == (broken,)
    assert said(status="grader_error", staff="/data/a.gz: cut short\n") == (f"{broken} /data/a.gz: cut short",)
    report = "    len(7)\nE   TypeError: object of type 'int' has no len()\n\ntasks.py:9: TypeError"
    assert said(status="grader_error", staff=report) == (f"{broken} TypeError: object of type 'int' has no len()",)
    [lacks] = said(reason=DATA_REASON, staff="Not found: news. Put it into /data/news.")
    assert lacks == "Not trained for want of data: trained. Not found: news. Put it into /data/news."
    killed = said(status="failed", reason=KILLED_REASON)
    assert any("killed from outside" in sentence and "trained" in sentence for sentence in killed)
    itself = said(status="failed", reason=SELF_KILLED_REASON)
    assert any("looks deliberate" in sentence and "trained" in sentence for sentence in itself)


def test_a_measured_figure_is_scored_by_the_manifest():
    """The judge's pass is provisional: the threshold decides, and tomorrow's may be another one."""
    lower = replace(TRAINING, real=Budget(steps=9, seconds=1, full=0.8))
    easier = replace(TRAINED, items=(item("t", "3", training=lower),))
    found = graded(replace(trained(value=0.85), item="t"))
    assert score(found, easier).score == 3
    harder = replace(easier, items=(item("t", "3", training=TRAINING),))
    report = score(found, harder)
    assert (report.score, report.lines[0].state) == (0, "failed")
    assert "wanted at least 90.0%" in report.lines[0].message


REVIEWS = assignment(
    item("x", "2", kind="manual"), item("y", "2", kind="manual"), item("z", "2", kind="manual"),
    choices=(Choice(id="review", items=("x", "y", "z"), count=1),), total=Decimal(2),
)  # fmt: skip


@pytest.mark.parametrize(
    ("marks", "counted", "expected"),
    [
        ([], "x", (0, 2)),
        ([mark("y", 1)], "y", (1, 0)),
        ([mark("y", 1), mark("z", 2)], "z", (2, 0)),
        ([mark("x", 0)], "y", (0, 2)),  # a zero does not hide that another one still waits
    ],
)
def test_the_best_of_a_choice_counts(marks, counted, expected):
    report = score(graded(), REVIEWS, marks)
    assert [entry.item for entry in report.lines if entry.counted] == [counted]
    assert (report.score, report.open_points) == expected


def test_a_choice_is_made_after_consequences():
    rubric = assignment(
        item("x", "5"), item("y", "4", "2"),
        choices=(Choice(id="c", items=("x", "y")),), rules=(rule("r", "deduct", "question", ("1",), "3"),),
    )  # fmt: skip
    report = score(graded(passed("x"), passed("y"), broken=("r",)), rubric)
    assert (report.score, report.would_be, line(report, "y").counted) == (4, 5, True)


def test_extra_credit_goes_beyond_the_total_up_to_its_cap():
    rubric = assignment(
        item("a", "10"), item("e1", "3", extra_credit=True), item("e2", "3", extra_credit=True),
        caps=(Cap(id="extra", items=("e1", "e2"), points=Decimal(4)),),
    )  # fmt: skip
    report = score(graded(passed("a"), passed("e1"), passed("e2")), rubric)
    assert (report.score, report.total) == (14, 10)
    assert [(entry.earned, entry.score) for entry in report.lines] == [(10, 10), (3, 3), (3, 1)]


def test_a_track_has_its_own_total_and_items():
    track = Track(id="ug", title="Undergraduates", points=Decimal(2), without=("b",), extra_credit=("c",))
    rubric = assignment(item("a"), item("b"), item("c"), tracks=(track,))
    results = (passed("a"), passed("b"), passed("c"))
    report = score(graded(*results, track="ug"), rubric)
    assert (report.score, report.total, report.track) == (4, 2, "ug")
    assert (line(report, "b").counted, line(report, "c").extra_credit) == (False, True)
    lost = score(graded(*results, track="phd"), rubric)
    assert (lost.score, lost.total) == (6, 6)
    assert lost.attention == ("The track 'phd' is not in the manifest (ug): the full rubric was used.",)


# --- consequences -----------------------------------------------------------------------------------------------------

ITEMS = (item("a", "4"), item("b", "2"), item("c", "6", "2"), item("d", "3", "3"))
ALL = tuple(passed(name) for name in "abcd")


@pytest.mark.parametrize(
    ("rules", "scores"),
    [
        ([rule("r", "report")], [4, 2, 6, 3]),
        ([rule("r", "zero")], [0, 0, 0, 0]),
        ([rule("r", "zero", "item", ("b",))], [4, 0, 6, 3]),
        ([rule("r", "zero", "question", ("1",))], [0, 0, 6, 3]),
        ([rule("r", "zero", "group", ("programming",))], [0, 0, 0, 3]),
        ([rule("r", "zero", "item", parts=("2",))], [4, 2, 0, 3]),  # no target: the items of the rule's parts
        ([rule("r", "zero", "group", parts=("2",))], [0, 0, 0, 3]),
        ([rule("r", "zero", "item", files=("f",))], [0, 0, 0, 0]),  # all parts lie in file f
        ([rule("r", "deduct", amount="5")], [0, 1, 6, 3]),
        ([rule("r", "deduct", "question", ("1",), "9")], [0, 0, 6, 3]),
        ([rule("r", "cap", "question", ("1",), "5")], [4, 1, 6, 3]),
        ([rule("r", "cap", "item", ("c",), "5")], [4, 2, 5, 3]),
        ([rule("r", "cap", amount="100")], [4, 2, 6, 3]),
        # zero, then deduct, then cap, whatever the manifest's order
        (
            [rule("c", "cap", amount="4"), rule("d", "deduct", amount="1"), rule("z", "zero", "item", ("a",))],
            [0, 1, 3, 0],
        ),
        # narrow before wide
        ([rule("w", "deduct", amount="5"), rule("n", "deduct", "item", ("a",), "4")], [0, 0, 3, 3]),
        ([rule("w", "cap", amount="10"), rule("n", "cap", "question", ("1",), "1")], [1, 0, 6, 3]),
    ],
)  # fmt: skip
def test_consequences(rules, scores):
    rubric = assignment(*ITEMS, rules=tuple(rules))
    results = graded(*ALL, broken=tuple(entry.id for entry in rules))
    report = score(results, rubric)
    assert [entry.score for entry in report.lines] == scores
    assert [entry.earned for entry in report.lines] == [4, 2, 6, 3]
    assert (report.score, report.would_be) == (sum(scores), 15)
    assert sum(entry.taken for entry in report.applied) == 15 - sum(scores)
    lenient = score(results, rubric, lenient=True)
    assert (lenient.score, lenient.would_be) == (15, 15)
    assert [(entry.rule, entry.taken) for entry in lenient.applied] == [(e.rule, e.taken) for e in report.applied]
    assert all(entry.lenient for entry in lenient.applied)


def test_a_rule_is_applied_once_however_often_it_is_broken():
    rubric = assignment(*ITEMS, rules=(rule("r", "deduct", amount="1"),))
    report = score(graded(*ALL, broken=("r", "r", "r")), rubric)
    assert report.score == 14
    assert len(report.applied[0].violations) == 3


def test_without_target_only_the_parts_of_the_violations_are_hit():
    rubric = assignment(*ITEMS, rules=(rule("r", "zero", "item", parts=("1", "2")),))
    found = Violation(rule="r", message="m", parts=("2",))
    assert [entry.score for entry in score(graded(*ALL, violations=(found,)), rubric).lines] == [4, 2, 0, 3]


def test_zero_closes_open_lines_in_its_scope():
    rubric = assignment(item("a"), item("b"), rules=(rule("r", "zero"),))
    results = graded(passed("a"), CheckResult(item="b", status="skipped"), broken=("r",))
    assert score(results, rubric).open_points == 0
    assert score(results, rubric, lenient=True).open_points == 2


def test_a_rule_that_hits_a_manual_item_hits_what_replaces_it():
    rubric = assignment(*REPLACED.items, total=Decimal(3), rules=(rule("r", "zero", "item", ("proof",)),))
    assert score(graded(passed("computed"), files={"f": "f.py"}, broken=("r",)), rubric).score == 0


# --- late -------------------------------------------------------------------------------------------------------------

DUE = Late(due="2024-03-22T23:00:00-04:00", grace_hours=2, action="zero")


@pytest.mark.parametrize(
    ("more", "late"),
    [
        ({"submitted_at": "2024-03-23T01:00:00-04:00"}, False),
        ({"submitted_at": "2024-03-23T05:00:01+00:00"}, True),
        ({"submitted_at": "2024-03-22T20:00:00-04:00", "late": True}, False),  # times win over the source's word
        ({"submitted_at": "2024-03-23T09:00:00", "late": None}, None),  # no offset: cannot be compared
        ({"late": True}, True),
        ({}, None),
    ],
)
def test_late(more, late):
    rubric = assignment(item("a"), late=DUE)
    results = graded(passed("a"), **more)
    report = score(results, rubric)
    assert report.late is late
    assert report.score == (0 if late else 2)
    assert [entry.rule for entry in report.applied] == (["late"] if late else [])
    assert any(sentence.startswith("Late. Handed in") for sentence in report.attention) is bool(late)
    assert score(results, rubric, lenient=True).score == 2


def test_late_may_only_be_reported():
    rubric = assignment(item("a"), late=Late(due=DUE.due))
    report = score(graded(passed("a"), submitted_at="2024-03-25T00:00:00-04:00"), rubric)
    assert (report.score, report.applied) == (2, ())
    assert report.attention == (
        "Late. Handed in on 2024-03-25 00:00 UTC-04:00, due 2024-03-22 23:00 UTC-04:00: 2 days 1 h late. "
        "It costs nothing.",
    )


# --- attention --------------------------------------------------------------------------------------------------------


def test_a_zero_for_written_code_needs_attention_and_an_untouched_template_does_not():
    rubric = assignment(item("a"), item("b"))
    empty = [CheckResult(item=name, status="not_attempted") for name in "ab"]
    assert score(graded(*empty), rubric).attention == ()
    wrong = score(graded(passed("a", 0.0), empty[1]), rubric)
    assert wrong.attention == ("The score is 0 although code was written: a.",)


def test_zeros_by_a_rule_name_the_place():
    rubric = assignment(item("a"), rules=(rule("print", "zero"),))
    found = Violation(rule="print", message="m", file="hw.ipynb", cell=3, line=2)
    report = score(graded(passed("a"), violations=(found, found)), rubric)
    assert report.attention[0] == ("The rule 'print' took 2 points: about print (hw.ipynb, cell 3, line 2 and 1 more).")


def test_a_rule_that_takes_more_than_one_items_points_from_what_passes_comes_first():
    rubric = assignment(item("a", "4"), item("b", "3"), item("c", "1"), rules=(rule("r", "zero"), rule("s", "report")))
    found = graded(passed("a"), passed("b"), passed("c", 0.0), broken=("r", "s"), attention=("seen at intake",))
    first, *rest = score(found, rubric).attention
    assert first == "7 points by a rule alone: about r. The items pass by themselves; look at what was found."
    assert not any("'r'" in sentence for sentence in rest), "said once"
    assert "7 points by a rule alone (not taken)" in score(found, rubric, lenient=True).attention[0]
    one = score(graded(passed("a"), passed("b", 0.0), broken=("r",)), rubric).attention
    assert not any("alone" in sentence for sentence in one), "one item's points are no more than the rule's own"


def test_a_file_that_cannot_be_read_needs_attention_with_the_share_that_hangs_on_it():
    rubric = assignment(item("a"), item("b"), item("c", "5"), item("d", "1"))
    syntax = "SyntaxError: hw.py cannot be imported: '(' was never closed\n  hw.py:3: f("
    broken = [passed(name, 0.0, reason="SyntaxError", message=syntax) for name in "ab"]
    hole = CheckResult(item="d", status="not_attempted", message="Not attempted: d in nb.ipynb is not filled in: x")
    assert score(graded(*broken, passed("c"), hole), rubric).attention == (
        "SyntaxError: hw.py cannot be imported: '(' was never closed. 4 of 10 points (40 %) hang on it: a, b.",
    )
    cell = "d in nb.ipynb cannot be read: SyntaxError: invalid syntax (cell 2, line 1)"
    lost = CheckResult(item="d", status="not_attempted", message=f"Not attempted: {cell}")
    notebook = passed("c", 0.0, reason=UNREADABLE_REASON, message="nb.ipynb cannot be read as a notebook")
    assert score(graded(passed("a"), passed("b"), notebook, lost), rubric).attention == (
        "nb.ipynb cannot be read as a notebook. 5 of 10 points (50 %) hang on it: c.",
        f"{cell}. 1 of 10 points (10 %) hang on it: d.",
    )


def test_ambiguous_bindings_unknown_rules_and_weak_sandboxes_need_attention():
    weak = {"level": "weak", "network": "on", "landlock": "unavailable on this kernel"}
    results = graded(passed("a", ambiguous=True, candidate=2, binding="gate=b"), broken=("old-rule",), protections=weak)
    assert score(results, assignment(item("a"))).attention == (
        "Broken rules that the manifest does not have, without consequence: old-rule.",
        "Earned by another reading, or order of weights, than the first that was tried: a (number 3: gate=b).",
        "The sandbox was weak (level weak): landlock (unavailable on this kernel).",
    )
    for strong in ({"level": "strict", "cgroup": "unavailable"}, {"network": "cut"}, {}):
        assert score(graded(passed("a"), protections=strong), assignment(item("a"))).attention == ()


def test_a_narrow_cap_is_applied_before_a_wide_one():
    """Else the wide one would spare points of `a` that the narrow one takes, and take those of `b`."""
    rubric = assignment(
        item("a"),
        item("b", question="2"),
        rules=(rule("wide", "cap", amount="2"),),
        caps=(Cap(id="narrow", items=("a",), points=Decimal("0.5")),),
    )
    scores = [score(graded(passed("a", credit), passed("b"), broken=("wide",)), rubric).score for credit in (0.0, 1.0)]
    assert scores == [Decimal(2), Decimal(2)]
