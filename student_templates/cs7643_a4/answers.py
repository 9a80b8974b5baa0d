"""Theory question 1 as a computation. Optional: whoever fills it in has the gradient checked by the grader.

The network reads four inputs; its hidden states are h_t = tanh(U x_t + W h_{t-1} + b), its predictions
softmax(V h_t + c), and L_t is the cross-entropy of the prediction at step t.
"""

import torch


def dL2_db(U, W, V, b, c, x, h0, y):
    """The gradient of the loss L_2 with respect to the bias b, from the formula that you derived.

    U: (H, D), W: (H, H), V: (K, H), b: (H,), c: (K,), h0: (H,): tensors of floats, vectors are columns of the
    equations; x: (4, D), row k is the k-th input; y: (4,), the index of the right class at each step.
    Returns a tensor (H,). Count time as your derivation does: L_2 belongs to the second row, or, if your first
    input is x_0, to the third. Multiply matrices yourself; no autograd.
    """
    raise NotImplementedError("dL2_db")
