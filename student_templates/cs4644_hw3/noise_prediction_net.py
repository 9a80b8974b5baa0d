"""The networks that predict noise. Given; nothing here is to be written.

All are called with noisy samples, their time steps and their conditions:
    ConditionalUnet1D   sequences (B, T, D), the condition is a vector (after Diffusion Policy, arXiv 2303.04137)
    ConditionalUnet2D   pictures (B, C, H, H), the condition is a class index or the null token 0
    TesterModel         one linear layer, for tests
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


def waves(t, dim):
    """Sines and cosines of time steps (B,) at geometrically spaced frequencies: (B, dim)."""
    frequencies = torch.exp(-math.log(10000.0) * torch.arange(dim // 2, device=t.device) / (dim // 2))
    angles = t[:, None].float() * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1)


def for_each_sample(t, x):
    """A time step as (B,): a number and one step for all are repeated."""
    return torch.as_tensor(t, device=x.device).reshape(-1).expand(len(x))


# --- sequences --------------------------------------------------------------------------------------------------------


class FilmBlock(nn.Module):
    """Two convolutions over time; between them the condition scales and shifts every channel."""

    def __init__(self, inputs, outputs, cond_dim, kernel_size=5, groups=8):
        super().__init__()
        self.first = self.convolution(inputs, outputs, kernel_size, groups)
        self.second = self.convolution(outputs, outputs, kernel_size, groups)
        self.film = nn.Sequential(nn.Mish(), nn.Linear(cond_dim, 2 * outputs))
        self.skip = nn.Conv1d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    @staticmethod
    def convolution(inputs, outputs, kernel_size, groups):
        layer = nn.Conv1d(inputs, outputs, kernel_size, padding=kernel_size // 2)
        return nn.Sequential(layer, nn.GroupNorm(groups, outputs), nn.Mish())

    def forward(self, x, cond):
        scale, shift = self.film(cond)[:, :, None].chunk(2, dim=1)  # (B, outputs, 1) each
        return self.second(scale * self.first(x) + shift) + self.skip(x)


class ConditionalUnet1D(nn.Module):
    """A U-Net over time. `input_dim`: numbers per moment; `global_cond_dim`: width of the condition."""

    def __init__(self, input_dim, global_cond_dim, step_dim=256, widths=(256, 512, 1024)):
        super().__init__()
        self.step_dim = step_dim
        self.step = nn.Sequential(nn.Linear(step_dim, 4 * step_dim), nn.Mish(), nn.Linear(4 * step_dim, step_dim))
        cond = step_dim + global_cond_dim
        ways = list(zip((input_dim, *widths[:-1]), widths, strict=True))
        self.down = nn.ModuleList(self.pair(inputs, outputs, cond) for inputs, outputs in ways)
        self.narrow = nn.ModuleList(nn.Conv1d(width, width, 3, stride=2, padding=1) for width in widths[:-1])
        self.middle = self.pair(widths[-1], widths[-1], cond)
        back = [(2 * outputs, inputs) for inputs, outputs in reversed(ways[1:])]
        self.up = nn.ModuleList(self.pair(inputs, outputs, cond) for inputs, outputs in back)
        self.widen = nn.ModuleList(nn.ConvTranspose1d(width, width, 4, 2, 1) for _, width in back)
        self.out = nn.Sequential(FilmBlock.convolution(widths[0], widths[0], 5, 8), nn.Conv1d(widths[0], input_dim, 1))

    @staticmethod
    def pair(inputs, outputs, cond):
        return nn.ModuleList([FilmBlock(inputs, outputs, cond), FilmBlock(outputs, outputs, cond)])

    def forward(self, sample, timestep, global_cond=None):
        """sample: (B, T, input_dim), T divisible by 4; timestep: (B,), or one for all; global_cond: (B, width)."""
        cond = self.step(waves(for_each_sample(timestep, sample), self.step_dim))
        if global_cond is not None:
            cond = torch.cat([cond, global_cond], dim=1)
        x, kept = sample.transpose(1, 2), []  # (B, input_dim, T)
        for place, blocks in enumerate(self.down):
            for block in blocks:
                x = block(x, cond)
            kept.append(x)
            x = self.narrow[place](x) if place < len(self.narrow) else x
        for block in self.middle:
            x = block(x, cond)
        for blocks, widen in zip(self.up, self.widen, strict=True):
            x = torch.cat([x, kept.pop()], dim=1)
            for block in blocks:
                x = block(x, cond)
            x = widen(x)
        return self.out(x).transpose(1, 2)


# --- pictures ---------------------------------------------------------------------------------------------------------


class Attention(nn.Module):
    """Self-attention between all places of a picture, and a small layer at every place."""

    def __init__(self, channels):
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.attention = nn.MultiheadAttention(channels, 4, batch_first=True)
        self.layers = nn.Sequential(
            nn.LayerNorm(channels), nn.Linear(channels, channels), nn.GELU(), nn.Linear(channels, channels)
        )

    def forward(self, x):
        places = x.flatten(2).transpose(1, 2)  # (B, H * H, channels)
        normed = self.norm(places)
        places = places + self.attention(normed, normed, normed, need_weights=False)[0]
        places = places + self.layers(places)
        return places.transpose(1, 2).reshape(x.shape)


class Convolutions(nn.Module):
    """Two convolutions with norms, around them a short cut where `residual`."""

    def __init__(self, inputs, outputs, middle=None, residual=False):
        super().__init__()
        self.residual = residual
        middle = middle or outputs
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, middle, 3, padding=1, bias=False),
            nn.GroupNorm(1, middle),
            nn.GELU(),
            nn.Conv2d(middle, outputs, 3, padding=1, bias=False),
            nn.GroupNorm(1, outputs),
        )

    def forward(self, x):
        return F.gelu(x + self.layers(x)) if self.residual else self.layers(x)


class Stage(nn.Module):
    """Half or twice the resolution, convolutions, then time and class added to every channel, then attention."""

    def __init__(self, inputs, outputs, embedded, up):
        super().__init__()
        self.resize = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True) if up else nn.MaxPool2d(2)
        last = Convolutions(inputs, outputs, middle=inputs // 2 if up else None)
        self.layers = nn.Sequential(Convolutions(inputs, inputs, residual=True), last)
        self.embed = nn.Sequential(nn.SiLU(), nn.Linear(embedded, outputs))
        self.attention = Attention(outputs)

    def forward(self, x, embedding, kept=None):
        x = self.resize(x)
        x = x if kept is None else torch.cat([kept, x], dim=1)
        return self.attention(self.layers(x) + self.embed(embedding)[:, :, None, None])


class ConditionalUnet2D(nn.Module):
    """A U-Net over pictures of `input_dim` rows and columns, divisible by 8.

    `global_cond_dim` is the number of class indices, the null token among them.
    """

    def __init__(self, input_dim=64, c_in=3, c_out=3, global_cond_dim=None, embedded=128):
        super().__init__()
        self.input_dim = input_dim
        self.embedded = embedded
        if global_cond_dim is not None:
            self.label_emb = nn.Embedding(global_cond_dim, embedded)
        self.into = Convolutions(c_in, 32)
        self.down = nn.ModuleList(Stage(*sizes, embedded, up=False) for sizes in ((32, 64), (64, 128), (128, 128)))
        self.bottom = nn.Sequential(Convolutions(128, 256), Convolutions(256, 256), Convolutions(256, 128))
        self.up = nn.ModuleList(Stage(*sizes, embedded, up=True) for sizes in ((256, 64), (128, 32), (64, 32)))
        self.out = nn.Conv2d(32, c_out, 1)

    def forward(self, x, t, y=None):
        """x: (B, c_in, H, H); t: (B,), or one for all; y: class indices (B,); returns (B, c_out, H, H)."""
        embedding = waves(for_each_sample(t, x), self.embedded)
        if y is not None:
            embedding = embedding + self.label_emb(y)
        kept, x = [], self.into(x)
        for stage in self.down:
            kept.append(x)
            x = stage(x, embedding)
        x = self.bottom(x)
        for stage in self.up:
            x = stage(x, embedding, kept.pop())
        return self.out(x)


# --- tests ------------------------------------------------------------------------------------------------------------


class TesterModel(nn.Module):
    """One linear layer on everything: small enough for a test to know its answer."""

    def __init__(self, input_shape, c):
        super().__init__()
        x, y = input_shape
        self.fc1 = nn.Linear(x * y + c, x * y)

    def forward(self, input, t, c):
        """input: (B, x, y); t: (B,), or one for all; c: (B, width); returns (B, x, y)."""
        later = input + torch.as_tensor(t).view(-1, 1, 1) / 100
        return self.fc1(torch.cat([later.flatten(1), c], dim=1)).reshape(input.shape)
