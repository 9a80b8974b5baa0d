"""What was built, run and printed, and what a rule costs."""

from dataclasses import replace
from decimal import Decimal

import pytest
from rules_examples import NO_LSTM, assignment, python

from grader.assignment.assignment import Consequence, Rule
from grader.rules import check_prints, check_trace, describe, print_sites

TRACED = replace(NO_LSTM, parts=("lstm",))


def trace(rule, types=(), operations=(), part="lstm"):
    return check_trace(assignment(rule), part, types, operations)


# --- structure ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["torch.nn.modules.rnn.LSTM", "torch.nn.modules.rnn.LSTMCell", "torch.ao.nn.quantized.modules.rnn.LSTM"]
)
def test_a_forbidden_class_is_found_under_its_defining_name(kind):
    (violation,) = trace(TRACED, ["lstm.Mine", kind])
    assert violation.evidence == "structure"
    assert violation.parts == ("lstm",)


def test_own_classes_of_the_same_name_are_fine():
    assert trace(TRACED, ["lstm.LSTM", "__main__.LSTM", "models.torch.nn.LSTM", "torch.nn.modules.linear.Linear"]) == ()


def test_other_parts_are_none_of_the_rules_business():
    assert trace(TRACED, ["torch.nn.modules.rnn.LSTM"], ["aten::lstm"], part="encoder") == ()


PREFIX = replace(TRACED, names=("torch.nn.*",), allowed=("torch.nn.Linear", "torch.nn.Conv2d", "torch.nn.LayerNorm"))


def test_a_prefix_means_all_but_the_allowed_and_what_they_are_built_on():
    fine = [
        "torch.nn.modules.linear.Linear",
        "torch.nn.modules.conv._ConvNd",
        "torch.nn.modules.module.Module",
        "vit.ViT",
    ]
    assert trace(PREFIX, fine) == ()
    (violation,) = trace(PREFIX, [*fine, "torch.nn.modules.activation.MultiheadAttention"])
    assert "torch.nn.MultiheadAttention" in violation.message


def test_bases_of_allowed_recurrent_layers_are_fine():
    rule = replace(PREFIX, allowed=("torch.nn.LSTM",))
    assert trace(rule, ["torch.nn.modules.rnn.LSTM", "torch.nn.modules.rnn.RNNBase"], ["torch.lstm"]) == ()


# --- run ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "operation",
    ["torch.lstm", "aten::lstm", "aten::lstm.input", "aten::mkldnn_rnn_layer", "torch._VF.lstm", "torch.lstm_cell"],
)
def test_operations_betray_a_layer(operation):
    (violation,) = trace(TRACED, [], ["aten::add", operation])
    assert violation.evidence == "run"
    assert operation in violation.message


def test_one_layer_is_reported_once():
    assert len(trace(TRACED, [], ["torch.lstm", "aten::lstm", "aten::mkldnn_rnn_layer"])) == 1


def test_honest_operations_pass():
    honest = ["aten::matmul", "torch.sigmoid", "aten::gru", "torch.Tensor.add", "torch.nn.functional.linear", "lstmish"]
    assert trace(TRACED, [], honest) == ()


def test_an_operation_that_several_layers_share_betrays_none_alone():
    assert trace(TRACED, [], ["aten::_cudnn_rnn"]) == ()
    everything = replace(TRACED, names=("torch.nn.LSTM", "torch.nn.GRU", "torch.nn.RNN", "torch.nn.RNNBase"))
    assert len(trace(everything, [], ["aten::_cudnn_rnn"])) == 1


@pytest.mark.parametrize(
    ("names", "operation"),
    [
        (("torch.nn.LayerNorm",), "aten::native_layer_norm"),
        (("torch.layer_norm",), "torch.nn.functional.layer_norm"),
        (("torch.nn.MultiheadAttention",), "torch.nn.functional.multi_head_attention_forward"),
        (("torch.nn.MultiheadAttention",), "multi_head_attention_forward"),
        (("torch.nn.functional.scaled_dot_product_attention",), "aten::_scaled_dot_product_flash_attention_for_cpu"),
        (("torch.nn.CrossEntropyLoss",), "aten::cross_entropy_loss"),
        (("torch.nn.*",), "aten::scaled_dot_product_attention"),
        (("torch.nn.*",), "aten::gru"),
        (("torch.nn.functional.softmax",), "aten::softmax"),
    ],
)
def test_other_layers(names, operation):
    assert len(trace(replace(TRACED, names=names), [], [operation])) == 1


def test_a_prefix_leaves_alone_what_has_other_ways():
    assert trace(PREFIX, [], ["aten::softmax", "torch.relu", "aten::layer_norm", "aten::linear", "aten::dropout"]) == ()


def test_operations_of_the_rule_are_added():
    rule = replace(TRACED, names=(), operations=("aten::einsum", "*Backward*"))
    assert len(trace(rule, [], ["torch.functional.einsum", "AddBackward0", "aten::add"])) == 2


def test_allowed_operations_pass():
    assert trace(replace(TRACED, allowed=("torch.nn.LSTMCell",)), [], ["torch.lstm_cell"]) == ()


NEEDS = Rule(id="needs", kind="required", title="uses nn.LSTM", parts=("lstm",), names=("torch.nn.LSTM",))


def test_a_demanded_layer_must_be_built_or_run():
    assert trace(NEEDS, ["torch.nn.modules.rnn.LSTM"], ["aten::add"]) == ()
    assert trace(NEEDS, [], ["aten::lstm"]) == ()
    (violation,) = trace(NEEDS, ["torch.nn.modules.rnn.GRU"], ["aten::gru"])
    assert "neither built nor called" in violation.message
    assert trace(NEEDS) == ()


# --- prints ------------------------------------------------------------------------------------------------------

PRINTS = Rule(id="prints", kind="prints", title="no prints")


def test_a_print_is_shown_with_its_place():
    sites = print_sites(python("x = 1\nprint('shape', x)\n"))
    (violation,) = check_prints(assignment(PRINTS), 3, "shape 1\nshape 2\n", sites)
    assert violation.message == (
        "your code printed 3 times while it was graded, first “shape 1”. Remove what the handout does not ask for. "
        "Look at `print` in models/lstm.py, line 2."
    )
    assert (violation.file, violation.line, violation.evidence) == ("models/lstm.py", 2, "run")


def test_silence_and_asked_for_lines_pass():
    assert check_prints(assignment(PRINTS), 0, "") == ()
    rule = replace(PRINTS, allowed=("Perplexity*",))
    assert check_prints(assignment(rule), 2, "Perplexity: 3\n  Perplexity: 4\n") == ()
    assert len(check_prints(assignment(rule), 2, "Perplexity: 3\ndebug\n")) == 1
    assert check_prints(assignment(NO_LSTM), 2, "debug") == ()


def test_an_empty_print_counts():
    (violation,) = check_prints(assignment(PRINTS), 1, "\n")
    assert "printed once" in violation.message


def test_a_rule_on_prints_concerns_its_own_files():
    rule = replace(PRINTS, files=("lstm",))
    sites = print_sites(python("print(1)\n"))
    both = {"notebook": "hw.ipynb", "lstm": "models/lstm.py"}
    assert check_prints(assignment(rule), 2, "debug", sites, {"notebook": "hw.ipynb"}) == ()
    assert "models/lstm.py" in check_prints(assignment(rule), 2, "debug", sites, both)[0].message
    (violation,) = check_prints(assignment(PRINTS), 2, "debug", sites, {"notebook": "hw.ipynb"})
    assert "models/lstm.py" not in violation.message, "it did not print"


# --- consequences ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "consequence", "sentence"),
    [
        (PRINTS, Consequence(action="zero", scope="group", target=("programming",)),
         "An unasked print sets the programming part to 0."),
        (NO_LSTM, Consequence(action="zero", scope="item", target=("lstm.forward", "lstm.fresh")),
         "Using torch.nn.LSTM or torch.nn.LSTMCell sets the items lstm.forward and lstm.fresh to 0."),
        (replace(NO_LSTM, within=("LSTM",), names=("torch.nn.*",)), Consequence(),
         "Using anything else of torch.nn in LSTM is reported and costs no points by itself."),
        (NEEDS, Consequence(action="cap", scope="question", target=("1.2",), amount=Decimal("5.0")),
         "Not using torch.nn.LSTM limits question 1.2 to at most 5 points."),
        (replace(NO_LSTM, names=("a", "b", "c", "d")), Consequence(action="zero"),
         "Breaking “no library LSTM” sets the whole assignment to 0."),
        (Rule(id="r", kind="runs", title="t"), Consequence(action="zero"),
         "A file that Python cannot read sets the whole assignment to 0."),
        (Rule(id="r", kind="imports", title="t"), Consequence(action="deduct", amount=Decimal("0.50")),
         "An import that the template does not have costs 0.5 points."),
        (Rule(id="r", kind="signature", title="t"),
         Consequence(action="deduct", scope="group", target=("a", "b"), amount=Decimal(1)),
         "A changed function or method signature costs 1 point of the a and b parts."),
        (Rule(id="r", kind="file_name", title="t"), Consequence(action="zero", scope="item"),
         "A file under another name sets the items concerned to 0."),
        (Rule(id="r", kind="unexpected_file", title="t"), Consequence(action="cap", amount=Decimal(100)),
         "A file that was not asked for limits the whole assignment to at most 100 points."),
    ],
)  # fmt: skip
def test_a_sentence_says_what_a_rule_costs(rule, consequence, sentence):
    assert describe(replace(rule, consequence=consequence)) == sentence
