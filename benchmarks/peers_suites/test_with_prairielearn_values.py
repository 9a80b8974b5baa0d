"""A tree of tensors as one flat array."""

import numpy
import torch


def flat(values, keys):
    """The chosen values, one behind the other."""
    return numpy.concatenate([piece for key in keys for piece in pieces(values[key])])


def pieces(value):
    """The leaves of a tree, flattened."""
    if isinstance(value, torch.Tensor):
        return [value.detach().flatten().numpy()]
    return [piece for name in sorted(value) for piece in pieces(value[name])]
