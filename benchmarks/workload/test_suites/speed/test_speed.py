"""The twelve checks."""

import probes
from cases import AttentionCase, LayerNormCase, LSTMCase

from grader.suite import assert_agrees, item

LSTM, LAYER_NORM, ATTENTION = LSTMCase(), LayerNormCase(), AttentionCase()


def agree(student, reference, probe, case, *only, **options):
    actual, expected = student.run(probe, case, **options), reference.run(probe, case, **options)
    assert_agrees(actual, expected, only=only or None)


@item("lstm.outputs")
def test_lstm_outputs(student, reference):
    """The outputs follow the equations of the LSTM."""
    agree(student, reference, probes.lstm_forward, LSTM, "out")


@item("lstm.state")
def test_lstm_state(student, reference):
    """The last hidden and cell state follow the equations of the LSTM."""
    agree(student, reference, probes.lstm_forward, LSTM, "h", "c")


@item("lstm.input_gradients")
def test_lstm_input_gradients(student, reference):
    """The inputs of the LSTM receive the right gradients."""
    agree(student, reference, probes.lstm_backward, LSTM, "x")


@item("lstm.parameter_gradients")
def test_lstm_parameter_gradients(student, reference):
    """The parameters of the LSTM receive the right gradients."""
    agree(student, reference, probes.lstm_backward, LSTM, "parameters")


@item("layer_norm.outputs")
def test_layer_norm_outputs(student, reference):
    """The outputs are normalised with the biased variance."""
    agree(student, reference, probes.layer_norm_forward, LAYER_NORM)


@item("layer_norm.shifted")
def test_layer_norm_shifted(student, reference):
    """A shift of all inputs changes nothing."""
    agree(student, reference, probes.layer_norm_forward, LAYER_NORM, shift=5.0)


@item("layer_norm.input_gradients")
def test_layer_norm_input_gradients(student, reference):
    """The inputs of the normalisation receive the right gradients."""
    agree(student, reference, probes.layer_norm_backward, LAYER_NORM, "x")


@item("layer_norm.parameter_gradients")
def test_layer_norm_parameter_gradients(student, reference):
    """The parameters of the normalisation receive the right gradients."""
    agree(student, reference, probes.layer_norm_backward, LAYER_NORM, "parameters")


@item("attention.outputs")
def test_attention_outputs(student, reference):
    """Every position sees every other one."""
    agree(student, reference, probes.attention_forward, ATTENTION)


@item("attention.causal")
def test_attention_causal(student, reference):
    """With the causal mask no position sees a later one."""
    agree(student, reference, probes.attention_forward, ATTENTION, causal=True)


@item("attention.input_gradients")
def test_attention_input_gradients(student, reference):
    """The inputs of the attention receive the right gradients."""
    agree(student, reference, probes.attention_backward, ATTENTION, "x")


@item("attention.parameter_gradients")
def test_attention_parameter_gradients(student, reference):
    """The parameters of the attention receive the right gradients."""
    agree(student, reference, probes.attention_backward, ATTENTION, "parameters")
