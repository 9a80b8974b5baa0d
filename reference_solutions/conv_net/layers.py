"""Convolution and pooling, from patches. Pictures are (B, C, H, W)."""

import torch
from torch import nn
from torch.nn import functional


def unfold(x, size, stride=1, padding=0):
    """The patches that a square window of `size` sees: (B, C, H, W) -> (B, C * size * size, places).

    Zeros are padded on all four sides. Within a patch: channel, row, column; places row by row.
    """
    # BEGIN SOLUTION
    padded = functional.pad(x, (padding,) * 4)
    height, width = ((side - size) // stride + 1 for side in padded.shape[2:])
    rows = torch.arange(size)[:, None] + stride * torch.arange(height)  # (size, h)
    columns = torch.arange(size)[:, None] + stride * torch.arange(width)  # (size, w)
    patches = padded[:, :, rows[:, None, :, None], columns[None, :, None]]  # (B, C, size, size, h, w)
    return patches.flatten(4).flatten(1, 3)  # (B, C * size * size, h * w)
    # END SOLUTION


class Conv2d(nn.Module):
    """A convolution as one product of matrices: `weight` (F, C, size, size), which begins at random, and `bias` (F,)."""

    def __init__(self, channels, features, size, stride=1, padding=0):
        super().__init__()
        self.size, self.stride, self.padding = size, stride, padding
        # BEGIN SOLUTION
        self.weight = nn.Parameter(torch.randn(features, channels, size, size))
        self.bias = nn.Parameter(torch.zeros(features))
        # END SOLUTION

    def forward(self, x):
        """(B, C, H, W) -> (B, F, h, w), with h = (H + 2 * padding - size) // stride + 1 and w likewise."""
        # BEGIN SOLUTION
        patches = unfold(x, self.size, self.stride, self.padding)  # (B, C * size * size, h * w)
        out = self.weight.flatten(1) @ patches + self.bias[:, None]  # (B, F, h * w)
        height = (x.shape[2] + 2 * self.padding - self.size) // self.stride + 1
        return out.unflatten(2, (height, -1))  # (B, F, h, w)
        # END SOLUTION


def max_pool(x, size, stride):
    """The greatest entry of every window, each channel by itself: (B, C, H, W) -> (B, C, h, w)."""
    # BEGIN SOLUTION
    return x.unfold(2, size, stride).unfold(3, size, stride).amax((4, 5))
    # END SOLUTION


def average_pool(x):
    """The mean over all places: (B, C, H, W) -> (B, C)."""
    # BEGIN SOLUTION
    return x.mean((2, 3))
    # END SOLUTION
