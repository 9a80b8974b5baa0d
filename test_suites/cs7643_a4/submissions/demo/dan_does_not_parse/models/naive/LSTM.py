import numpy as np
import torch
import torch.nn as nn


class LSTM(nn.Module):
    # one matrix for everything: rows are input and state, columns are the four gates
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.weight = nn.Parameter(torch.Tensor(input_size + hidden_size, 4 * hidden_size))
        self.bias = nn.Parameter(torch.Tensor(4 * hidden_size))
        self.init_hidden()

    def init_hidden(self):
        for p in self.parameters():
            if p.data.ndimension() >= 2:
                nn.init.xavier_uniform_(p.data)
            else:
                nn.init.zeros_(p.data)

    def forward(self, x: torch.Tensor):
        h = torch.zeros(x.size(0), self.hidden_size, device=x.device)
        c = torch.zeros_like(h)
        for step in x.unbind(1):
            gates = torch.einsum("bi,ig->bg", torch.cat((step, h), 1), self.weight) + self.bias
            i, f, g, o = gates.chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
        return (h, c)
