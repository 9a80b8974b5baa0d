# A dictionary of gates, states kept with their leading axis, tensors joined at the end.
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class LSTM(nn.Module):
    def __init__(self, input_size, hidden_size):
        super(LSTM, self).__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        new = lambda *shape: nn.Parameter(torch.empty(*shape))  # noqa: E731
        self.w_ii, self.w_if, self.w_ig, self.w_io = [new(hidden_size, input_size) for _ in range(4)]
        self.b_ii, self.b_if, self.b_ig, self.b_io = [new(hidden_size) for _ in range(4)]
        self.w_hi, self.w_hf, self.w_hg, self.w_ho = [new(hidden_size, hidden_size) for _ in range(4)]
        self.b_hi, self.b_hf, self.b_hg, self.b_ho = [new(hidden_size) for _ in range(4)]
        for param in self.parameters():
            nn.init.uniform_(param, a=-np.sqrt(1 / hidden_size), b=np.sqrt(1 / hidden_size))

    def gate(self, name, x, h):
        w_i, b_i, w_h, b_h = (getattr(self, prefix + name) for prefix in ("w_i", "b_i", "w_h", "b_h"))
        return torch.matmul(x, w_i.t()) + b_i + torch.matmul(h, w_h.t()) + b_h

    def forward(self, inputs, hidden_states):
        h, c = hidden_states
        steps = []
        for t in range(inputs.size(1)):
            x_t = inputs[:, t : t + 1].transpose(0, 1)
            gates = {name: self.gate(name, x_t, h) for name in ("i", "f", "g", "o")}
            c = torch.sigmoid(gates["f"]) * c + torch.sigmoid(gates["i"]) * torch.tanh(gates["g"])
            h = torch.sigmoid(gates["o"]) * torch.tanh(c)
            steps.append(h)
        return torch.cat(steps).transpose(0, 1), (h, c)


class Encoder(nn.Module):
    def __init__(self, vocabulary_size=30522, embedding_size=256, hidden_size=256, dropout=0.0):
        super(Encoder, self).__init__()
        self.vocabulary_size = vocabulary_size
        self.embedding_size = embedding_size
        self.hidden_size = hidden_size
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=0)
        self.dropout = nn.Dropout(p=dropout)
        # The dropout argument has no effect on a single layer, but students pass it.
        self.rnn = nn.LSTM(embedding_size, hidden_size, bidirectional=True, batch_first=True, dropout=dropout)

    def forward(self, inputs, hidden_states):
        embedded = F.dropout(self.embedding(inputs.long()), p=self.dropout.p, training=self.training)
        h, c = hidden_states
        out, (h, c) = self.rnn(embedded, (h, c))
        return out, (h, c)

    def initial_states(self, batch_size, device=None):
        if device is None:
            device = next(self.parameters()).device
        h_0 = torch.zeros((2, batch_size, self.hidden_size), dtype=torch.float, device=device)
        return (h_0, h_0)


class DecoderAttn(nn.Module):
    def __init__(self, input_size=512, hidden_size=256, attn=None):
        super(DecoderAttn, self).__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.rnn = nn.LSTM(input_size=input_size, hidden_size=hidden_size, batch_first=True)
        self.mlp_attn = attn

    def forward(self, inputs, hidden_states, mask=None):
        # The masked input is fed into the attention: padded features are blanked.
        x = inputs
        if self.mlp_attn is not None:
            if mask is not None:
                x = x * mask.unsqueeze(-1)
            x = self.mlp_attn(x)
        x, hidden_states = self.rnn(x, hidden_states)
        return x, hidden_states


class EncoderDecoder(nn.Module):
    def __init__(self, vocabulary_size=30522, embedding_size=256, hidden_size=256, dropout=0.0, encoder_only=False, attn=None):
        super(EncoderDecoder, self).__init__()
        self.encoder_only = encoder_only
        self.encoder = Encoder(vocabulary_size, embedding_size, hidden_size, dropout=dropout)
        if not encoder_only:
            self.decoder = DecoderAttn(hidden_size * 2, hidden_size, attn=attn)

    def forward(self, inputs, mask=None):
        hidden_states = self.encoder.initial_states(inputs.shape[0])
        x, hidden_states = self.encoder(inputs, hidden_states)
        if self.encoder_only:
            return x[:, 0], hidden_states
        hidden_states = (hidden_states[0][0][None], hidden_states[1][0][None])
        x, hidden_states = self.decoder(x, hidden_states, mask)
        return x[:, 0], hidden_states
