"""The words that a student reads when values differ, as golden texts, and the bounds behind them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.assignment.assignment import Tolerance
from grader.calling import plain
from grader.suite import Disagreement, assert_agrees, partial, require, require_close, require_different
from grader.suite.agreement import PartialCredit, differences, reveals, tolerances


def text_of(actual, expected, **options):
    """Everything that is said about a disagreement."""
    with pytest.raises(Disagreement) as caught:
        assert_agrees(actual, expected, **options)
    return str(caught.value)


ONES = torch.ones(2, 3)
RAMP = torch.arange(6.0).reshape(2, 3)
BUMPED = RAMP.clone()
BUMPED[1, 0] += 0.5

GOLDEN = [
    ({}, {"out": ONES}, "out is missing from the result."),
    ({"out": None}, {"out": ONES}, "out should be a tensor of shape (2, 3), it is None."),
    ({"out": 3}, {"out": ONES}, "out should be a tensor of shape (2, 3), it is a whole number."),
    ({"out": [ONES]}, {"out": ONES}, "out should be a tensor of shape (2, 3), it is a list or tuple of 1."),
    ({"out": ONES}, {"out": 1.0}, "out should be a number, it is a tensor of shape (2, 3)."),
    ({"out": ONES[0]}, {"out": ONES}, "out should have shape (2, 3), it has shape (3,)."),
    ({"out": ONES.double()}, {"out": ONES}, "out should be of float32, it is of float64."),
    ({"out": 4}, {"out": 3}, "out should be 3, it is 4."),
    ({"out": True}, {"out": 1}, "out should be a whole number, it is True or False."),
    ({"out": "b"}, {"out": "a"}, "out should be 'a', it is 'b'."),
    ({"out": 1.5}, {"out": 1.0}, "out should be 1, it is 1.5 (allowed difference 3.3e-05)."),
    (
        {"out": torch.tensor([1, 2, 4])},
        {"out": torch.tensor([1, 2, 3])},
        "out: 1 of 3 entries differ, the first at (2,): 4 where 3 is expected; shape (3,).",
    ),
    (
        {"out": torch.tensor([1.0, float("nan"), float("inf")])},
        {"out": torch.ones(3)},
        "out holds 2 of 3 entries that are NaN or infinite where a finite number is expected; "
        "the first is nan at (1,).",
    ),
    (
        {"out": torch.tensor([1.0, 2.0])},
        {"out": torch.tensor([1.0, float("-inf")])},
        "out should be -inf at (1,), it is 2.",
    ),
    (
        {"out": BUMPED},
        {"out": RAMP},
        "out: 1 of 6 entries differ (17%).\n"
        "Greatest difference 0.5 at (1, 0): 3.5 where 3 is expected; allowed is 1.5e-04.\n"
        "Shape (2, 3), torch.float32.\n"
        "Only index 0 of dimension 1 is wrong (its size is 3).",
    ),
    (
        {"out": -RAMP},
        {"out": RAMP},
        "out: 5 of 6 entries differ (83%).\n"
        "Greatest difference 10 at (1, 2): -5 where 5 is expected; allowed is 1.5e-04.\n"
        "Shape (2, 3), torch.float32.\n"
        "It equals the expected tensor times -1.",
    ),
    ({"gradients": {"x": None}}, {"gradients": {"x": ONES}},
     "x received no gradient: it is detached from the output, or not used."),
    ({"gradients": {"x": ONES}}, {"gradients": {"x": None}},
     "gradients.x should be None, it is a tensor of shape (2, 3)."),
    ({"out": {"a": 1}}, {"out": {"a": 1, "b": 2}}, "out.b is missing from the result."),
    ({"out": [1, 2, 3]}, {"out": [1, 2]}, "out should have 2 entries, it has 3."),
    ({"out": [1, 5]}, {"out": [1, 2]}, "out[1] should be 2, it is 5."),
]  # fmt: skip


@pytest.mark.parametrize(("actual", "expected", "text"), GOLDEN, ids=range(len(GOLDEN)))
def test_golden_messages(actual, expected, text):
    assert text_of(actual, expected) == text


def test_every_mismatch_is_listed_in_the_expected_order():
    assert text_of({"a": 1, "c": 9}, {"a": 2, "b": 0, "c": 8}).splitlines() == [
        "a should be 2, it is 1.", "b is missing from the result.", "c should be 8, it is 9.",
    ]  # fmt: skip


def test_more_than_is_expected_is_not_held_against_anyone():
    assert_agrees({"out": ONES, "more": 1}, {"out": ONES})


def test_only_restricts_and_knows_its_names():
    assert_agrees({"out": ONES, "b": 1}, {"out": ONES, "b": 2}, only=["out"])
    with pytest.raises(KeyError, match="no value named outt"):
        assert_agrees({"out": ONES}, {"out": ONES}, only=["outt"])


def test_infinities_and_nans_of_the_reference_are_expected():
    values = torch.tensor([1.0, float("inf"), float("-inf"), float("nan")])
    assert_agrees({"out": values.clone()}, {"out": values})
    assert "should be inf at (1,)" in text_of({"out": torch.tensor([1.0, 2.0, -1.0, 0.0])}, {"out": values})


# --- bounds ---------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, database=None)
@given(scale=st.floats(1e-3, 1e6), share=st.sampled_from([0.5, 0.9, 1.2, 2.0]))
def test_the_bound_is_relative_to_the_greatest_entry(scale, share):
    expected = torch.tensor([1.0, -0.25, 0.0], dtype=torch.float64) * scale
    bound = 1e-10 + 1e-9 * scale
    actual = expected.clone()
    actual[2] += share * bound
    assert bool(differences({"x": actual}, {"x": expected})) is (share > 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_rounding_passes_and_a_thousandth_fails(dtype):
    exact = torch.linspace(-3, 3, 50, dtype=torch.float64)
    expected = exact.to(dtype)
    assert_agrees({"x": expected.clone()}, {"x": expected})
    factor = 1.001 if dtype in (torch.float32, torch.float64) else 1.1
    assert differences({"x": (exact * factor).to(dtype)}, {"x": expected})


@pytest.mark.parametrize("wrong", [torch.zeros(4, 4), torch.full((4, 4), 0.5), torch.ones(4, 4) * float("nan")])
def test_cheap_answers_fail(wrong):
    expected = torch.rand(4, 4, generator=torch.Generator().manual_seed(0))
    assert differences({"x": wrong}, {"x": expected})


def test_the_manifests_tolerances_hold_and_a_call_may_override_them():
    expected, actual = {"x": torch.ones(2)}, {"x": torch.ones(2) * 1.01}
    token = tolerances.set({"float32": Tolerance(rtol=0.1, atol=0.0)})
    try:
        assert_agrees(actual, expected)
        assert_agrees({"x": 1.01}, {"x": 1.0})
        assert text_of(actual, expected, rtol=1e-6)
    finally:
        tolerances.reset(token)
    assert text_of(actual, expected)
    assert_agrees(actual, expected, atol=0.1)


def test_broadcasting_earns_nothing():
    for shape in ((), (1,), (1, 3), (2, 1)):
        assert "shape" in text_of({"out": torch.ones(shape)}, {"out": ONES})


def test_empty_tensors_agree():
    assert_agrees({"x": torch.zeros(0, 3)}, {"x": torch.zeros(0, 3)})


# --- properties -----------------------------------------------------------------------------------------------


def test_require():
    require(torch.tensor(True), "fine")
    with pytest.raises(Disagreement, match="Rows should sum to one"):
        require(False, "Rows should sum to one.")


def test_require_close_names_what():
    require_close(1.0, 1.0, "the sum")
    with pytest.raises(Disagreement, match="the sum should be 1, it is 2"):
        require_close(2.0, 1.0, "the sum")


def test_require_different():
    require_different(torch.ones(2), torch.zeros(2), "x")
    require_different(torch.ones(2), torch.ones(3), "x")
    with pytest.raises(Disagreement, match="Dropout should change"):
        require_different(torch.ones(2), torch.ones(2) + 1e-8, "Dropout should change the output.")


def test_partial_is_between_nothing_and_all():
    with pytest.raises(PartialCredit) as caught:
        partial(0.25, "a quarter")
    assert (caught.value.credit, caught.value.message) == (0.25, "a quarter")
    with pytest.raises(ValueError, match="between 0 and 1"):
        partial(1.5, "too much")


# --- answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actual", "expected", "told"),
    [
        (7.0, 9.0, "size is not right: it is 7.0."),
        (7, 9, "size is not right: it is 7."),
        ("relu", "gelu", "size is not right: it is 'relu'."),
        (torch.tensor([1.0, 2.0]), torch.tensor([1.0, 3.0]), "size is not right."),
        (torch.tensor([1, 2]), torch.tensor([1, 3]), "size is not right."),
        (float("nan"), 9.0, "size is not right: it is nan."),
        ("9", 9.0, "size should be a number, it is a string."),
    ],
)
def test_an_answer_is_not_told(actual, expected, told):
    assert text_of({"size": actual}, {"size": expected}, reveal=False) == told


def test_nor_how_far_it_is():
    with pytest.raises(Disagreement) as caught:
        assert_agrees({"size": 7.0}, {"size": 9.0}, reveal=False)
    assert caught.value.mismatches[0].figures == {}


def test_the_judge_says_what_is_told_by_default():
    token = reveals.set(False)
    try:
        assert "9" not in text_of({"size": 7.0}, {"size": 9.0})
        assert "should be 9" in text_of({"size": 7.0}, {"size": 9.0}, reveal=True)
    finally:
        reveals.reset(token)


def test_the_values_of_whole_numbers_are_told_by_their_keys():
    right = {number: chr(97 + number) for number in range(16)}
    wrong = {**right, 2: "x", 12: ["y"]}
    found = differences(plain(wrong), plain(right), path="out")
    assert [line for mismatch in found for line in mismatch.lines] == [
        "out[4][1] (for 12) should be a string, it is a list or tuple of 1.",
        "out[8][1] (for 2) should be 'c', it is 'x'.",
    ]
    assert differences(plain(right), plain(right)) == []
    (other_key,) = differences([[0, "a"], [3, "b"]], [[0, "a"], [1, "b"]], path="out")
    assert other_key.lines == ("out[1][0] should be 1, it is 3.",)
    (unsorted,) = differences([[5, 1], [4, 2]], [[5, 1], [4, 3]], path="pairs")
    assert unsorted.lines == ("pairs[1][1] should be 3, it is 2.",)
