"""Trainings for readers: the facts, the curves, and that no figure of a journal breaks a page."""

from __future__ import annotations

import base64
import json
import math
import re
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from learning_examples import ACCURACY, DIVERGED, PERPLEXITY, trained
from report_examples import ADA, ASSIGNMENT, HOSTILE

from grader.model import CheckResult, Graded, Line
from grader.reports import full, gradescope, html, terminal
from grader.reports.curve import BLOCKS, SPARK_WIDTH, picture, spark, svg
from grader.reports.learning import Series, comparison_of, learning_of
from grader.scoring import score


def facts(figures):
    return dict(learning_of(trained(figures)).facts)


def series(figures):
    return {entry.name: entry for entry in learning_of(trained(figures)).series}


def line(*points, **more):
    return Series(name="loss", points=tuple(points), **more)


# --- facts --------------------------------------------------------------------------------------------------------


def test_facts_of_a_training():
    assert facts(PERPLEXITY) == {
        "Measured": "6.5 (every target token, padding not counted)",
        "Beside it": "chance 9214, words only 11.25, sentences 1000",
        "Earned by": "training again here, on Multi30k test_2016; the judge computed the figure",
        "Training": "80 of 80 steps, 12.35 s, 6.48 steps/s, evaluation 0.5 s, on cpu",
        "Memory": "at most 400.2 MiB, 380 MiB on average once settled",
        "Reported by the code": "parameters 1234, best 0.1235, done True",
    }


def test_facts_of_a_checkpoint():
    found = facts(ACCURACY)
    assert found["Measured"].startswith("87.5% (")
    assert found["Earned by"] == "evaluating the checkpoint that was handed in, on data made by code"
    assert set(found) == {"Measured", "Earned by", "Training"}


def test_without_a_figure_none_is_told():
    assert "Measured" not in facts(DIVERGED)


@pytest.mark.parametrize("figures", [None, [], "x", 3])
def test_what_is_no_training(figures):
    assert learning_of(trained(figures)) is None
    assert learning_of(None) is None
    assert learning_of(CheckResult(item="a", status="passed", figures={"out": {"of": 3}})) is None


def test_names_and_claims_are_made_safe():
    found = facts({**PERPLEXITY, "claims": {HOSTILE: HOSTILE}, "beside": {HOSTILE: 1.0}, "counted": HOSTILE})
    assert not any("\x1b" in text or "\u202e" in text or "\n" in text for text in found.values())


# --- series -------------------------------------------------------------------------------------------------------


def test_a_perplexity_is_drawn_from_the_training_loss():
    found = series(PERPLEXITY)
    assert list(found) == ["loss", "gradient <norm>", "training perplexity"]
    assert found["training perplexity"].points[0] == (1.0, pytest.approx(math.exp(6.9)))
    assert (found["training perplexity"].level, found["training perplexity"].end) == (7.0, 6.5)
    assert (found["loss"].level, found["loss"].end) == (None, None)


def test_a_metric_that_was_reported_is_drawn_with_its_threshold():
    curve = [[1, {"accuracy": 0.5, "loss": 1.0}], [2, {"loss": 0.5}], [3, {"accuracy": 0.75}]]
    found = series({**ACCURACY, "curve": curve})
    assert found["accuracy"].points == ((1.0, 0.5), (3.0, 0.75))
    assert (found["accuracy"].level, found["accuracy"].end) == (0.9, 0.875)
    assert found["loss"].points == ((1.0, 1.0), (2.0, 0.5))


def test_a_metric_that_was_not_reported_is_a_dot_at_the_end():
    found = series({**ACCURACY, "metric": "exact_match", "curve": [[1, {"loss": 1.0}], [9, {"loss": 0.5}]]})
    assert found["exact match"].points == ((9.0, 0.875),)


def test_without_a_curve_there_is_nothing_to_draw():
    assert learning_of(trained(ACCURACY)).series == ()


def test_points_that_are_no_numbers_are_left_out():
    curve = [
        [1, {"loss": 1.0}], [2, {"loss": math.nan}], [3, {"loss": math.inf}], [4, {"loss": None}], [5, {"loss": "low"}],
        [6, {"loss": 1e300}], ["7", {"loss": 1.0}], [None, {"loss": 1.0}], [8], "ab", None, [9, [1]], [10, {"loss": 2}],
    ]  # fmt: skip
    assert series({**ACCURACY, "curve": curve})["loss"].points == ((1.0, 1.0), (10.0, 2.0))


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_a_figure_that_is_no_number_is_not_drawn(value):
    found = series({**PERPLEXITY, "value": value})["training perplexity"]
    assert found.end is None
    assert "nan" not in svg(found)
    assert "inf" not in svg(found)


# --- drawing ------------------------------------------------------------------------------------------------------


def coordinates(text):
    """All numbers of places in the picture, as (attribute, number)."""
    root = ElementTree.fromstring(text)
    for element in root.iter():
        for name, value in element.attrib.items():
            if name in ("x", "y", "x1", "x2", "y1", "y2", "cx", "cy"):
                yield name[-1] if name[-1] in "xy" else name[0], float(value)
            elif name == "points":
                for pair in value.split():
                    x, y = pair.split(",")
                    yield from (("x", float(x)), ("y", float(y)))


def test_curves_have_a_threshold_a_line_and_a_dot():
    text = svg(series(PERPLEXITY)["training perplexity"])
    assert [text.count(f"<{name}") for name in ("polyline", "circle", 'line class="level"')] == [1, 1, 1]
    assert "wanted 7<" in text
    assert 'aria-label="training perplexity from 992 to 7.12 over 80 steps, measured 6.5, wanted 7"' in text


def test_no_axis_goes_below_zero_when_no_value_does():
    assert ">-" not in svg(line((1, 3.0), (2, 0.01)))
    assert ">-" in svg(line((1, 3.0), (2, -0.01)))


def test_names_are_escaped():
    text = svg(line((1, 1.0), (2, 2.0)))
    hostile = svg(Series(name='"><script>&', points=((1, 1.0), (2, 2.0))))
    assert ElementTree.fromstring(hostile).find("text").text == '"><script>&'
    assert len(list(ElementTree.fromstring(hostile).iter())) == len(list(ElementTree.fromstring(text).iter()))


@pytest.mark.parametrize(
    "one",
    [
        line(),
        line(level=1.0, end=0.5),
        line((1, 1.0)),
        line((1, 1.0), (2, 1.0)),
        line((1, 0.0), (2, 0.0)),
        line((1, 5e21), (2, 5e21)),
        line((1, -5e21), (2, -5e21)),
        line((1, 0.0), (2, 5e-324)),
        line((5, 1.0), (5, 2.0)),
        line((9, 1.0), (1, 2.0)),
        line((1, 1.0), (2, 0.5), level=1e90, end=-1e90),
    ],
)
def test_odd_curves_are_drawn_within_the_picture(one):
    for name, number in coordinates(svg(one)):
        assert 0 <= number <= (318 if name == "x" else 150)
    assert spark(one).startswith("loss")


def test_a_training_that_diverged_from_the_start_is_drawn():
    """exp of a loss beyond 50 is the same number in every report: no range at all."""
    found = series(DIVERGED)["training perplexity"]
    assert len(found.points) == 2
    assert "nan" not in svg(found)


NUMBERS = st.floats(-1e99, 1e99)


@given(
    st.builds(
        Series,
        name=st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=10),
        points=st.lists(st.tuples(st.floats(0, 1e6), NUMBERS), max_size=8).map(lambda found: tuple(sorted(found))),
        level=st.none() | NUMBERS,
        end=st.none() | NUMBERS,
    )
)
def test_any_curve_is_drawn_within_the_picture(one):
    for name, number in coordinates(svg(one)):
        assert -1 <= number <= (319 if name == "x" else 151)
    assert spark(one)


def test_the_start_of_a_curve_does_not_flatten_the_rest():
    text = svg(line((1, 1000.0), *((step, 2.0 - step / 100) for step in range(2, 30))))
    heights = [float(pair.split(",")[1]) for pair in re.search(r'points="([^"]+)"', text)[1].split()]
    # On the whole range, 0.3 of 1000 would be a twentieth of a pixel.
    assert max(heights) - min(heights[1:]) > 3


def test_a_spark_shows_a_fall():
    falling = line(*((step, 10.0 - step) for step in range(1, 9)))
    assert spark(falling) == "loss █▇▆▅▄▃▂▁ 9 → 2 (8 steps)"
    assert spark(line((1, 2.0), (2, 2.0))) == "loss ▁▁ 2 → 2 (2 steps)"
    assert spark(line((3, 2.0))) == "loss from 2 to 2 over 3 steps"


@given(st.lists(NUMBERS, min_size=2, max_size=300))
def test_a_spark_is_short_and_reaches_from_bottom_to_top(values):
    blocks = spark(line(*enumerate(values))).split()[1]
    assert len(blocks) == min(len(values), SPARK_WIDTH)
    assert set(blocks) <= set(BLOCKS)
    if max(values) > min(values) and len(values) <= SPARK_WIDTH:
        assert {BLOCKS[0], BLOCKS[-1]} <= set(blocks)


# --- whatever a journal holds ---------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(HOSTILE),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
CURVES = st.lists(st.tuples(JSON, st.dictionaries(st.sampled_from(["loss", "accuracy", "perplexity"]), JSON)).map(list))
HOSTILE_FIGURES = st.fixed_dictionaries(
    {},
    optional={
        "counts": st.booleans(), "source": st.sampled_from(["made", "real"]) | JSON, "value": JSON, "counted": JSON,
        "metric": st.sampled_from(["accuracy", "perplexity"]) | JSON, "standard_error": JSON, "beside": JSON,
        "way": JSON, "claims": JSON, "curve": CURVES | JSON, "steps": JSON, "budget": JSON, "seconds": JSON,
        "peak_mib": JSON, "steady_mib": JSON, "bar": JSON, "data": JSON, "device": JSON, "steps_per_second": JSON,
    },
)  # fmt: skip


@given(HOSTILE_FIGURES | JSON)
def test_no_figures_break_a_reader(figures):
    found = learning_of(trained(figures))
    for entry in found.series if found else ():
        ElementTree.fromstring(svg(Series(name="n", points=entry.points, level=entry.level, end=entry.end)))
        assert spark(entry)


WRONG = {"counts": True, "value": 0.5, "metric": "accuracy", "source": "made"}


@settings(max_examples=50)
@given(st.lists(HOSTILE_FIGURES, min_size=2, max_size=3))
@example([WRONG, {**WRONG, "source": []}])
@example([WRONG, {**WRONG, "metric": {}}])
@example([WRONG, {**WRONG, "value": False}])
@example([WRONG, {**WRONG, "value": 10**400}])
def test_no_figures_break_a_comparison(several):
    comparison_of(
        [
            Line(item="a", title="A", question="1", state="passed", maximum=Decimal(1), result=trained(figures))
            for figures in several
        ]
    )


# --- in the outputs -----------------------------------------------------------------------------------------------


def report_of(figures, item="rnn.forward"):
    results = {**ADA.results, item: trained(figures, item=item)}
    return score(Graded(key="ada", results=results), ASSIGNMENT)


def test_the_page_holds_the_curves_and_the_facts():
    page = html.page(report_of(PERPLEXITY))
    assert page.count("<svg") == 3
    assert "gradient &lt;norm&gt;" in page
    assert "Multi30k test_2016" in page


def test_a_hidden_item_shows_its_curve_to_staff_only():
    one = report_of(PERPLEXITY, "attention.mask")
    assert "<svg" not in html.page(one)
    assert "Multi30k" not in html.page(one)
    assert html.page(one, staff=True).count("<svg") == 3


def test_the_terminal_shows_the_curve_beside_a_pass():
    assert re.search(r"training perplexity [▁-█]+ 992 → 7.12 \(80 steps\)", terminal.check_text(report_of(PERPLEXITY)))


@pytest.mark.parametrize("figures", [DIVERGED, {**PERPLEXITY, "value": math.inf, "claims": {"loss": math.nan}}])
def test_a_training_that_diverged_spoils_no_output(figures):
    one = report_of(figures)
    assert full.load(full.dump(one)).lines
    json.loads(gradescope.text(one), parse_constant=pytest.fail)
    assert "<svg" in html.page(one)
    assert terminal.check_text(one)


def test_a_curve_is_a_picture_that_stands_alone():
    kind, _, data = picture(series(PERPLEXITY)["training perplexity"]).partition(",")
    assert kind == "data:image/svg+xml;base64"
    root = ElementTree.fromstring(base64.b64decode(data))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    drawn = [element.tag.rpartition("}")[2] for element in root.iter()]
    assert drawn.index("style") < drawn.index("polyline")
