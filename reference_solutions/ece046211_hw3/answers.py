"""Homework 3, part 1: the theory answers that can be computed. Handing in this file is optional.

Each function is an answer of the written part, as a formula in code. Without this file a person reads the written
answers. Nothing here needs a loop over training steps or data; T, D, M, d are those of the handout.
"""

import math  # keep

import torch  # keep
from torch import Tensor


def multiplications(T: int, D: int, M: int) -> int:
    """Question 1.4: how many multiplications equation 2 takes, when Q (T, D), K (T, D) and V (T, M) are there already.

    Scaling by 1 / sqrt(D) and the division in the softmax may be counted or not.
    """
    # BEGIN SOLUTION
    scores = T * T * D  # Q K^T: T x T inner products of length D
    mixing = T * M * T  # softmax(...) V: T x M inner products of length T
    return scores + mixing
    # END SOLUTION


def attention_row(Q: Tensor, K: Tensor, V: Tensor, i: int) -> Tensor:
    """Question 1.5: row i of V' by equation 3, from sim(q, k) = exp(q k^T / sqrt(D)) alone. i counts from 0.

    Q (T, D), K (T, D), V (T, M) -> (M,)
    """
    # BEGIN SOLUTION
    # Row i of softmax(Q K^T / sqrt(D)) is sim(Q_i, K_j) / sum_r sim(Q_i, K_r); times V that is equation 3.
    similarity = torch.exp(K @ Q[i] / math.sqrt(Q.shape[-1]))  # (T,): sim(Q_i, K_j) for every j
    return similarity @ V / similarity.sum()  # (M,)
    # END SOLUTION


def initialise(weight: Tensor, bias: Tensor, layers: int) -> None:
    """Question 2: fill weight W_l (d, d) and bias b_l (d,) of one residual branch in place.

    u_{l+1} = u_l + W_l relu(u_l) + b_l for l = 1 ... layers; the entries of u_1 are independent with variance 1.
    """
    # BEGIN SOLUTION
    # Given E[F_l | u_l] = 0, u_l and F_l are uncorrelated, so Var(u_{l+1}) = Var(u_l) + Var(F_l): it stays 1 for every
    # l only when Var(F_l) = 0. With W_l = 0 and b_l = 0 every branch starts as zero and u_l = u_1.
    with torch.no_grad():
        weight.zero_()
        bias.zero_()
    # END SOLUTION


def bptt_gradient(W: Tensor, B: Tensor, C: Tensor, v0: Tensor, x: Tensor, p: float, dloss: Tensor) -> Tensor:
    """Question 3.1: the gradient of the loss with respect to W by back-propagation through time, without autograd.

    u_t = W v_{t-1} + B x_t, v_t = max(p u_t, u_t) with 0 < p < 1; the loss is over the output C v_t of the last step.
    W (d, d), B (d, n), C (m, d), v0 (d,), x (t, n), dloss (m,) = d loss / d output -> (d, d)
    """
    # BEGIN SOLUTION
    states, slopes = [v0], []
    for step in x:
        u = W @ states[-1] + B @ step  # (d,)
        states.append(torch.maximum(p * u, u))
        slopes.append(torch.where(u > 0, 1.0, p))
    gradient = torch.zeros_like(W)
    upstream = C.t() @ dloss  # d loss / d v_t, (d,)
    for slope, previous in zip(reversed(slopes), reversed(states[:-1]), strict=True):
        delta = slope * upstream  # d loss / d u
        gradient += torch.outer(delta, previous)  # W[i, j] enters u[i] times v_{t-1}[j]
        upstream = W.t() @ delta  # one step back in time
    return gradient
    # END SOLUTION
