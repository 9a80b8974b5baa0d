"""Question 3: the Vision Transformer."""

from __future__ import annotations

from hypothesis import given
from placements import OUTPUT, conventions
from probes import attention, block, patches, vit, vit_parameters
from vit_cases import (
    block_cases,
    many_head_cases,
    one_head_cases,
    patch_cases,
    rectangle_cases,
    vision_cases,
    vision_parameter_cases,
)

from grader.suite import assert_agrees, item, require


@item("vit.patches")
@given(case=patch_cases())
def test_patches(student, reference, case):
    """A convolution embeds every patch once; the patches come row by row as (batch, patches, embedding)."""
    assert_agrees(student.run(patches, case), reference.run(patches, case))


@item("vit.rectangles")
@given(case=rectangle_cases())
def test_rectangles(student, reference, case):
    """The patches may be higher than wide, or wider than high."""
    assert_agrees(student.run(patches, case), reference.run(patches, case))


@item("vit.attention", readings=conventions(OUTPUT, OUTPUT[:1], ()))
@given(case=one_head_cases())
def test_attention(student, reference, case, reading):
    """With one head: softmax(q·k / sqrt(d)) over the keys weighs the values."""
    actual, expected = student.run(attention, case), reference.run(attention, case, **reading)
    assert_agrees(actual, expected, only=("out", "gradients"))


@item("vit.heads", readings=conventions(OUTPUT, OUTPUT[:1]))
@given(case=many_head_cases())
def test_heads(student, reference, case, reading):
    """With several heads: each attends by itself with its part of the embedding; an output projection joins them."""
    actual = student.run(attention, case, dropout=0.5)
    expected = reference.run(attention, case, dropout=0.5, **reading)
    held, again = str(actual["held"]), actual["again"]
    require(again == 0, f"Two equal calls in evaluation mode differ by {again:.3g}: dropout is still active.")
    require("output.weight" in held, "Multi-head attention needs an output projection W^O behind the heads.")
    assert_agrees(actual, expected, only=("out", "gradients"))


@item("vit.block")
@given(case=block_cases())
def test_block(student, reference, case):
    """x + attention(LN1(x)), then + MLP(LN2(…)): normalisation first, two residual connections."""
    assert_agrees(student.run(block, case), reference.run(block, case))


@item("vit.parameters")
@given(case=vision_parameter_cases())
def test_parameters(student, reference, case):
    """The constructor makes patchify, a learnable pos_embedding (1, 1 + patches, dim) and a learnable cls_token."""
    expected, actual = reference.run(vit_parameters, case), student.run(vit_parameters, case)
    for name in ("pos_embedding", "cls_token"):
        own, entries = actual[name], expected[name]["entries"]
        require(own["entries"] == entries, f"{name} should have {entries} entries, it has {own['entries']}.")
        require(own["learnable"], f"{name} should be an nn.Parameter of the model, so that it is learnt.")
    require(actual["makes_patches"], "patchify should be a Patchification(channels, patch_size, dim).")
    assert_agrees(actual, expected, only=("tokens",))


@item("vit.forward")
@given(case=vision_cases())
def test_forward(student, reference, case):
    """The class token goes before the patches, positions are added, and the head reads the class token."""
    assert_agrees(student.run(vit, case), reference.run(vit, case))
