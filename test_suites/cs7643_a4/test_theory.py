"""Theory question 1, for those who hand in answers.py."""

import torch
from cases import theory_cases
from hypothesis import given
from probes import theory

from grader.suite import Disagreement, assert_agrees, item


@item("theory.gradient_computed")
@given(case=theory_cases())
def test_gradient(student, reference, case):
    """Your formula for dL_2/db gives the gradient, with time counted from 1 or from 0."""
    reference.run(theory, case)
    actual = student.run(theory, case)
    given_values = case.inputs()
    try:
        assert_agrees(actual, {"gradient": by_autograd(row=1, **given_values)})
    except Disagreement as from_one:
        try:
            assert_agrees(actual, {"gradient": by_autograd(row=2, **given_values)})
        except Disagreement:
            raise from_one from None


def by_autograd(row, U, W, V, b, c, x, h0, y):
    """The gradient of the cross-entropy at that row, computed by autograd."""
    bias = b.clone().requires_grad_()
    h = h0
    for t in range(row + 1):
        h = torch.tanh(U @ x[t] + W @ h + bias)
    loss = torch.nn.functional.cross_entropy((V @ h + c).unsqueeze(0), y[row : row + 1])
    return torch.autograd.grad(loss, bias)[0]
