"""Question 1: the text classifier written by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from hypothesis import given
from probes import (
    collate,
    rnn_dropout,
    rnn_evaluate,
    rnn_forward,
    rnn_loss,
    rnn_padding,
    rnn_probabilities,
    rnn_sizes,
    rnn_start,
    rnn_train,
)
from recurrent import RNN_NAMES, extents, fits
from rnn_cases import (
    dropping_cases,
    epoch_cases,
    forward_cases,
    padded_cases,
    prediction_cases,
    size_cases,
    start_cases,
    text_cases,
    whole_cases,
)

from grader.suite import assert_agrees, item, require, require_close, routes


@item("rnn.collate")
@given(case=text_cases())
def test_collate(student, reference, case):
    """All texts of a batch get its average length: longer ones are cut, shorter ones are filled up with zeros."""
    batch = reference.run(collate, case)
    actual = student.run(collate, case)
    inputs = case.inputs()
    lengths = inputs["lengths"].tolist()
    average = sum(lengths) / len(lengths)
    text = actual["text"]
    require(text.dim() == 2, f"The text tensor should have the shape (L, B), it has {tuple(text.shape)}.")
    steps, columns = text.shape
    require(columns == case.batch, f"The text tensor should have {case.batch} columns, one per text; it has {columns}.")
    require(
        abs(steps - average) < 1,
        f"The texts have {', '.join(map(str, lengths))} tokens, {average:g} on average; the tensor has {steps} rows.",
    )
    for name in ("label", "length"):
        require_close(list(actual[name].shape), list(batch[name].shape), f"the shape of the {name} tensor")
    expected = [
        (*_column(tokens, length, steps), int(label) - 1, length)
        for tokens, length, label in zip(inputs["tokens"].tolist(), lengths, inputs["labels"], strict=True)
    ]
    _require_same_batch(actual, expected, steps)


def _column(tokens: Sequence[int], length: int, steps: int) -> tuple[int, ...]:
    kept = list(tokens[: min(length, steps)])
    return tuple(kept + [0] * (steps - len(kept)))


def _require_same_batch(actual: Mapping[str, torch.Tensor], expected: Sequence[tuple[int, ...]], steps: int) -> None:
    """Compare without regard to the order of the texts (some sort them); lengths are as they were, or cut to L."""
    rows = [
        tuple(int(value) for value in (*column, label, length))
        for column, label, length in zip(actual["text"].t(), actual["label"], actual["length"], strict=True)
    ]
    texts = Counter(row[:-2] for row in rows), Counter(row[:-2] for row in expected)
    require(texts[0] == texts[1], f"A text became {_odd(*texts)} where {_odd(texts[1], texts[0])} is expected.")
    labels = Counter(row[:-1] for row in rows), Counter(row[:-1] for row in expected)
    require(labels[0] == labels[1], "The labels (from 0 on) do not belong to their texts.")
    cut = Counter((*row[:-1], min(row[-1], steps)) for row in expected)
    require(
        Counter(rows) in (Counter(expected), cut),
        "The length of a text should be its number of tokens (as it was, or at most the number of rows).",
    )


def _odd(first: Counter[tuple[int, ...]], second: Counter[tuple[int, ...]]) -> str:
    return str(list(next(iter(first - second), ())))


@item("rnn.sizes")
@given(case=size_cases())
def test_sizes(student, reference, case):
    """The six sizes in the constructor fit the products of the recurrence."""
    reference.run(rnn_sizes, case)
    actual = student.run(rnn_sizes, case)
    sizes = case.sizes()
    for name in RNN_NAMES:
        rows, columns = extents(name, sizes)
        wanted = f"({rows},), ({rows}, 1) or (1, {rows})" if columns is None else f"({rows}, {columns}) or turned round"
        shape = tuple(actual[name])
        given_sizes = ", ".join(f"{key} {value}" for key, value in sizes.items())
        require(fits(name, shape, sizes), f"{name} should have the size {wanted} for {given_sizes}; it has {shape}.")


# Which step counts, and how the output is normalised, are items of their own.
STEPS = {"after the last token": {}, "one token earlier": {"read": -1}, "one token later": {"read": 1}}
NORMALISED = {"": {}, ", normalised over the batch": {"centred": "columns"}}
READINGS = {f"{when}{how}": step | over for how, over in NORMALISED.items() for when, step in STEPS.items()}


@item("rnn.recurrence", readings=READINGS)
@given(case=forward_cases())
def test_recurrence(student, reference, case, reading):
    """The scores are W_hy h + b_hy after h = tanh(W_xh x + b_xh + W_hh h + b_hh); gradients reach every parameter."""
    assert_agrees(student.run(rnn_forward, case), reference.run(rnn_forward, case, **reading))


@item("rnn.probabilities")
@given(case=whole_cases())
def test_probabilities(student, reference, case):
    """Every row of the output is a distribution over the classes, whatever else is in the batch."""
    expected = reference.run(rnn_probabilities, case)
    shape, actual = expected["out"].shape, student.run(rnn_probabilities, case)
    out, alone = actual["out"], actual["alone"]
    require(out.shape == shape, f"The output should have the shape {tuple(shape)}, it has {tuple(out.shape)}.")
    require(
        (out >= 0).all() & (out <= 1).all(), "The output should hold probabilities; some entries are not in [0, 1]."
    )
    require_close(out.sum(1), torch.ones(case.batch), "the sum of each row of the output", atol=1e-5)
    require_close(alone, out, "the output for each example alone, beside that for the batch")
    require_close(actual["even"], expected["even"], "the output where every class scores 0")


@item("rnn.last_token")
@given(case=padded_cases())
def test_last_token(student, reference, case):
    """The classifier sees the state after the last token that is not padding."""
    reference.run(rnn_padding, case)
    actual = student.run(rnn_padding, case)
    out = actual["out"]
    require_close(actual["repadded"], out, "the output for the same texts with other numbers in the padding")
    long = case.inputs()["lengths"] > 1
    moved = (actual["changed"] - out).abs().amax(1)[long].max().item()
    require(
        moved > 1e-6,
        "Other last tokens should change the output; they do not, in any example: the state is taken too early.",
    )


@item("rnn.start")
@given(case=start_cases())
def test_start(student, reference, case):
    """The first hidden state is drawn at random."""
    reference.run(rnn_start, case)
    difference = student.run(rnn_start, case)["difference"]
    require(difference > 1e-7, "Two models with equal weights give equal outputs: h_0 is not random.")


@item("rnn.dropout")
@given(case=dropping_cases())
def test_dropout(student, reference, case):
    """While training, entries of the embedded tokens are dropped with probability dropout, and the mean is kept."""
    reference.run(rnn_dropout, case)
    actual = student.run(rnn_dropout, case)
    rate = case.percent / 100
    share = actual["training_dropped"].mean().item()
    require(actual["evaluation_levels"] < 0.02, "In evaluation mode some entries of the embedded tokens are dropped.")
    require(actual["training_levels"] < 0.02, "While training, entries that are kept should all have one factor.")
    require(actual["training_empty"] < 0.02, "While training, an embedding of zeros should stay one; it is replaced.")
    require(actual["learns"], "While training, the embedding receives no gradient behind the dropout.")
    require(abs(share - rate) < 0.07, f"With dropout {rate:g}, {share:.0%} of the embedded entries are dropped.")
    kept, whole = actual["training_kept"].mean().item(), actual["evaluation_kept"].mean().item()
    factors = f"kept entries are multiplied by {kept:.3f} in training and by {whole:.3f} in evaluation"
    inverted = abs(kept * (1 - rate) - 1) < 0.02 and abs(whole - 1) < 0.02
    classic = abs(kept - 1) < 0.02 and abs(whole - (1 - rate)) < 0.02
    require(inverted or classic, f"Dropout {rate:g} should keep the mean (1/(1 - p) in training): {factors}.")


@item("rnn.loss")
@routes("own", "bare")
@given(case=prediction_cases())
def test_loss(student, reference, case, route):
    """The loss is the mean cross-entropy of the probabilities, and gradients flow back through it."""
    actual = student.run(rnn_loss, case, route=route)
    assert_agrees(actual, reference.run(rnn_loss, case, route=route), only=("loss", "gradients"))


@item("rnn.correct")
@routes("own", "bare")
@given(case=prediction_cases())
def test_correct(student, reference, case, route):
    """compute_loss also returns how many predictions are right."""
    actual = student.run(rnn_loss, case, route=route)
    assert_agrees(actual, reference.run(rnn_loss, case, route=route), only=("correct",))


@item("rnn.train")
@given(case=epoch_cases())
def test_train(student, reference, case):
    """train makes one step per batch through the scheduler, and returns the mean loss and the accuracy in per cent."""
    actual, expected = student.run(rnn_train, case), reference.run(rnn_train, case)
    require(actual["training_mode"], "The model should be in training mode.")
    assert_agrees(actual, expected, only=("table", "accuracy", "calls"))
    _require_a_mean_loss(actual, expected)


@item("rnn.evaluate")
@given(case=epoch_cases())
def test_evaluate(student, reference, case):
    """evaluate leaves the model as it is, and returns the mean loss and the accuracy in per cent."""
    actual, expected = student.run(rnn_evaluate, case), reference.run(rnn_evaluate, case)
    assert_agrees(actual, expected, only=("table", "accuracy", "calls", "training_mode"))
    _require_a_mean_loss(actual, expected)


def _require_a_mean_loss(actual: Mapping[str, object], expected: Mapping[str, object]) -> None:
    """The given code divides a sum by the number of examples; whether batches are weighted in that sum is left open."""
    readings = expected["readings"]
    assert isinstance(readings, Mapping)
    loss = actual["loss"]
    assert isinstance(loss, torch.Tensor)
    fitting = [name for name, value in readings.items() if torch.allclose(loss, value, rtol=1e-4, atol=1e-5)]
    wanted = "; ".join(f"{name}: {[round(number, 4) for number in value.tolist()]}" for name, value in readings.items())
    require(bool(fitting), f"The returned loss is {[round(number, 4) for number in loss.tolist()]}, expected {wanted}.")
