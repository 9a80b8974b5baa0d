"""Several trainings side by side, as a report of experiments shows them."""

from dataclasses import replace
from decimal import Decimal

import pytest

from grader.model import CheckResult, Line
from grader.reports.learning import comparison_of


def line(name, value, metric="accuracy", source="made", counts=True, beside=None):
    figures = {
        "counts": counts, "metric": metric, "source": source, "value": value, "beside": beside or {},
        "seconds": 2.25, "evaluation_seconds": 0.5, "peak_mib": 1281.4, "steady_mib": None,
    }  # fmt: skip
    result = CheckResult(item=name, status="passed", credit=1.0, figures={"training": figures})
    return Line(
        item=name, question="3", title=f"Configuration {name}", state="passed", maximum=Decimal(0),
        score=Decimal(0), earned=Decimal(0), result=result,
    )  # fmt: skip


def test_every_training_is_a_row_with_its_cost():
    beside = {"accuracy on training data": 0.875, "parameters": 22978}
    found = comparison_of([line("1", 0.75, beside=beside), line("2", 0.5)])
    assert found.header[1:4] == ("accuracy, held out", "accuracy on training data", "parameters")
    assert found.rows[0] == (("Configuration 1", "75.0%", "87.5%", "22,978", "2.25", "0.5", "–", "1,281"), True)
    assert found.rows[1][0][2:4] == ("–", "–")


def test_what_was_held_on_the_gpu_is_compared_where_all_were_there():
    def on_gpu(name, value, **held):
        found = line(name, value)
        figures = {"training": {**found.result.figures["training"], **held}}
        return replace(found, result=replace(found.result, figures=figures))

    first, second = (on_gpu(name, 0.5, gpu_steady_mib=100.5, gpu_peak_mib=256.0) for name in "12")
    found = comparison_of([first, second])
    assert found.header[-2:] == ("GPU memory on average, MiB", "at most, MiB")
    assert found.rows[0][0][-2:] == ("100", "256")
    mixed = comparison_of([first, line("3", 0.25)])
    assert mixed.header[-2:] == ("memory on average, MiB", "at most, MiB")
    assert mixed.rows[0][0][-2:] == ("–", "1,281")


@pytest.mark.parametrize(("metric", "best"), [("accuracy", [False, True]), ("perplexity", [True, False])])
def test_the_best_figure_is_marked(metric, best):
    found = comparison_of([line("1", 0.5, metric), line("2", 0.75, metric)])
    assert [row_best for _, row_best in found.rows] == best


@pytest.mark.parametrize(
    "other", [line("2", 0.5, metric="loss"), line("2", 0.5, source="real"), line("2", 0.5, counts=False)]
)
def test_what_cannot_be_compared_is_not_shown_side_by_side(other):
    assert comparison_of([line("1", 0.5), other]) is None


def test_items_without_a_training_are_left_out():
    plain = replace(line("3", 0.5), result=None)
    assert len(comparison_of([line("1", 0.5), plain, line("2", 0.25)]).rows) == 2
