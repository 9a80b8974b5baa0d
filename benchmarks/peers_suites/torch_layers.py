"""torch's own layers under the workload's interface: what an instructor would compare a submission with."""

import torch
from torch import nn


class LSTM(nn.Module):
    """`nn.LSTM` with one bias, batch first."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(4 * hidden_size))

    def forward(self, x, state):
        h, c = state
        weights = [self.weight_ih, self.weight_hh, self.bias, torch.zeros_like(self.bias)]
        out, h, c = torch.lstm(x, (h[None], c[None]), weights, True, 1, 0.0, self.training, False, True)
        return out, (h[0], c[0])


class LayerNorm(nn.LayerNorm):
    """`nn.LayerNorm` as it is."""


class MultiHeadAttention(nn.Module):
    """Fused attention between two linear maps."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.in_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_bias = nn.Parameter(torch.empty(3 * width))
        self.out_weight = nn.Parameter(torch.empty(width, width))
        self.out_bias = nn.Parameter(torch.empty(width))

    def forward(self, x, causal=False):
        q, k, v = (
            piece.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for piece in nn.functional.linear(x, self.in_weight, self.in_bias).chunk(3, dim=-1)
        )
        mixed = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return nn.functional.linear(mixed.transpose(1, 2).flatten(2), self.out_weight, self.out_bias)
