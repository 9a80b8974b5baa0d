"""A submission with one mistake in each class, so that every one of the twelve items disagrees."""

import torch
from torch import nn


class LSTM(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias = nn.Parameter(torch.empty(4 * hidden_size))

    def forward(self, x, state):
        h, c = state
        size = self.hidden_size
        outputs = []
        for t in range(x.shape[1]):
            z = torch.matmul(x[:, t], self.weight_ih.t()) + torch.matmul(h, self.weight_hh.t()) + self.bias
            i = 1 / (1 + torch.exp(-z[:, :size]))
            f = 1 / (1 + torch.exp(-z[:, size : 2 * size]))
            g = torch.tanh(z[:, 2 * size : 3 * size])
            o = 1 / (1 + torch.exp(-z[:, 3 * size :]))
            c = f * c + i * g
            h = o * c
            outputs.append(h.unsqueeze(1))
        return torch.cat(outputs, dim=1), (h, c)


class LayerNorm(nn.Module):
    def __init__(self, width, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x):
        mean = x.mean(dim=-1, keepdim=True)
        variance = x.var(dim=-1, unbiased=True, keepdim=True)
        return self.weight * (x - mean) * torch.rsqrt(variance + self.eps) + self.bias


class MultiHeadAttention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.in_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_bias = nn.Parameter(torch.empty(3 * width))
        self.out_weight = nn.Parameter(torch.empty(width, width))
        self.out_bias = nn.Parameter(torch.empty(width))

    def forward(self, x, causal=False):
        batch, time, width = x.shape
        size = width // self.heads
        weights, biases = self.in_weight.chunk(3), self.in_bias.chunk(3)
        q, k, v = (
            torch.einsum("btw,ow->bto", x, weight).add(bias).view(batch, time, self.heads, size)
            for weight, bias in zip(weights, biases)
        )
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k)
        if causal:
            hidden = torch.full((time, time), float("-inf")).triu(diagonal=1)
            scores = scores + hidden
        mixed = torch.einsum("bhqk,bkhd->bqhd", scores.softmax(dim=-1), v).flatten(2)
        return torch.einsum("btw,ow->bto", mixed, self.out_weight) + self.out_bias
