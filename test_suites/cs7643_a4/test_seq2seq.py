"""Encoder.py, Decoder.py and Seq2Seq.py (handout, question 3)."""

from cases import decoder_cases, encoder_cases, translate_cases
from hypothesis import given
from later_semesters import joined_context
from probes import (
    compute_attention,
    decoder,
    decoder_attention,
    decoder_dropout,
    decoder_lstm,
    encoder,
    encoder_dropout,
    encoder_lstm,
    translate,
)

from grader.suite import Disagreement, assert_agrees, item, require, require_close, require_different, routes


@item("encoder.outputs")
@given(case=encoder_cases())
def test_encoder_outputs(student, reference, case):
    """The encoder returns the recurrent layer's output at every step, batch first; gradients agree too."""
    assert_agrees(student.run(encoder, case, part="output"), reference.run(encoder, case, part="output"))


@item("encoder.hidden")
@given(case=encoder_cases(bridge=True))
def test_encoder_hidden(student, reference, case):
    """The last hidden state goes through linear, ReLU, linear and tanh to the decoder's size; gradients agree too."""
    assert_agrees(student.run(encoder, case, part="hidden"), reference.run(encoder, case, part="hidden"))


@item("encoder.lstm")
@given(case=encoder_cases("LSTM"))
def test_encoder_lstm(student, reference, case):
    """With an LSTM only the hidden state goes through the linear layers; the cell state is returned as it is."""
    actual, expected = student.run(encoder_lstm, case), reference.run(encoder_lstm, case)
    assert_agrees(actual, expected, only=("output", "cell", "gradients"))
    agrees_or_as_in_rnn_mode(actual, expected, "hidden")


def agrees_or_as_in_rnn_mode(actual, expected, name):
    """What the RNN mode does with the same state is graded there; the LSTM mode may do the same unpunished."""
    try:
        assert_agrees(actual, expected, only=(name,))
    except Disagreement as disagreement:
        try:
            require_close(actual[name], actual[f"{name}_as_in_rnn_mode"], name)
        except Disagreement:
            raise disagreement from None


@item("encoder.dropout")
@given(case=encoder_cases())
def test_encoder_dropout(student, reference, case):
    """In training mode dropout acts on the embedded words and on nothing else; in evaluation mode on nothing."""
    reference.run(encoder_dropout, case)
    only_the_embedding_is_dropped(student.run(encoder_dropout, case), "output")
    require(
        (student.run(encoder_dropout, case)["train"][0] != 0).any(),
        "With dropout 1 in training mode the encoder's outputs are all zero: something after the embedding is dropped.",
    )


def only_the_embedding_is_dropped(seen, what):
    first, second = seen["train"]
    require_close(first, second, f"with dropout 1 in training mode, the {what} for two different inputs")
    once, again, other = seen["eval"]
    require_close(again, once, f"in evaluation mode, the {what} of a second run on the same input")
    require_different(other, once, f"In evaluation mode different inputs give the same {what}, as if dropout acted.")


@item("decoder.compute_attention")
@given(case=decoder_cases(smallest=1))
def test_compute_attention(student, reference, case):
    """The attention is a softmax over the source positions of the cosine similarity; gradients agree too."""
    assert_agrees(student.run(compute_attention, case), reference.run(compute_attention, case))


@item("decoder.rnn")
@given(case=decoder_cases(equal=False, smallest=1))
def test_decoder_rnn(student, reference, case):
    """One step with an RNN gives log-probabilities (N, words) and the new state, for N = 1 too; gradients agree."""
    assert_agrees(student.run(decoder, case), reference.run(decoder, case))


@item("decoder.lstm")
@given(case=decoder_cases("LSTM"))
def test_decoder_lstm(student, reference, case):
    """One step with an LSTM takes and returns hidden and cell state; gradients agree too."""
    actual, expected = student.run(decoder_lstm, case), reference.run(decoder_lstm, case)
    assert_agrees(actual, expected, only=("hidden", "cell", "gradients"))
    agrees_or_as_in_rnn_mode(actual, expected, "output")


@item("decoder.rnn_attention")
@routes("stand-in", "own")
@given(case=decoder_cases())
def test_decoder_rnn_attention(student, reference, case, route):
    """With attention the context takes the place of the RNN's hidden state before the step; gradients agree too."""
    attends(student, reference, case, "RNN", route)


@item("decoder.lstm_attention")
@routes("stand-in", "own")
@given(case=decoder_cases("LSTM"))
def test_decoder_lstm_attention(student, reference, case, route):
    """With attention and an LSTM the cell state is replaced as well, by a context with attention of its own."""
    attends(student, reference, case, "LSTM", route)


def attends(student, reference, case, model, route):
    actual = student.run(decoder_attention, case, model=model, route=route)
    expected = reference.run(decoder_attention, case, model=model, route=route)
    if actual["convention"] == expected["convention"]:
        assert_agrees(actual, expected)
    else:
        assert_agrees(actual, joined_context(case.inputs(), model, route))


@item("decoder.dropout")
@given(case=decoder_cases())
def test_decoder_dropout(student, reference, case):
    """In training mode dropout acts on the embedded word; in evaluation mode on nothing."""
    reference.run(decoder_dropout, case)
    only_the_embedding_is_dropped(student.run(decoder_dropout, case), "new state")


@item("seq2seq.greedy")
@routes("stand-in", "own")
@given(case=translate_cases(attention=False))
def test_seq2seq(student, reference, case, route):
    """Every step feeds its most likely word back; the result holds the scores of all steps; gradients agree too."""
    assert_agrees(student.run(translate, case, route=route), reference.run(translate, case, route=route))


@item("seq2seq.attention")
@routes("stand-in", "own")
@given(case=translate_cases(attention=True))
def test_seq2seq_attention(student, reference, case, route):
    """With attention the decoder gets the encoder outputs and the flag at every step; gradients agree too."""
    assert_agrees(student.run(translate, case, route=route), reference.run(translate, case, route=route))
