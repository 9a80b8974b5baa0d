"""A linear layer whose output is scaled, and its gradients by hand."""

import numpy as np  # keep


def scaled(x, w, b, scale):
    """scale * (x W + b): (N, D), (D, H), (H,) -> (N, H), and what backward needs."""
    # BEGIN SOLUTION
    return scale * (x @ w + b), (x, w, scale)
    # END SOLUTION


def scaled_backward(dout, cache):
    """(N, H) and the cache -> the gradients of x (N, D), w (D, H) and b (H,)."""
    # BEGIN SOLUTION
    x, w, scale = cache
    dout = scale * dout
    return dout @ w.T, x.T @ dout, np.sum(dout, axis=0)
    # END SOLUTION
