"""Gradients by central differences, to hold those by hand against."""

import numpy as np


def relu_loss(x):
    """A function to try it on, in which the entries of a row meet."""
    return float((np.maximum(x, 0).sum(axis=-1) ** 2).sum())


def numeric_gradient(f, x, step=1e-5):
    """The gradient of a function of one array, entry by entry, from f(x + step) and f(x - step)."""
    # BEGIN SOLUTION
    slope = np.zeros_like(x)
    for index in np.ndindex(*x.shape):
        here = x[index]
        x[index] = here + step
        above = f(x)
        x[index] = here - step
        below = f(x)
        x[index] = here
        slope[index] = (above - below) / (2 * step)
    return slope
    # END SOLUTION
