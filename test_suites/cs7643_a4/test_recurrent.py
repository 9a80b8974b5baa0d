"""RNN.py and LSTM.py (handout, question 2)."""

from cases import lstm_cases, repeat_cases, step_cases
from hypothesis import given
from probes import lstm, lstm_twice, rnn_step

from grader.suite import assert_agrees, item, require_close, require_different


@item("rnn.hidden")
@given(case=step_cases())
def test_rnn_hidden(student, reference, case):
    """The new hidden state is tanh of one linear layer over input and previous hidden state; gradients agree too."""
    assert_agrees(student.run(rnn_step, case, part="hidden"), reference.run(rnn_step, case, part="hidden"))


@item("rnn.output")
@given(case=step_cases())
def test_rnn_output(student, reference, case):
    """The output is a log-softmax over the classes, made from input and previous hidden state; gradients agree too."""
    assert_agrees(student.run(rnn_step, case, part="output"), reference.run(rnn_step, case, part="output"))


@item("lstm.forward")
@given(case=lstm_cases())
def test_lstm(student, reference, case):
    """The last hidden and cell state follow the six equations, for any batch size and length; gradients agree too."""
    assert_agrees(student.run(lstm, case), reference.run(lstm, case))


@item("lstm.fresh_state")
@given(case=repeat_cases())
def test_lstm_starts_fresh(student, reference, case):
    """Every call starts from a zero state: the same input gives the same result whatever was read in between."""
    reference.run(lstm_twice, case)
    seen = student.run(lstm_twice, case)
    for name in ("hidden", "cell"):
        what = f"the {name} state for the same input after another call"
        require_close(seen["again"][name], seen["first"][name], what)
    require_different(seen["other"]["hidden"], seen["first"]["hidden"], "Different inputs give the same hidden state.")
