"""Three layers from tensor primitives: LSTM, layer normalisation, multi-head attention."""

import math

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
        # BEGIN SOLUTION
        h, c = state
        outputs = []
        for step in x.unbind(1):
            gates = step @ self.weight_ih.T + h @ self.weight_hh.T + self.bias
            i, f, g, o = gates.chunk(4, dim=-1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs, dim=1), (h, c)
        # END SOLUTION


class LayerNorm(nn.Module):
    """Normalises over the last dimension."""

    def __init__(self, width, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        """x: (..., width) -> (..., width)."""
        # BEGIN SOLUTION
        centred = x - x.mean(-1, keepdim=True)
        variance = centred.square().mean(-1, keepdim=True)
        return centred / torch.sqrt(variance + self.eps) * self.weight + self.bias
        # END SOLUTION


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
        # BEGIN SOLUTION
        batch, time, width = x.shape
        projected = x @ self.in_weight.T + self.in_bias
        q, k, v = projected.view(batch, time, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) / math.sqrt(width // self.heads)
        if causal:
            future = torch.ones(time, time, dtype=torch.bool).triu(1)
            scores = scores.masked_fill(future, -math.inf)
        mixed = (torch.softmax(scores, dim=-1) @ v).transpose(1, 2).reshape(batch, time, width)
        return mixed @ self.out_weight.T + self.out_bias
        # END SOLUTION
