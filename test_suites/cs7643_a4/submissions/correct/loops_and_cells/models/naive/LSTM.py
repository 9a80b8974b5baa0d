import torch
import torch.nn as nn


class MyLSTMCell(nn.Module):
    """All weights first, then all biases."""

    def __init__(self, inputs, hidden):
        super().__init__()
        self.Wi, self.Ui = self.pair(inputs, hidden)
        self.Wf, self.Uf = self.pair(inputs, hidden)
        self.Wg, self.Ug = self.pair(inputs, hidden)
        self.Wo, self.Uo = self.pair(inputs, hidden)
        for name in ("bii", "bif", "big", "bio", "bhi", "bhf", "bhg", "bho"):
            setattr(self, name, nn.Parameter(torch.zeros(hidden)))

    def pair(self, inputs, hidden):
        return nn.Parameter(torch.randn(inputs, hidden)), nn.Parameter(torch.randn(hidden, hidden))

    def forward(self, x, state):
        h, c = state
        i = torch.sigmoid(torch.mm(x, self.Wi) + self.bii + torch.mm(h, self.Ui) + self.bhi)
        f = torch.sigmoid(torch.mm(x, self.Wf) + self.bif + torch.mm(h, self.Uf) + self.bhf)
        g = torch.tanh(torch.mm(x, self.Wg) + self.big + torch.mm(h, self.Ug) + self.bhg)
        o = torch.sigmoid(torch.mm(x, self.Wo) + self.bio + torch.mm(h, self.Uo) + self.bho)
        c = torch.mul(f, c) + torch.mul(i, g)
        return torch.mul(o, torch.tanh(c)), c


class LSTM(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.cell = MyLSTMCell(input_size, hidden_size)
        self.init_hidden()

    def init_hidden(self):
        for p in self.parameters():
            if p.dim() >= 2:
                nn.init.xavier_uniform_(p)
            else:
                nn.init.zeros_(p)

    def forward(self, x, init_states=None):
        state = init_states or (torch.zeros(len(x), self.hidden_size), torch.zeros(len(x), self.hidden_size))
        for t in range(x.size(1)):
            state = self.cell(x[:, t, :], state)
        h_t, c_t = state
        return h_t, c_t
