"""Layers with their gradients, in NumPy. A forward pass returns its result and a cache for the backward pass."""

import numpy as np


def affine(x, w, b):
    """x: (N, D), w: (D, H), b: (H,) -> (N, H)."""
    # BEGIN SOLUTION
    return x @ w + b, (x, w)
    # END SOLUTION


def affine_backward(dout, cache):
    """dout: (N, H) -> gradients of x, w, b."""
    # BEGIN SOLUTION
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)
    # END SOLUTION


def relu(x):
    """max(x, 0), entry by entry."""
    # BEGIN SOLUTION
    return np.maximum(x, 0), x
    # END SOLUTION


def relu_backward(dout, cache):
    """The gradient of x."""
    # BEGIN SOLUTION
    return dout * (cache > 0)
    # END SOLUTION


def softmax(x):
    """Over the last axis; large entries do not overflow."""
    # BEGIN SOLUTION
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
    # END SOLUTION


def cross_entropy(x, y):
    """Logits (N, C), classes (N,) -> the mean loss, and its gradient by x. Large logits do not overflow."""
    # BEGIN SOLUTION
    rows = np.arange(len(y))
    shifted = x - x.max(axis=1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    dx = np.exp(logs)
    dx[rows, y] -= 1
    return -logs[rows, y].mean(), dx / len(y)
    # END SOLUTION


def batch_norm(x, gamma, beta, mean, var, eps=1e-5, momentum=0.9, train=True):
    """x: (N, D) -> the result, (normalised x, gamma, standard deviation), the running mean and the running variance.

    In training the batch's own mean and biased variance normalise, and move the running ones: momentum * old +
    (1 - momentum) * new. Else the running ones normalise and stay. What is given is not written to.
    """
    # BEGIN SOLUTION
    used_mean, used_var = (x.mean(axis=0), x.var(axis=0)) if train else (mean, var)
    std = np.sqrt(used_var + eps)
    normalised = (x - used_mean) / std
    if train:
        mean = momentum * mean + (1 - momentum) * used_mean
        var = momentum * var + (1 - momentum) * used_var
    return gamma * normalised + beta, (normalised, gamma, std), mean, var
    # END SOLUTION


def batch_norm_backward(dout, cache):
    """dout: (N, D) -> gradients of x, gamma, beta, through the batch's mean and variance."""
    # BEGIN SOLUTION
    normalised, gamma, std = cache
    dgamma, dbeta = (dout * normalised).sum(axis=0), dout.sum(axis=0)
    dx = gamma / std * (dout - dbeta / len(dout) - normalised * dgamma / len(dout))
    return dx, dgamma, dbeta
    # END SOLUTION
