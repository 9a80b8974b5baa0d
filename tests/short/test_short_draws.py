"""Sizes and inputs: what is read, and what is refused."""

import inspect

import pytest

from grader.short.calls import Unreadable
from grader.short.draws import DRAWS, distinct, needed, read_input, read_size
from grader.suite import Draw

SIZES = {name: read_size(name, value, {"a": 1, "b": 1}) for name, value in {"a": "1..5", "b": "2..9"}.items()}


@pytest.mark.parametrize("name", DRAWS)
def test_the_table_of_draws_is_that_of_the_suite(name):
    parameters = inspect.signature(getattr(Draw, name)).parameters
    keywords = [each for each, one in parameters.items() if one.kind is one.KEYWORD_ONLY]
    named = keywords or [each for each in parameters if each in ("low", "high")]
    assert list(DRAWS[name]) == named


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("5..2", "lowest..highest"),
        ("1..99999", "lowest..highest"),
        ("lots", "lots is no size"),
        ("aa * 2", "did you mean"),
        ([], "a list of numbers"),
        ("a(1)", "has no place here"),
    ],
)
def test_sizes_that_cannot_be(value, told):
    with pytest.raises(Unreadable) as caught:
        read_size("n", value, {"a": 1, "aaa": 2})
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("norml(a)", "cannot be drawn: expected one of normal"),
        ("normal(rows)", "rows is no size"),
        ("normal(a, sigma=2)", "normal takes std, mean, not sigma"),
        ("normal(a, b", "not an expression"),
    ],
)
def test_inputs_that_cannot_be_drawn(text, told):
    with pytest.raises(Unreadable) as caught:
        read_input("x", text, SIZES)
    assert told in str(caught.value)


@pytest.mark.parametrize("name", ["net", "seed", "a b", "handed", "_x"])
def test_names_that_the_probe_needs_itself(name):
    with pytest.raises(Unreadable, match="cannot be the name"):
        read_input(name, "normal(a)", SIZES)


def test_inputs():
    assert read_input("x", "normal(a, 2 * b, std=0.5)", SIZES).code == "draw.normal(a, 2 * b, std=0.5)"
    assert read_input("x", "list(integers(a, high=3))", SIZES).code == "draw.integers(a, high=3).tolist()"
    assert read_input("x", "[[1, 2.5]]", SIZES).code == "torch.tensor([[1, 2.5]])"


def test_computed_sizes_come_after_what_they_need_and_in_no_circle():
    told = {"wide": "heads * 4", "heads": [1, 2], "p": "q + 1", "q": "p + 1"}
    sizes = {name: read_size(name, value, told) for name, value in told.items()}
    assert [size.name for size in needed(["wide"], sizes)] == ["heads", "wide"]
    with pytest.raises(Unreadable, match="from each other"):
        needed(["p"], sizes)


def test_distinct_sizes_are_those_that_can_be():
    told = {"rows": "1..5", "a": "2..3", "b": "2..3", "c": "2..3", "d": "2..9"}
    sizes = [read_size(name, value, told) for name, value in told.items()]
    assert [size.name for size in distinct(sizes)] == ["a", "b", "d"]
