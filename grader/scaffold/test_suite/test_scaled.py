"""Tests: run in the judge. Each decides one item of the rubric; its docstring is what the student reads."""

from cases import scaled_cases
from hypothesis import given
from probes import scaled

from grader.suite import assert_agrees, item


@item("scaled.forward")
@given(case=scaled_cases())
def test_forward(student, reference, case):
    """The output is the linear layer's, times the scale."""
    assert_agrees(student.run(scaled, case), reference.run(scaled, case), only=["out"])


@item("scaled.gradients")
@given(case=scaled_cases())
def test_gradients(student, reference, case):
    """The input and both parameters receive the right gradients."""
    assert_agrees(student.run(scaled, case), reference.run(scaled, case), only=["gradients"])
