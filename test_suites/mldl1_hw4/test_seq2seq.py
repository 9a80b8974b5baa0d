"""Question 2: encoder, decoder with dot-product attention, and the translation model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from hypothesis import given
from probes import decoder, decoder_twice, encoder, seq2seq, seq2seq_leak, translator_twice
from seq2seq_cases import decoding_cases, dropout_cases, encoding_cases, leaking_cases, translation_cases
from torch import Tensor
from translation import MIXES, READINGS

from grader.suite import assert_agrees, item, require, routes


@item("seq2seq.encoder")
@given(case=encoding_cases())
def test_encoder(student, reference, case):
    """The encoder returns the LSTM's hidden states of all steps, from the initial states that it is given."""
    actual, expected = student.run(encoder, case), reference.run(encoder, case)
    assert_agrees(actual, expected, only=("states", "gradients"))
    for state in _tensors(actual["last"]):
        near = _nearest(state, _tensors(expected["last"]))
        assert_agrees({"last state": state}, {"last state": near})


def _tensors(values: object) -> list[Tensor]:
    assert isinstance(values, Sequence)
    return [value for value in values if isinstance(value, Tensor)]


def _nearest(wanted: Tensor, among: Sequence[Tensor]) -> Tensor:
    same = [value for value in among if value.shape == wanted.shape]
    return min(same, key=lambda value: (value - wanted).abs().max().nan_to_num(float("inf")).item(), default=wanted)


@item("seq2seq.decoder", readings=MIXES)
@given(case=decoding_cases())
def test_decoder(student, reference, case, reading):
    """One step: softmax(states · hidden) weighs the encoder's states; fc and tanh mix them in before the LSTM."""
    actual, expected = student.run(decoder, case), reference.run(decoder, case, **reading)
    new, old = _tensors(actual["new"]), _tensors(expected["new"])
    require(
        len(new) >= 2,
        f"The decoder should return its new hidden and cell state; tensors like these that came back: {len(new)}.",
    )
    for name, value, backwards in zip(("hidden", "cell"), old, expected["backwards"], strict=True):
        near = _nearest(value, new)
        assert_agrees({name: near}, {name: value})
        _require_backwards(near, actual, backwards, f"gradients of the new {name} state")
    if _tensors(actual["scores"]):  # scores may also be computed in LSTMSeq2Seq
        assert_agrees(actual, expected, only=("scores", "gradients", "scores_backwards"))


def _require_backwards(state: Tensor, actual: Mapping[str, object], wanted: object, what: str) -> None:
    """A state may be returned twice (the LSTM's output is its hidden state); one that has gradients is enough."""
    equal = [own for value, own in zip(actual["new"], actual["backwards"], strict=True) if torch.equal(value, state)]
    assert_agrees({what: min(equal, key=lambda own: list(own.values()).count(None))}, {what: wanted})


@item("seq2seq.evaluation")
@given(case=dropout_cases())
def test_evaluation(student, reference, case):
    """In evaluation mode nothing is dropped: equal calls of the decoder, and of the model, give equal results."""
    single, whole = ("tokens", "hidden", "cell", "states"), ("tokens", "states", "src", "trg")
    for probe, names, what in ((decoder_twice, single, "the decoder"), (translator_twice, whole, "LSTMSeq2Seq")):
        inputs = {name: value for name, value in case.inputs().items() if name in names}
        reference.run(probe, inputs)
        difference = student.run(probe, inputs)["difference"]
        require(
            difference == 0,
            f"Two equal calls of {what} in evaluation mode differ by {difference:.3g}: dropout is still active.",
        )


@item("seq2seq.forward", readings=READINGS)
@routes("own", "stand-in")
@given(case=translation_cases())
def test_forward(student, reference, case, route, reading):
    """The decoder starts from the encoder's last states and attends its hidden states, token by token."""
    # What the decoder may be fed is an item of its own; here every order of feeding counts. A stand-in mixes nothing.
    options = reading if route == "own" else {name: value for name, value in reading.items() if name != "mixes"}
    actual = student.run(seq2seq, case, route=route)
    expected = reference.run(seq2seq, case, route=route, **options)
    assert_agrees(actual, expected, only=("scores", "gradients"))
    require(actual["misfit"] == "", f"With your own encoder and decoder, each of which runs alone: {actual['misfit']}.")


@item("seq2seq.causal", readings=READINGS)
@routes("own", "stand-in")
@given(case=leaking_cases())
def test_causal(student, reference, case, route, reading):
    """The output at position t does not depend on the target at t or later: the model does not read its answers."""
    options = reading if route == "own" else {name: value for name, value in reading.items() if name != "mixes"}
    actual = student.run(seq2seq_leak, case, route=route)
    expected = reference.run(seq2seq_leak, case, route=route, **options)
    _require_finite(actual)
    require(actual["moved"] > 1e-6, "The output should depend on the source sentence; it does not.")
    require(
        actual["leak"] < 1e-6,
        f"Changing trg[:, t:] changes the output at position t or before (by {actual['leak']:.3g}): the decoder is fed "
        "the token that it has to predict, so the perplexity says nothing.",
    )
    # Whose scores are not those of a translator shows nothing by keeping still.
    assert_agrees(actual, expected, only=("scores",))


def _require_finite(values: Mapping[str, object]) -> None:
    numbers = torch.tensor([float(str(values[name])) for name in ("leak", "moved")])
    require(numbers.isfinite().all(), "The output holds NaN or infinite entries.")
