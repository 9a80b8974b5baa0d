"""Layers with their gradients, in NumPy. A forward pass returns its result and a cache for the backward pass."""


def affine(x, w, b):
    """x: (N, D), w: (D, H), b: (H,) -> (N, H)."""
    raise NotImplementedError("affine")


def affine_backward(dout, cache):
    """dout: (N, H) -> gradients of x, w, b."""
    raise NotImplementedError("affine_backward")


def relu(x):
    """max(x, 0), entry by entry."""
    raise NotImplementedError("relu")


def relu_backward(dout, cache):
    """The gradient of x."""
    raise NotImplementedError("relu_backward")


def softmax(x):
    """Over the last axis; large entries do not overflow."""
    raise NotImplementedError("softmax")


def cross_entropy(x, y):
    """Logits (N, C), classes (N,) -> the mean loss, and its gradient by x. Large logits do not overflow."""
    raise NotImplementedError("cross_entropy")


def batch_norm(x, gamma, beta, mean, var, eps=1e-5, momentum=0.9, train=True):
    """x: (N, D) -> the result, (normalised x, gamma, standard deviation), the running mean and the running variance.

    In training the batch's own mean and biased variance normalise, and move the running ones: momentum * old +
    (1 - momentum) * new. Else the running ones normalise and stay. What is given is not written to.
    """
    raise NotImplementedError("batch_norm")


def batch_norm_backward(dout, cache):
    """dout: (N, D) -> gradients of x, gamma, beta, through the batch's mean and variance."""
    raise NotImplementedError("batch_norm_backward")
