"""Questions 2.2 to 2.5: multi-head attention, one method after the other."""

from __future__ import annotations

import torch
from cases import count_cases, heads_cases, projection_cases, same_width_cases
from hypothesis import given
from probes import (
    affine_parts,
    applied,
    applied_mask,
    attention,
    attention_mask,
    attention_parameters,
    attention_slopes,
    attention_weights,
    masked_weights,
    merge_heads,
    parameter_formula,
    split_heads,
    there_and_back,
)

from grader.suite import assert_agrees, item, require, require_close, require_different, routes


@item("split_heads")
@given(case=heads_cases())
def test_split_heads(student, reference, case):
    """split_heads makes neighbouring entries of the last dimension one head, of whatever width: (B, m, T, dim)."""
    assert_agrees(student.run(split_heads, case), reference.run(split_heads, case))


@item("merge_heads")
@given(case=heads_cases())
def test_merge_heads(student, reference, case):
    """merge_heads puts the heads side by side, of whatever width: (B, T, m * dim)."""
    assert_agrees(student.run(merge_heads, case), reference.run(merge_heads, case))


@item("heads.inverse")
@given(case=same_width_cases())
def test_inverse(student, reference, case):
    """split_heads and merge_heads undo each other."""
    assert_agrees(student.run(there_and_back, case), reference.run(there_and_back, case))


@item("weights.rows")
@given(case=heads_cases())
def test_rows(student, reference, case):
    """Every row of the attention weights is a distribution over the keys: not negative, and its sum is one."""
    reference.run(attention_weights, case)
    weights = student.run(attention_weights, case)["weights"]
    expected = (case.batch, case.heads, case.time, case.time)
    require(tuple(weights.shape) == expected, f"The weights should have shape {expected}, not {tuple(weights.shape)}.")
    require(bool((weights >= 0).all()), "Some attention weights are negative or NaN.")
    require_close(weights.sum(-1), weights.new_ones(expected[:-1]), "the sums of the rows")
    if case.time > 1:
        constant = weights.new_full(expected, 1 / case.time)
        require_different(weights, constant, "The weights do not depend on queries and keys.")
        _require_favourites(weights, case.inputs())


@item("weights.values")
@given(case=heads_cases())
def test_values(student, reference, case):
    """Without a mask the attention weights are softmax(QKᵀ / sqrt(head_size)), with their gradients."""
    assert_agrees(student.run(attention_weights, case), reference.run(attention_weights, case))


@item("weights.mask")
@given(case=heads_cases(rows=2, time=3))
def test_mask(student, reference, case):
    """The padding mask takes keys out before the softmax: they get weight zero, the others share the whole."""
    reference.run(masked_weights, case)
    found = student.run(masked_weights, case)
    masked, restricted = found["with the mask"], found["restricted"]
    expected = "with the mask (expected: your own without a mask, the padded keys left out)"
    require_close(masked["weights"], restricted["weights"], f"the weights {expected}", atol=1e-5)
    _require_favourites(masked["weights"], case.inputs(), case.inputs()["mask"])
    for name in ("queries", "keys"):
        require_close(masked[name], restricted[name], f"the gradient of the {name} {expected}", atol=1e-5)


@item("apply_attention.values")
@routes("own", "stand-in", "stand-in for the weights")
@given(case=heads_cases())
def test_apply(student, reference, case, route):
    """apply_attention weighs the values and puts the heads side by side: (B, T, m * d)."""
    assert_agrees(student.run(applied, case, route=route), reference.run(applied, case, route=route))


@item("apply_attention.mask")
@routes("stand-in", "own")
@given(case=heads_cases(rows=2, time=3))
def test_apply_mask(student, reference, case, route):
    """apply_attention hands the padding mask on to the attention weights."""
    expected = reference.run(applied_mask, case, route=route)
    found = student.run(applied_mask, case, route=route)
    _require_mask(found, case, route, "get_attention_weights")
    if route == "stand-in":
        require_close(found["sum"], expected["sum"], "what the sizes of all attended values add up to")
    else:
        require_close(found["even"], expected["even"], "the mean of what is attended where all values are one number")


@item("forward.values")
@routes("own", "stand-in", "stand-in for both")
@given(case=projection_cases())
def test_forward(student, reference, case, route):
    """forward projects to queries, keys and values, attends, and projects the result back."""
    if route == "own":
        assert_agrees(student.run(attention, case), reference.run(attention, case))
        return
    reference.run(affine_parts, case, route=route)
    found, inputs = student.run(affine_parts, case, route=route), case.inputs()
    for name in ("queries", "keys", "values"):
        _require_affine(found[name], inputs["design"], f"the {name} handed to apply_attention")
        require_different(found[name], inputs["design"], f"The {name} are the hidden states, not a projection of them.")
    require_different(found["queries"], found["keys"], "Queries and keys are the same projection.")
    require_different(found["queries"], found["values"], "Queries and values are the same projection.")
    require_different(found["keys"], found["values"], "Keys and values are the same projection.")
    _require_affine(found["outputs"].flip(1), inputs["other_design"].flip(1), "the output")
    require_different(found["outputs"], inputs["other_design"], "The attended values are returned without projection.")


@item("forward.mask")
@routes("stand-in", "own")
@given(case=projection_cases(rows=2, time=3))
def test_forward_mask(student, reference, case, route):
    """forward hands the padding mask on: what stands in padded positions has no influence on the others."""
    reference.run(attention_mask, case, route=route)
    found = student.run(attention_mask, case, route=route)
    _require_mask(found, case, route, "apply_attention")


@item("forward.parameters")
@routes("own", "stand-in")
@given(case=projection_cases())
def test_parameters(student, reference, case, route):
    """The module has 4 ((m d)² + m d) learnable parameters, biases included, and uses all of them."""
    reference.run(attention_parameters, case, route=route)
    found = student.run(attention_parameters, case, route=route)
    require(
        found["parameters"] == 4 * (case.size**2 + case.size),
        f"With {case.heads} heads of size {case.head_size} the module should have {4 * (case.size**2 + case.size)} "
        f"learnable parameters, it has {found['parameters']}.",
    )
    require(not found["unused"], f"The output does not depend on {found['_names']}.")


@item("forward.gradients")
@routes("own", "stand-in")
@given(case=projection_cases())
def test_forward_gradients(student, reference, case, route):
    """The gradients of the input and of every parameter agree with the slopes of the output."""
    reference.run(attention_slopes, case, route=route)
    found = student.run(attention_slopes, case, route=route)
    scale = found["numeric"].abs().max().item()
    require(scale > 0, "The output does not depend on the input.")
    require_close(
        found["autograd"], found["numeric"], "the slopes by autograd (expected: by differences)", rtol=1e-2, atol=1e-2
    )


@item("forward.formula")
@given(case=count_cases())
def test_formula(student, reference, case):
    """parameter_count(num_heads, head_size) is the number of learnable parameters."""
    found = student.run(parameter_formula, case)["parameters"]
    expected = reference.run(parameter_formula, case)["parameters"]
    require(
        found == expected,
        f"With {case.heads} heads of size {case.head_size} the formula should give {expected}, it gives {found}.",
    )


def _require_favourites(weights, inputs, mask=None):
    """Demand that each query attends most to the key that is most like it, whatever scale the scores have."""
    scores = inputs["queries"] @ inputs["keys"].transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(mask[:, None, None, :] == 0, -torch.inf)
    first, second = scores.topk(2, dim=-1).values.unbind(-1)
    clear = first - second > 0.1
    right = weights.argmax(-1) == scores.argmax(-1)
    require(bool(right[clear].all()), "Some query attends most to another key than the one with the greatest product.")


def _require_affine(found, design, what):
    """Demand that `found` is one affine function of `design`, position by position. Both are (2, E + 4, ...)."""
    require(found.shape == design.shape, f"{what} should have {design.shape[-1]} entries for each of the positions.")
    size = design.shape[-1]
    bias = found[0, 0]
    matrix = found[0, 1 : size + 1] - bias
    require_close(found, design @ matrix + bias, f"{what} (expected: one affine function at every position)", rtol=1e-4)


def _require_mask(found, case, route, receiver):
    """Demand that the mask was handed on, or that changes of what is padding have no influence."""
    mask = case.inputs()["mask"]
    if route == "stand-in":
        require(found["mask"].numel() > 0, f"The mask did not reach {receiver}.")
        require_close(found["mask"], mask.float(), f"the mask that reached {receiver}")
        return
    require_close(found["after"], found["before"], "the output after a change of what is padding")
    if bool((mask == 0).any()):
        free, changed = found["without a mask"], found["after, without a mask"]
        require_different(free, changed, "Even without a mask, padded positions have no influence.")
