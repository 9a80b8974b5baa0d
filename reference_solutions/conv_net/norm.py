"""Batch norm for pictures (Ioffe and Szegedy, 2015)."""

import torch
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
        # BEGIN SOLUTION
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        # END SOLUTION

    def forward(self, x):
        """(B, C, H, W) -> the same shape."""
        # BEGIN SOLUTION
        mean, var = self.running_mean, self.running_var  # (C,)
        if self.training:
            mean, var = x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)  # (C,)
            count = x.numel() // len(mean)
            with torch.no_grad():
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(var * count / (count - 1), self.momentum)
        mean, scale = mean[:, None, None], self.weight[:, None, None]  # (C, 1, 1)
        return (x - mean) / (var[:, None, None] + self.eps).sqrt() * scale + self.bias[:, None, None]
        # END SOLUTION
