"""Homework 3, part 1: the theory answers that can be computed. Handing in this file is optional.

Each function is an answer of the written part, as a formula in code. Without this file a person reads the written
answers. Nothing here needs a loop over training steps or data; T, D, M, d are those of the handout.
"""

import math

import torch
from torch import Tensor


def multiplications(T: int, D: int, M: int) -> int:
    """Question 1.4: how many multiplications equation 2 takes, when Q (T, D), K (T, D) and V (T, M) are there already.

    Scaling by 1 / sqrt(D) and the division in the softmax may be counted or not.
    """
    raise NotImplementedError("multiplications")


def attention_row(Q: Tensor, K: Tensor, V: Tensor, i: int) -> Tensor:
    """Question 1.5: row i of V' by equation 3, from sim(q, k) = exp(q k^T / sqrt(D)) alone. i counts from 0.

    Q (T, D), K (T, D), V (T, M) -> (M,)
    """
    raise NotImplementedError("attention_row")


def initialise(weight: Tensor, bias: Tensor, layers: int) -> None:
    """Question 2: fill weight W_l (d, d) and bias b_l (d,) of one residual branch in place.

    u_{l+1} = u_l + W_l relu(u_l) + b_l for l = 1 ... layers; the entries of u_1 are independent with variance 1.
    """
    raise NotImplementedError("initialise")


def bptt_gradient(W: Tensor, B: Tensor, C: Tensor, v0: Tensor, x: Tensor, p: float, dloss: Tensor) -> Tensor:
    """Question 3.1: the gradient of the loss with respect to W by back-propagation through time, without autograd.

    u_t = W v_{t-1} + B x_t, v_t = max(p u_t, u_t) with 0 < p < 1; the loss is over the output C v_t of the last step.
    W (d, d), B (d, n), C (m, d), v0 (d,), x (t, n), dloss (m,) = d loss / d output -> (d, d)
    """
    raise NotImplementedError("bptt_gradient")
