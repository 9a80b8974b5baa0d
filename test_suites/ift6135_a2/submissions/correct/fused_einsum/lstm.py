# All gates at once: stacked weights, one matrix product per source, chunks for the gates.
import torch
import torch.nn as nn


class LSTM(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        for source, width in (("i", input_size), ("h", hidden_size)):
            for gate in "ifgo":
                setattr(self, f"w_{source}{gate}", nn.Parameter(torch.empty(hidden_size, width)))
            for gate in "ifgo":
                setattr(self, f"b_{source}{gate}", nn.Parameter(torch.empty(hidden_size)))
        for p in self.parameters():
            nn.init.uniform_(p, -((1 / hidden_size) ** 0.5), (1 / hidden_size) ** 0.5)

    def forward(self, inputs, hidden_states):
        w_x = torch.cat([self.w_ii, self.w_if, self.w_ig, self.w_io])
        w_h = torch.cat([self.w_hi, self.w_hf, self.w_hg, self.w_ho])
        b = torch.cat([self.b_ii + self.b_hi, self.b_if + self.b_hf, self.b_ig + self.b_hg, self.b_io + self.b_ho])
        from_inputs = torch.einsum("btd,gd->btg", inputs, w_x) + b
        h, c = hidden_states
        h, c = h.squeeze(0), c.squeeze(0)
        x = inputs.new_zeros(inputs.shape[0], inputs.shape[1], self.hidden_size)
        for t in range(inputs.shape[1]):
            i, f, g, o = (from_inputs[:, t] + h @ w_h.T).chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            x[:, t] = h
        return x, (h.unsqueeze(0), c.unsqueeze(0))


class Encoder(nn.Module):
    def __init__(self, vocabulary_size=30522, embedding_size=256, hidden_size=256, dropout=0.0):
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.embedding_size = embedding_size
        self.hidden_size = hidden_size
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=0)
        self.dropout = nn.Dropout(p=dropout)
        self.rnn = nn.LSTM(input_size=embedding_size, hidden_size=hidden_size, num_layers=1, batch_first=True, bidirectional=True)

    def forward(self, inputs, hidden_states):
        x = self.embedding(inputs)
        x = self.dropout(x)
        x, (h, c) = self.rnn(x, hidden_states)
        return x, (h, c)

    def initial_states(self, batch_size, device=None):
        if device is None:
            device = next(self.parameters()).device
        h_0 = torch.zeros((2, batch_size, self.hidden_size), dtype=torch.float, device=device)
        return (h_0, h_0)


class DecoderAttn(nn.Module):
    def __init__(self, input_size=512, hidden_size=256, attn=None):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.rnn = nn.LSTM(input_size=input_size, hidden_size=hidden_size, batch_first=True)
        self.mlp_attn = attn

    def forward(self, inputs, hidden_states, mask=None):
        if self.mlp_attn is not None:
            inputs = self.mlp_attn(inputs, mask=mask)
        return self.rnn(inputs, hidden_states)


class EncoderDecoder(nn.Module):
    def __init__(self, vocabulary_size=30522, embedding_size=256, hidden_size=256, dropout=0.0, encoder_only=False, attn=None):
        super().__init__()
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
