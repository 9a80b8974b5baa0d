"""Three layers from tensor primitives: LSTM, layer normalisation, multi-head attention."""


import torch
from torch import nn


class LSTM(nn.Module):
    """One layer; the gates i, f, g, o lie one after the other in the first dimension of each parameter."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(4 * hidden_size))

    def forward(self, x, state):
        """x: (batch, time, input), state: (h, c) of (batch, hidden) -> (batch, time, hidden), (h, c)."""
        raise NotImplementedError("LSTM.forward")


class LayerNorm(nn.Module):
    """Normalises over the last dimension."""

    def __init__(self, width, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        """x: (..., width) -> (..., width)."""
        raise NotImplementedError("LayerNorm.forward")


class MultiHeadAttention(nn.Module):
    """Self-attention; query, key and value weights lie one after the other in `in_weight` and `in_bias`."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.in_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_bias = nn.Parameter(torch.empty(3 * width))
        self.out_weight = nn.Parameter(torch.empty(width, width))
        self.out_bias = nn.Parameter(torch.empty(width))

    def forward(self, x, causal=False):
        """x: (batch, time, width) -> (batch, time, width). With `causal` no position sees a later one."""
        raise NotImplementedError("MultiHeadAttention.forward")
