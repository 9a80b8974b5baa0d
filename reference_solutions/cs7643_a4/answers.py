"""Theory question 1 as a computation. Optional: whoever fills it in has the gradient checked by the grader.

The network reads four inputs; its hidden states are h_t = tanh(U x_t + W h_{t-1} + b), its predictions
softmax(V h_t + c), and L_t is the cross-entropy of the prediction at step t.
"""

import torch  # keep


def dL2_db(U, W, V, b, c, x, h0, y):
    """The gradient of the loss L_2 with respect to the bias b, from the formula that you derived.

    U: (H, D), W: (H, H), V: (K, H), b: (H,), c: (K,), h0: (H,): tensors of doubles, vectors are columns of the
    equations; x: (4, D), row k is the k-th input; y: (4,), the index of the right class at each step.
    Returns a tensor (H,). Count time as your derivation does: L_2 belongs to the second row, or, if your first
    input is x_0, to the third. Multiply matrices yourself; no autograd.
    """
    # BEGIN SOLUTION
    last = 1  # the first input is x_1, so L_2 stands in row 1
    states = []
    h = h0
    for t in range(last + 1):
        h = torch.tanh(U @ x[t] + W @ h + b)
        states.append(h)
    error = torch.softmax(V @ h + c, dim=0)
    error[y[last]] -= 1  # dL/do = prediction - target
    reaching_h = V.T @ error  # dL/dh_t
    gradient = torch.zeros_like(b)
    for h in reversed(states):
        reaching_a = (1 - h**2) * reaching_h  # dL/da_t: through the tanh
        gradient = gradient + reaching_a  # b enters at every step
        reaching_h = W.T @ reaching_a  # dL/dh_{t-1}
    return gradient
    # END SOLUTION
