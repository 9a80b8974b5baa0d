"""Figures from outputs: against their formulas, and with outputs of every wrong form."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grader.suite import Disagreement
from grader.suite.metrics import (
    accuracy,
    best_relabelling,
    exact_match,
    log_probabilities,
    mean_loss,
    perplexity,
    perplexity_of,
)

SEEDS = st.integers(0, 10_000)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def integers(high, *shape, seed=0):
    return torch.randint(high, shape, generator=torch.Generator().manual_seed(seed))


# --- accuracy -----------------------------------------------------------------------------------------------------


@given(SEEDS, st.integers(1, 20), st.integers(1, 5))
def test_accuracy_counts_rows(seed, rows, classes):
    logits, labels = normal(rows, classes, seed=seed), integers(classes, rows, seed=seed)
    found = accuracy(logits, labels)
    pairs = zip(logits.tolist(), labels.tolist(), strict=True)
    right = sum(max(range(classes), key=row.__getitem__) == label for row, label in pairs)
    assert found.value == pytest.approx(right / rows)
    assert found.standard_error == pytest.approx(math.sqrt(found.value * (1 - found.value) / rows))
    assert found.per_example.tolist() == logits.argmax(1).tolist()


@pytest.mark.parametrize(
    ("logits", "said"),
    [
        (None, "logits should be a tensor, they are NoneType"),
        ([[0.0, 1.0]] * 3, "should be a tensor"),
        (torch.zeros(3), r"should have shape \(3, any\), they have shape \(3,\)"),
        (torch.zeros(4, 2), r"they have shape \(4, 2\)"),
        (torch.zeros(3, 0), r"they have shape \(3, 0\)"),
        (torch.zeros(3, 2, 1), "should have shape"),
        (torch.zeros(3, 2, dtype=torch.int64), "should be floating point"),
        (torch.full((3, 2), math.nan), "hold NaN"),
    ],
)
def test_what_are_no_logits(logits, said):
    with pytest.raises(Disagreement, match=said):
        accuracy(logits, torch.tensor([0, 1, 0]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_logits_of_other_precisions(dtype):
    labels = torch.tensor([0, 1])
    assert accuracy(torch.eye(2, dtype=dtype), labels).value == 1
    assert perplexity(torch.zeros(1, 2, 4, dtype=dtype), labels[None]).value == pytest.approx(4)


def test_infinite_logits_may_still_be_right():
    assert accuracy(torch.tensor([[math.inf, 0.0], [-math.inf, 0.0]]), torch.tensor([0, 1])).value == 1


# --- perplexity ---------------------------------------------------------------------------------------------------


@given(SEEDS, st.integers(1, 4), st.integers(1, 5), st.integers(2, 7), st.sampled_from([None, 0, -100, 99]))
def test_perplexity_follows_its_formula(seed, rows, time, vocabulary, ignore):
    logits, targets = 3 * normal(rows, time, vocabulary, seed=seed), integers(vocabulary, rows, time, seed=seed)
    if ignore is not None:
        targets[integers(2, rows, time, seed=seed + 1) == 1] = ignore
        targets[0, 0] = 1
    negative = [
        math.log(sum(math.exp(entry) for entry in row)) - row[target]
        for row, target in zip(logits.flatten(0, 1).tolist(), targets.flatten().tolist(), strict=True)
        if target != ignore
    ]
    found = perplexity(logits, targets, ignore)
    assert found.value == pytest.approx(math.exp(sum(negative) / len(negative)), rel=1e-4)
    assert found.per_example.tolist() == pytest.approx([-entry for entry in negative], rel=1e-3, abs=1e-4)


def test_a_constant_added_to_all_logits_changes_nothing():
    logits, targets = normal(2, 3, 5), integers(5, 2, 3)
    assert perplexity(logits + 7, targets).value == pytest.approx(perplexity(logits, targets).value, rel=1e-5)


def test_the_ends_of_perplexity():
    targets = torch.tensor([[2, 0]])
    assert perplexity(torch.zeros(1, 2, 5), targets).value == pytest.approx(5)
    sure = torch.nn.functional.one_hot(targets, 5) * 1e4
    assert perplexity(sure, targets).value == 1
    assert perplexity(-sure, targets).value == math.inf, "it overflows to infinity and not to an error"


def test_the_standard_error_of_a_perplexity():
    log_probs = torch.tensor([-1.0, -2.0, -3.0, -2.0])
    found = perplexity_of(log_probs)
    assert found.value == pytest.approx(math.exp(2))
    assert found.standard_error == pytest.approx(math.exp(2) * math.sqrt(2 / 3) / 2)
    assert perplexity_of(torch.tensor([-1.0])).standard_error == 0


def test_an_infinite_logit_earns_no_perplexity():
    logits = torch.tensor([[[math.inf, 0.0], [0.0, 0.0]]])
    assert math.isnan(perplexity(logits, torch.tensor([[0, 0]])).value)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((2, 3), r"shape \(2, 3, any\), they have shape \(2, 3\)"),
        ((2, 2, 5), r"they have shape \(2, 2, 5\)"),
        ((2, 4, 5), r"they have shape \(2, 4, 5\)"),
        ((3, 2, 5), "should have shape"),
        ((2, 3, 4), "4 classes are too few for the vocabulary"),
        ((2, 3, 0), "should have shape"),
    ],
)
def test_logits_of_another_shape_than_the_targets(shape, said):
    with pytest.raises(Disagreement, match=said):
        log_probabilities(torch.zeros(shape), torch.tensor([[0, 1, 4], [4, 0, 0]]))


def test_padding_outside_of_the_vocabulary_needs_no_class():
    targets = torch.tensor([[1, 9, -1]])
    assert len(log_probabilities(torch.zeros(1, 3, 10), targets, ignore=-1)) == 2
    with pytest.raises(Disagreement, match="too few"):
        log_probabilities(torch.zeros(1, 3, 9), targets, ignore=-1)


# --- exact match --------------------------------------------------------------------------------------------------

ROWS = st.lists(st.lists(st.integers(0, 3), max_size=3), min_size=1, max_size=6)


@given(ROWS, ROWS)
def test_exact_match_counts_equal_sequences(predicted, expected):
    predicted, expected = zip(*zip(predicted, expected, strict=False), strict=True)
    found = exact_match(predicted, expected)
    hits = [mine == theirs for mine, theirs in zip(predicted, expected, strict=True)]
    assert found.value == pytest.approx(sum(hits) / len(hits))
    assert found.per_example.tolist() == hits


def test_exact_match_of_tensors():
    assert exact_match(torch.tensor([[1, 2], [3, 4]]), [[1, 2], [3, 5]]).value == 0.5
    assert exact_match([torch.tensor([1, 2]), torch.tensor([3])], [[1, 2], [3, 5]]).value == 0.5


@pytest.mark.parametrize(
    ("predicted", "said"),
    [
        (None, "2 sequences were expected, there is NoneType"),
        ("ab", "there is str"),
        ([[1, 2]], "2 sequences were expected, 1 came back"),
        ([1, 2], "a list of whole numbers"),
        ([[1, 2], None], "a list of whole numbers"),
        ([[1, 2], "34"], "a list of whole numbers"),
        ([[1, 2], [3, torch.tensor([4, 4])]], "a list of whole numbers"),
        ([torch.tensor([1, 2]), torch.tensor(3)], "a list of whole numbers"),
        (torch.zeros(2), "a list of whole numbers"),
    ],
)
def test_what_are_no_sequences(predicted, said):
    with pytest.raises(Disagreement, match=said):
        exact_match(predicted, [[1, 2], [3, 4]])


# --- mean loss ----------------------------------------------------------------------------------------------------


def test_mean_loss():
    found = mean_loss(torch.tensor([1.0, 2.0, 3.0]))
    assert (found.value, found.standard_error) == (2.0, pytest.approx(1 / math.sqrt(3)))
    assert mean_loss(torch.tensor([4.0])).standard_error == 0


@pytest.mark.parametrize(
    "losses", [None, 1.0, torch.tensor(1.0), torch.zeros(0), torch.zeros(2, 2), torch.tensor([1.0, math.nan])]
)
def test_what_are_no_losses(losses):
    with pytest.raises(Disagreement):
        mean_loss(losses)


def test_the_names_of_classes_do_not_matter_to_the_best_relabelling():
    labels = torch.tensor([0, 1, 2, 2])
    logits = torch.nn.functional.one_hot(torch.tensor([1, 2, 0, 0])).float()
    assert accuracy(logits, labels).value == 0
    assert best_relabelling(logits, labels).value == 1


def test_a_single_answer_is_worth_its_most_frequent_label():
    assert best_relabelling(torch.ones(4, 3), torch.tensor([0, 1, 1, 2])).value == 0.5
