# The pairs are taken apart by hand, and the outputs are written into a tensor made beforehand.
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

    def forward(self, inputs, hidden_states):
        h, c = hidden_states[0].squeeze(0), hidden_states[1].squeeze(0)
        B, T, _ = inputs.shape
        out = torch.zeros(B, T, self.hidden_size)
        for t in range(T):
            x = inputs[:, t, :]
            i = 1 / (1 + torch.exp(-(F.linear(x, self.w_ii, self.b_ii) + F.linear(h, self.w_hi, self.b_hi))))
            f = torch.sigmoid(F.linear(x, self.w_if, self.b_if) + F.linear(h, self.w_hf, self.b_hf))
            g = torch.tanh(F.linear(x, self.w_ig, self.b_ig) + F.linear(h, self.w_hg, self.b_hg))
            o = torch.sigmoid(F.linear(x, self.w_io, self.b_io) + F.linear(h, self.w_ho, self.b_ho))
            c = torch.mul(f, c) + torch.mul(i, g)
            h = torch.mul(o, torch.tanh(c))
            out[:, t, :] = h
        return out, (h.unsqueeze(0), c.unsqueeze(0))


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
