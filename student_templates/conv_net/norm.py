"""Batch norm for pictures (Ioffe and Szegedy, 2015)."""

from torch import nn


class BatchNorm(nn.Module):
    """Every channel gets mean 0 and variance 1, then `weight` (C,) and `bias` (C,), which begin at 1 and 0.

    In training with the batch's own mean and biased variance, and what is known of all batches moves a little towards
    them: (1 - momentum) * old + momentum * new, from 0 and 1 on, with the batch's unbiased variance. In evaluation with
    what is known. It must be in the state_dict: a model that is saved and loaded again knows it.
    """

    def __init__(self, channels, eps=1e-5, momentum=0.1):
        super().__init__()
        self.eps, self.momentum = eps, momentum
        raise NotImplementedError("BatchNorm.__init__")

    def forward(self, x):
        """(B, C, H, W) -> the same shape."""
        raise NotImplementedError("BatchNorm.forward")
