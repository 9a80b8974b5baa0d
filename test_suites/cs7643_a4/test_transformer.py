"""Transformer.py (handout, question 4)."""

from cases_transformer import PAD, START, full_cases, layer_cases
from hypothesis import given, reject
from probes import full_forward, full_future, full_greedy, layer_forward, layer_method

from grader.suite import assert_agrees, item, require_close, require_different, routes

CAUSAL, SOURCE = "tgt_mask", "src_key_padding_mask"
DEEP = 3e-4  # gradients through four layers with norms: rounding reaches 2e-5 of the largest entry


def method_agrees(student, reference, case, method):
    assert_agrees(student.run(layer_method, case, method=method), reference.run(layer_method, case, method=method))


@item("transformer.embed")
@given(case=layer_cases())
def test_embed(student, reference, case):
    """Deliverable 1: word embedding plus learned position embedding; gradients agree too."""
    method_agrees(student, reference, case, "embed")


@item("transformer.attention")
@given(case=layer_cases())
def test_attention(student, reference, case):
    """Deliverable 2: two scaled heads, their projection, residual and layer norm; gradients agree too."""
    method_agrees(student, reference, case, "multi_head_attention")


@item("transformer.feedforward")
@given(case=layer_cases())
def test_feedforward(student, reference, case):
    """Deliverable 3: linear, ReLU, linear, residual and a layer norm of its own; gradients agree too."""
    method_agrees(student, reference, case, "feedforward_layer")


@item("transformer.final")
@given(case=layer_cases())
def test_final(student, reference, case):
    """Deliverable 4: one linear layer that scores the target words, without a softmax; gradients agree too."""
    method_agrees(student, reference, case, "final_layer")


@item("transformer.forward")
@routes("stand-in", "own")
@given(case=layer_cases())
def test_forward(student, reference, case, route):
    """The four methods are applied in the right order, on your own methods or on stand-ins; gradients agree too."""
    assert_agrees(student.run(layer_forward, case, route=route), reference.run(layer_forward, case, route=route))


# Whether the future is masked is graded by an item of its own.
FUTURE = {"with a causal mask": {}, "without a causal mask": {"drop": [CAUSAL]}}
PADDED = {
    f"{what}{where}": ({"drop": drop} if drop else {}) | memory
    for where, memory in (("", {}), (", masked for the decoder too", {"memory": True}))
    for what, drop in (
        ("the source's padding is masked", []),
        ("the source's padding is not masked", [SOURCE]),
        ("the source's padding is masked, the future is not", [CAUSAL]),
        ("neither the source's padding nor the future is masked", [CAUSAL, SOURCE]),
    )
}


@item("full.forward", readings=FUTURE)
@given(case=full_cases())
def test_full_forward(student, reference, case, reading):
    """Embeddings, nn.Transformer and final layer on sentences without padding; gradients agree too."""
    assert_agrees(student.run(full_forward, case), reference.run(full_forward, case, **reading), rtol=DEEP)


@item("full.padding", readings=PADDED)
@given(case=full_cases(padded=True))
def test_full_padding(student, reference, case, reading):
    """Padded target words are masked; masks of the source's padding are accepted in every form; gradients agree too."""
    assert_agrees(student.run(full_forward, case), reference.run(full_forward, case, **reading), rtol=DEEP)


@item("full.causal")
@given(case=full_cases())
def test_full_causal(student, reference, case):
    """A target word changes the scores of later positions only."""
    reference.run(full_future, case)
    seen = student.run(full_future, case)
    early, late = slice(None, case.at + 1), slice(case.at + 1, None)
    what = f"scores up to position {case.at} after target word {case.at} was changed"
    require_close(seen["changed"][:, early], seen["scores"][:, early], what)
    require_different(
        seen["changed"][:, late], seen["scores"][:, late], "Changing a target word does not change any later score."
    )


@item("full.greedy")
@routes("stand-in", "own")
@given(case=full_cases())
def test_full_greedy(student, reference, case, route):
    """Greedy decoding stores the scores of step t at index t and goes on from the predicted word."""
    expected = reference.run(full_greedy, case, route=route)
    words = expected["scores"].argmax(dim=2)
    # Only then do both conventions for the target buffer give the same scores; the drawn weights make it so.
    if bool((words[:, 0] != START).any()) or bool(((words[:, 1:] == PAD) | (words[:, 1:] == START)).any()):
        reject()
    assert_agrees(student.run(full_greedy, case, route=route), expected)
