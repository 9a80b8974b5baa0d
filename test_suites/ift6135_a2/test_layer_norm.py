"""Question 2.1: layer normalisation. Each check asks for one thing, so that one slip costs one of them."""

from __future__ import annotations

from cases import norm_cases
from hypothesis import given
from probes import layer_norm

from grader.suite import assert_agrees, item, require, require_close


@item("layernorm.no_scaling")
@given(case=norm_cases(axes=(2, 3)))
def test_no_scaling(student, reference, case):
    """With weight one and bias zero the output is the formula's, biased variance and eps included."""
    found, expected = student.run(layer_norm, case), reference.run(layer_norm, case)
    assert_agrees(found, expected, only=("plain", "gradients"))


@item("layernorm.normalisation")
@given(case=norm_cases(axes=(1,), narrow=False, eps_power=5))
def test_normalisation(student, reference, case):
    """In a matrix, too, every row is centred and brought to one common spread, each by itself."""
    reference.run(layer_norm, case)
    plain = student.run(layer_norm, case)["plain"]
    inputs = case.inputs()["x"]
    require(plain.shape == inputs.shape, f"The output should have the input's shape {tuple(inputs.shape)}.")
    centred = inputs - inputs.mean(-1, keepdim=True)
    direction = centred / centred.norm(dim=-1, keepdim=True)
    length = plain.norm(dim=-1, keepdim=True)
    require_close(plain, direction * length, "each output vector (expected: the centred input, scaled)", atol=1e-3)
    # The estimate of the variance is graded by the other check; both estimates bring all vectors to one spread.
    variance = plain.square().mean(-1)
    biased = (variance - 1).abs() < 1e-2
    unbiased = (variance - (case.hidden - 1) / case.hidden).abs() < 1e-2
    require(
        bool((biased | unbiased).all()),
        f"The variance of each output vector should be 1; it lies between {variance.min():.4g} and "
        f"{variance.max():.4g}.",
    )


@item("layernorm.scaling")
@given(case=norm_cases())
def test_scaling(student, reference, case):
    """Weight and bias scale and shift the normalised vector, and receive their gradients."""
    reference.run(layer_norm, case)
    found, inputs = student.run(layer_norm, case), case.inputs()
    plain, upstream = found["plain"], inputs["upstream"]
    require_close(
        found["scaled"],
        plain * inputs["weight"] + inputs["bias"],
        "the output (expected: your own output for weight 1 and bias 0, times weight, plus bias)",
    )
    expected = {"weight": (upstream * plain).flatten(0, -2).sum(0), "bias": upstream.flatten(0, -2).sum(0)}
    require_close(found["affine gradients"], expected, "gradients")
