"""Question 1: the LSTM by hand, the encoder, the decoder, and all of it together."""

from __future__ import annotations

from cases_recurrent import decoder_cases, decoder_mask_cases, dropout_cases, encoder_cases, lstm_cases, together_cases
from hypothesis import given
from probes import (
    decoder,
    decoder_states,
    encoder,
    encoder_dropout,
    encoder_states,
    lstm,
    lstm_states,
    together,
    torch_lstm,
    torch_lstm_states,
)

from grader.suite import assert_agrees, item, require_close, require_different


@item("lstm.outputs")
@given(case=lstm_cases())
def test_outputs(student, reference, case):
    """The outputs of every step are those of nn.LSTM with the same weights."""
    assert_agrees(student.run(lstm, case), reference.run(torch_lstm, case), only=("outputs",))


@item("lstm.states")
@given(case=lstm_cases())
def test_states(student, reference, case):
    """Starting from the given states, the last hidden and cell state are those of nn.LSTM, each (1, B, H)."""
    assert_agrees(student.run(lstm_states, case), reference.run(torch_lstm_states, case))


@item("lstm.gradients")
@given(case=lstm_cases())
def test_gradients(student, reference, case):
    """The backward pass gives nn.LSTM's gradients for the inputs and all sixteen parameters."""
    assert_agrees(student.run(lstm, case), reference.run(torch_lstm, case), only=("gradients",))


@item("encoder.outputs")
@given(case=encoder_cases())
def test_encoder_outputs(student, reference, case):
    """The features of both directions stand side by side, forward first: (B, T, 2H)."""
    assert_agrees(student.run(encoder, case), reference.run(encoder, case), only=("outputs",))


@item("encoder.states")
@given(case=encoder_cases())
def test_encoder_states(student, reference, case):
    """The encoder starts from the given states and returns the last ones of both directions, each (2, B, H)."""
    assert_agrees(student.run(encoder_states, case), reference.run(encoder_states, case))


@item("encoder.gradients")
@given(case=encoder_cases())
def test_encoder_gradients(student, reference, case):
    """The gradients reach the embedding and every parameter of the LSTM."""
    assert_agrees(student.run(encoder, case), reference.run(encoder, case), only=("gradients",))


@item("encoder.dropout")
@given(case=dropout_cases())
def test_encoder_dropout(student, reference, case):
    """In training mode dropout acts on the embedded tokens, and on nothing else."""
    reference.run(encoder_dropout, case)
    found = student.run(encoder_dropout, case)
    require_close(
        found["all dropped"],
        found["zero embedding"],
        "with dropout 1 in training mode, the output (expected: that of an embedding of zeros)",
    )
    require_different(
        found["all dropped"], found["without dropout"], "In training mode the dropout rate has no influence."
    )
    require_different(*found["training"].values(), "In training mode with dropout 0.5, two calls give the same output.")


@item("encoder.evaluation")
@given(case=dropout_cases())
def test_encoder_evaluation(student, reference, case):
    """In evaluation mode the dropout rate has no influence."""
    reference.run(encoder_dropout, case)
    found = student.run(encoder_dropout, case)
    for output in found["evaluation"].values():
        require_close(output, found["without dropout"], "with dropout 0.7 in evaluation mode, the output")
    require_different(
        found["without dropout"], found["zero embedding"], "The output does not depend on the embedded tokens."
    )


@item("decoder.outputs")
@given(case=decoder_cases())
def test_decoder_outputs(student, reference, case):
    """Without attention the LSTM runs over the features as they are."""
    assert_agrees(student.run(decoder, case), reference.run(decoder, case), only=("outputs",))


@item("decoder.states")
@given(case=decoder_cases())
def test_decoder_states(student, reference, case):
    """The decoder starts from the given states and returns the last ones, each (1, B, H)."""
    assert_agrees(student.run(decoder_states, case), reference.run(decoder_states, case))


@item("decoder.gradients")
@given(case=decoder_cases())
def test_decoder_gradients(student, reference, case):
    """Without attention the gradients reach the features and every parameter of the LSTM."""
    assert_agrees(student.run(decoder, case), reference.run(decoder, case), only=("gradients",))


@item("decoder.attention")
@given(case=decoder_cases())
def test_decoder_attention(student, reference, case):
    """With attention the LSTM runs over the attended features, and nothing is added to them."""
    assert_agrees(student.run(decoder, case, attention=True), reference.run(decoder, case, attention=True))


# The handout's "masked input must be fed into the attention" can be read in the last two ways as well.
MASKS = {
    "the mask is handed to the attention": {},
    "the padded features are blanked": {"pass_mask": False, "premasked": True},
    "the padded features are blanked, and the mask is handed on": {"premasked": True},
}


@item("decoder.mask", readings=MASKS)
@given(case=decoder_mask_cases())
def test_decoder_mask(student, reference, case, reading):
    """With attention the padding mask is used: handed to it, or applied to the features that it gets."""
    options = {"attention": True, "pass_mask": True}
    expected = reference.run(decoder, case, **{**options, **reading})
    assert_agrees(student.run(decoder, case, **options), expected, only=("outputs",))


@item("encoder_decoder.runs")
@given(case=together_cases())
def test_together(student, reference, case):
    """The given EncoderDecoder runs with your encoder, decoder and attention, and returns the promised shapes."""
    assert_agrees(student.run(together, case), reference.run(together, case))
