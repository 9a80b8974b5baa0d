"""Theory answers that can be computed, when `answers.py` was handed in."""

import torch
from cases import attention_cases, recurrent_cases
from hypothesis import given
from probes import count, residual_layers, row, through_time

from grader.suite import assert_agrees, item, require

SIZES = ((5, 3, 7), (11, 2, 4), (2, 13, 6))


@item("answers.multiplications")
def test_multiplications(student):
    """Equation 2 takes T²(D + M) multiplications; scaling and dividing may add T² each."""
    extras = set()
    for T, D, M in SIZES:
        found = student.run(count, {"T": T, "D": D, "M": M})["count"]
        extra = (found - T * T * (D + M)) / (T * T)
        require(
            extra in (0, 1, 2),
            f"For T = {T}, D = {D}, M = {M} the answer is {found}; Q Kᵀ and mixing V take {T * T * (D + M)}.",
        )
        extras.add(extra)
    require(len(extras) == 1, "Scaling and division are counted for some sizes and not for others.")


@item("answers.row_form")
@given(case=attention_cases())
def test_row_form(student, case):
    """Row i by equation 3 equals row i of softmax(Q Kᵀ / √D) V."""
    given_ = case.inputs()
    whole = torch.softmax(given_["Q"] @ given_["K"].t() / given_["Q"].shape[1] ** 0.5, dim=-1) @ given_["V"]
    assert_agrees(student.run(row, case), {"row": whole[given_["i"]]})


@item("answers.initialisation")
def test_initialisation(student):
    """With this initialisation the branches have mean zero and the variance stays 1 in every layer."""
    found = student.run(residual_layers, {"width": 24, "layers": 20, "samples": 200})
    worst = max(found["variances"], key=lambda variance: abs(variance - 1))
    require(abs(worst - 1) < 0.01, f"The variance should stay 1 in all of 20 layers; in one it is {worst:.4g}.")
    require(bool(found["branch"].abs().max() < 0.05), "The mean of a branch, given its input, is not 0.")


@item("answers.bptt")
@given(case=recurrent_cases())
def test_bptt(student, case):
    """The gradient by back-propagation through time equals that of autograd."""
    assert_agrees(student.run(through_time, case), {"gradient": _by_autograd(**case.inputs())})


def _by_autograd(W, B, C, v0, x, p, dloss):
    W = W.clone().requires_grad_()
    state = v0
    for step in x:
        u = W @ state + B @ step
        state = torch.maximum(p * u, u)
    (C @ state).backward(dloss)
    return W.grad
