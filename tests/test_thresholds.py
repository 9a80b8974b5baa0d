"""Figures and thresholds: who earns what, when it is measured again, and how often a right submission would fail."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from grader.assignment.assignment import Assignment, Budget, Evidence, Item, Part, Question, Training
from grader.model import NARROW_REASON, CheckResult, Graded
from grader.scoring import score
from grader.thresholds import (
    bar_of,
    better,
    credit_for,
    decided,
    false_fail,
    grey,
    margins,
    measured,
    misses_narrowly,
    student_tail,
)

ACCURACY = Training(metric="accuracy", counted="top-1", made=Budget(steps=10, seconds=1))
PERPLEXITY = replace(ACCURACY, metric="perplexity")
CURVE = Budget(steps=10, seconds=1, full=0.9, credit=((0.6, 0.5), (0.5, 0.0)))
FALLING = Budget(steps=10, seconds=1, full=7.0, credit=((10.0, 0.5), (20.0, 0.0)))


def evidence(mean=0.95, spread=0.01):
    return Evidence(
        figures=(mean,), seeds=("s",), mean=mean, spread=spread, false_fail=0.0, steps=10, seconds=1.0, device="cpu",
        data="made by code", versions="torch",
    )  # fmt: skip


def training_item(name, budget=CURVE, **more):
    training = replace(ACCURACY, made=budget, **more)
    return Item(id=name, question="1", points=Decimal(2), part="1", training=training)


def assignment(*items, **more):
    return Assignment(
        slug="hw", title="Homework", suite=Path("suite"), reference=Path("r"), template=Path("t"), total=Decimal(2),
        files=(), questions=(Question(id="1", title="One"),), parts=(Part(id="1", title="One", question="1"),),
        items=items, **more,
    )  # fmt: skip


def result(name, value, **more):
    figures = {"counts": True, "source": "made", "value": value, "standard_error": 0.01, **more}
    return CheckResult(item=name, status="passed", credit=1.0, figures={"training": figures})


def graded(*results):
    return Graded(key="ann", results={entry.item: entry for entry in results})


def decide(value, item=None, **more):
    item = item or training_item("a")
    return decided(graded(result("a", value, **more)), assignment(item)).results["a"]


# --- credit -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("training", "budget", "value", "credit"),
    [
        (ACCURACY, CURVE, 0.95, 1.0),
        (ACCURACY, CURVE, 0.9, 1.0),
        (ACCURACY, CURVE, 0.75, 0.75),
        (ACCURACY, CURVE, 0.6, 0.5),
        (ACCURACY, CURVE, 0.55, 0.25),
        (ACCURACY, CURVE, 0.5, 0.0),
        (ACCURACY, CURVE, 0.1, 0.0),
        (ACCURACY, replace(CURVE, credit=()), 0.8999, 0.0),
        (ACCURACY, replace(CURVE, credit=((0.6, 0.5),)), 0.59, 0.0),
        (PERPLEXITY, FALLING, 6.5, 1.0),
        (PERPLEXITY, FALLING, 7.0, 1.0),
        (PERPLEXITY, FALLING, 8.5, 0.75),
        (PERPLEXITY, FALLING, 15.0, 0.25),
        (PERPLEXITY, FALLING, 21.0, 0.0),
        (PERPLEXITY, FALLING, math.inf, 0.0),
        (ACCURACY, CURVE, math.nan, 0.0),
        (ACCURACY, CURVE, math.inf, 0.0),
        (ACCURACY, replace(CURVE, full=None, credit=()), 0.01, 1.0),
        (PERPLEXITY, replace(CURVE, full=None, credit=()), math.nan, 0.0),
    ],
)
def test_credit_follows_the_curve(training, budget, value, credit):
    assert credit_for(training, budget, budget.full, value) == pytest.approx(credit)


@st.composite
def curves(draw):
    """A metric with a budget that the manifest would accept."""
    training = draw(st.sampled_from([ACCURACY, PERPLEXITY]))
    sign = 1 if training.higher_is_better else -1
    figures = sorted(draw(st.lists(st.floats(-50, 50), min_size=1, max_size=4)), key=lambda figure: -sign * figure)
    credits = sorted(draw(st.lists(st.floats(0, 1), min_size=3, max_size=3)), reverse=True)
    points = tuple(zip(figures[1:], credits, strict=False))
    return training, Budget(steps=1, seconds=1, full=figures[0], credit=points)


@given(curves(), st.floats(-60, 60), st.floats(-60, 60), st.none() | st.floats(-60, 60))
def test_a_better_figure_never_earns_less(curve, one, other, rival):
    training, budget = curve
    full = budget.full if rival is None or better(training, budget.full, rival) else rival
    better_one, worse = (one, other) if better(training, one, other) else (other, one)
    assert credit_for(training, budget, full, better_one) >= credit_for(training, budget, full, worse) - 1e-12


@given(curves(), st.floats())
def test_credit_is_between_nothing_and_all(curve, value):
    training, budget = curve
    assert 0 <= credit_for(training, budget, budget.full, value) <= 1 + 1e-12


# --- decisions ----------------------------------------------------------------------------------------------------


def test_a_figure_at_the_threshold_passes_and_says_so():
    found = decide(0.9)
    assert (found.status, found.credit, found.message) == ("passed", 1.0, "")
    assert found.notes == ("Accuracy 90.0% ± 1.0%, measured on made data; wanted at least 90.0%, our threshold.",)
    assert found.figures["training"]["bar"] == 0.9


def test_a_figure_below_it_earns_part_and_says_what_was_wanted():
    found = decide(0.75, standard_error=0.0)
    assert (found.status, found.credit, found.reason) == ("failed", pytest.approx(0.75), "below the threshold")
    assert found.message == "Accuracy 75.0%, measured on made data; wanted at least 90.0%, our threshold."


def test_a_perplexity_is_to_fall():
    item = training_item("a", replace(FALLING, origin="handout"), metric="perplexity")
    found = decide(25.0, item, standard_error=None)
    assert (found.credit, found.reason) == (0.0, "above the threshold")
    assert found.message == "Perplexity 25, measured on made data; wanted at most 7, as the handout says."


def test_another_threshold_changes_the_verdict_without_a_run():
    before = decided(graded(result("a", 0.85)), assignment(training_item("a")))
    assert before.results["a"].status == "failed"
    lower = assignment(training_item("a", replace(CURVE, full=0.8)))
    assert decided(before, lower).results["a"].status == "passed"


@given(st.floats(0, 1))
def test_deciding_twice_changes_nothing(value):
    rubric = assignment(training_item("a"))
    once = decided(graded(result("a", value)), rubric)
    assert decided(once, rubric) == once


def test_data_that_the_manifest_does_not_know_is_the_graders_error():
    found = decide(0.95, source="real")
    assert (found.status, found.credit) == ("grader_error", 0.0)
    assert "no threshold for this data" in found.message


def test_real_data_is_named():
    item = training_item("a", data="points", real=replace(CURVE, substitute="drawn points"))
    assert "measured on drawn points;" in decide(0.95, item, source="real", data="drawn points").notes[0]
    assert "measured on points;" in decide(0.95, item, source="real", data="").notes[0]


def test_a_threshold_from_a_substitute_is_marked():
    """Only there: on made data, and on the course's own, there is nothing to mark."""
    item = training_item("a", data="points", real=replace(CURVE, substitute="drawn points"))
    tried = "our threshold (tried on drawn points; not measured on the course's data)."
    assert decide(0.95, item, source="real").notes[0].endswith(tried)
    assert decide(0.5, item, source="real").message.endswith(tried)
    assert "tried" not in decide(0.95, item).notes[0]
    assert "tried" not in decide(0.95, training_item("a", data="points", real=CURVE), source="real").notes[0]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_no_number_fails(value):
    found = decide(value)
    assert (found.status, found.credit) == ("failed", 0.0)


@pytest.mark.parametrize(
    "figures",
    [
        {},
        {"training": None},
        {"training": []},
        {"training": {}},
        {"training": {"counts": 1, "value": 0.9, "source": "made"}},
        {"training": {"counts": False, "value": 0.9, "source": "made"}},
        {"training": {"counts": True, "value": None, "source": "made"}},
        {"training": {"counts": True, "value": "high", "source": "made"}},
        {"training": {"counts": True, "value": 0.9, "source": None}},
        {"training": {"counts": True}},
    ],
)
def test_what_was_not_measured_is_left_as_it_is(figures):
    failed = CheckResult(item="a", status="failed", message="It diverged.", figures=figures)
    assert measured(failed) is None
    assert decided(graded(failed), assignment(training_item("a"))).results["a"] == failed


def test_items_without_training_are_left_alone():
    plain = Item(id="b", question="1", points=Decimal(1), part="1")
    other = result("b", 0.1)
    found = decided(graded(result("a", 0.1), other), assignment(training_item("a"), plain, training_item("c")))
    assert found.results["b"] == other
    assert found.results["a"].credit == 0


# --- rivals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rival", "more", "bar", "origin"),
    [
        (0.95, {}, 0.95, "the figure of a"),
        (0.85, {}, 0.9, "the threshold"),  # the stricter one of the two
        (0.3, {}, 0.97, "the reference's figure of a"),  # it earned nothing
        (math.nan, {}, 0.97, "the reference's figure of a"),
        (0.95, {"source": "real"}, 0.97, "the reference's figure of a"),
        (0.95, {"counts": False}, 0.97, "the reference's figure of a"),
    ],
)
def test_the_figure_to_beat(rival, more, bar, origin):
    challenger = training_item("b", replace(CURVE, credit=()), beats="a")
    rubric = assignment(training_item("a"), challenger, evidence={"a": {"made": evidence(0.97)}})
    results = graded(result("a", rival, **more), result("b", 0.96))
    assert bar_of(challenger, challenger.training.made, results, rubric) == (bar, origin)
    assert decided(results, rubric).results["b"].status == ("passed" if bar < 0.96 else "failed")


def test_without_the_rivals_result_its_evidence_counts_and_without_that_the_threshold():
    challenger = training_item("b", beats="a")
    known = assignment(training_item("a"), challenger, evidence={"a": {"made": evidence(0.97)}})
    assert bar_of(challenger, CURVE, graded(result("b", 0.96)), known) == (0.97, "the reference's figure of a")
    unknown = assignment(training_item("a"), challenger)
    assert bar_of(challenger, CURVE, graded(result("b", 0.96)), unknown) == (0.9, "the threshold")


def test_a_perplexity_beats_by_being_lower():
    challenger = training_item("b", replace(FALLING, full=None, credit=()), beats="a", metric="perplexity")
    rubric = assignment(training_item("a", FALLING, metric="perplexity"), challenger)
    found = decided(graded(result("a", 8.0), result("b", 8.5)), rubric).results["b"]
    assert found.message == (
        "Perplexity 8.5 ± 0.01, measured on made data; wanted better than 8, the figure of a."
    )  # fmt: skip


# --- the grey zone ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("training", "budget", "value", "error", "again"),
    [
        (ACCURACY, CURVE, 0.9, 0.0, False),
        (ACCURACY, CURVE, 0.88, 0.0, True),
        (ACCURACY, CURVE, 0.86, 0.0, False),
        (ACCURACY, CURVE, 0.86, 0.03, True),
        (ACCURACY, CURVE, math.nan, math.nan, False),
        (ACCURACY, replace(CURVE, full=None, credit=()), 0.1, 0.5, False),
        (PERPLEXITY, FALLING, 7.02, 0.0, True),
        (PERPLEXITY, FALLING, 6.98, 0.0, False),
        (PERPLEXITY, FALLING, math.inf, math.inf, False),
    ],
)
def test_what_misses_narrowly_is_measured_again(training, budget, value, error, again):
    assert misses_narrowly(training, budget, evidence(spread=0.01), value, error) is again


def test_without_evidence_only_the_figures_own_error_makes_grey():
    assert grey(None, 0.02) == 0.04
    assert not misses_narrowly(ACCURACY, CURVE, None, 0.899, 0.0)


# --- how often a right submission fails ---------------------------------------------------------------------------


def test_margins():
    assert margins(ACCURACY, CURVE, [0.95, 0.85], []) == pytest.approx([0.05, -0.05])
    assert margins(PERPLEXITY, FALLING, [6.0, 8.0], []) == [1.0, -1.0]
    free = replace(CURVE, full=None, credit=())
    assert margins(ACCURACY, free, [0.1], []) == [math.inf]
    assert margins(PERPLEXITY, free, [100.0], []) == [math.inf]


def test_margins_of_a_challenger_pair_figures_seed_by_seed():
    beats = replace(ACCURACY, beats="a")
    assert margins(beats, CURVE, [0.95, 0.95], [0.92, 0.5]) == pytest.approx([0.03, 0.05])
    falling = replace(PERPLEXITY, beats="a")
    assert margins(falling, FALLING, [6.0, 6.0], [6.5, 8.0]) == pytest.approx([0.5, 1.0])
    assert margins(falling, replace(FALLING, full=None), [6.0, 9.0], [6.5, 8.0]) == pytest.approx([0.5, -1.0])


@pytest.mark.parametrize(
    ("cleared", "rate"),
    [
        ([math.inf, math.inf], 0.0),
        ([0.1, 0.1], 0.0),
        ([-0.1, -0.1], 1.0),
        ([math.nan, 0.1], 1.0),
        ([-math.inf, 0.1, 0.2], 1.0),
        ([0.1, -0.1], 0.5),
    ],
)
def test_the_chance_of_a_false_fail(cleared, rate):
    assert false_fail(cleared, again=False) == pytest.approx(rate)


def test_the_chance_is_students_tail():
    # Mean 4, spread 1, five seeds: t = 4 / sqrt(1 + 1/5) with four degrees of freedom.
    cleared = [4 + step / math.sqrt(2.5) for step in (-2, -1, 0, 1, 2)]
    assert false_fail(cleared, again=False) == pytest.approx(student_tail(4 / math.sqrt(1.2), 4))


def test_a_narrow_miss_fails_nobody_without_a_person():
    """Only what misses by more than three spreads does."""
    cleared = [0.5 + step / math.sqrt(2.5) for step in (-2, -1, 0, 1, 2)]
    assert false_fail(cleared, again=True) == pytest.approx(student_tail(3.5 / math.sqrt(1.2), 4))


@pytest.mark.parametrize(
    ("value", "runs", "reason"),
    [
        (0.89, [0.89, 0.885], NARROW_REASON),
        (0.89, [0.89], "below the threshold"),
        (0.80, [0.80, 0.79], "below the threshold"),
        (0.91, [0.89, 0.91], ""),
    ],
    ids=["twice", "once", "by far", "passed"],
)
def test_what_misses_narrowly_twice_waits_for_a_person(value, runs, reason):
    one = replace(training_item("a"), points=Decimal(4))
    rubric = replace(assignment(one), evidence={"a": {"made": evidence()}})
    found = graded(result("a", value, runs=runs))
    assert decided(found, rubric).results["a"].reason == reason
    report = score(found, rubric)
    [line] = report.lines
    assert (line.state, line.score is None) == (("awaiting", True) if reason == NARROW_REASON else (line.state, False))
    assert any("a person decides" in sentence for sentence in report.attention) == (reason == NARROW_REASON)


def test_one_figure_of_a_style_is_no_spread_of_its_own():
    assert grey(replace(evidence(spread=0.01), styles={"other": (0.7,)}), 0.0) == pytest.approx(0.03)


def test_the_style_that_spreads_most_makes_the_grey_zone():
    wide = replace(evidence(spread=0.01), styles={"other": (0.9, 1.0, 0.95)})
    assert grey(wide, 0.0) == pytest.approx(3 * 0.05)


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=6), st.floats(-10, 10))
def test_what_spreads_alike_may_lie_elsewhere(cleared, by):
    """Pooling with oneself around another mean keeps the spread of such margins and knows it better."""
    shifted = [margin + by for margin in cleared]
    pooled = false_fail(cleared, again=False, alike=shifted)
    assert 0 <= pooled <= 1
    mean = sum(cleared) / len(cleared)
    if abs(mean) > 1e-6 and max(cleared) - min(cleared) > 1e-3:
        assert abs(pooled - 0.5) >= abs(false_fail(cleared, again=False) - 0.5) - 1e-6


def test_a_single_margin_is_judged_by_the_spread_of_what_is_alike():
    alike = [0.10, 0.12, 0.11, 0.13]
    near, far = (false_fail([margin], again=False, alike=alike) for margin in (0.02, 0.2))
    assert 0.1 < near < 0.2
    assert far < 0.001
    assert false_fail([math.nan], again=False, alike=alike) == 1.0


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=6))
def test_a_second_try_never_makes_it_worse(cleared):
    once, twice = false_fail(cleared, again=False), false_fail(cleared, again=True)
    assert 0 <= twice <= once + 1e-9
    assert once <= 1


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=6), st.floats(0.01, 10))
def test_a_wider_margin_fails_less_often(cleared, wider):
    assume(max(cleared) - min(cleared) > 1e-6)
    moved = [margin + wider for margin in cleared]
    assert false_fail(moved, again=False) <= false_fail(cleared, again=False) + 1e-9


@pytest.mark.parametrize(
    ("quantile", "freedom", "tail"),
    [(3.747, 4, 0.01), (3.250, 9, 0.005), (6.314, 1, 0.05), (2.920, 2, 0.05), (1.984, 100, 0.025), (0.0, 7, 0.5)],
)
def test_known_quantiles(quantile, freedom, tail):
    assert student_tail(quantile, freedom) == pytest.approx(tail, rel=2e-3)


@given(st.floats(-100, 100), st.integers(1, 60))
def test_students_tail_is_symmetric(t, freedom):
    assert student_tail(t, freedom) + student_tail(-t, freedom) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("freedom", [1, 4])
def test_the_ends_of_students_tail(freedom):
    assert student_tail(math.inf, freedom) == pytest.approx(0, abs=1e-9)
    assert student_tail(-math.inf, freedom) == pytest.approx(1, abs=1e-9)
