"""Convolution and pooling, from patches. Pictures are (B, C, H, W)."""

from torch import nn


def unfold(x, size, stride=1, padding=0):
    """The patches that a square window of `size` sees: (B, C, H, W) -> (B, C * size * size, places).

    Zeros are padded on all four sides. Within a patch: channel, row, column; places row by row.
    """
    raise NotImplementedError("unfold")


class Conv2d(nn.Module):
    """A convolution as one product of matrices: `weight` (F, C, size, size), which begins at random, and `bias` (F,)."""

    def __init__(self, channels, features, size, stride=1, padding=0):
        super().__init__()
        self.size, self.stride, self.padding = size, stride, padding
        raise NotImplementedError("Conv2d.__init__")

    def forward(self, x):
        """(B, C, H, W) -> (B, F, h, w), with h = (H + 2 * padding - size) // stride + 1 and w likewise."""
        raise NotImplementedError("Conv2d.forward")


def max_pool(x, size, stride):
    """The greatest entry of every window, each channel by itself: (B, C, H, W) -> (B, C, h, w)."""
    raise NotImplementedError("max_pool")


def average_pool(x):
    """The mean over all places: (B, C, H, W) -> (B, C)."""
    raise NotImplementedError("average_pool")
