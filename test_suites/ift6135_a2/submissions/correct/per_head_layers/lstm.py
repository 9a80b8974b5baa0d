# Recursion instead of a loop, and two one-way nn.LSTM layers in the encoder.
import torch
import torch.nn as nn


class LSTM(nn.Module):
    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        for source, width in (("i", input_size), ("h", hidden_size)):
            for gate in "ifgo":
                self.register_parameter(f"w_{source}{gate}", nn.Parameter(torch.empty(hidden_size, width)))
            for gate in "ifgo":
                self.register_parameter(f"b_{source}{gate}", nn.Parameter(torch.empty(hidden_size)))
        for p in self.parameters():
            nn.init.uniform_(p, -((1 / hidden_size) ** 0.5), (1 / hidden_size) ** 0.5)

    def forward(self, inputs, hidden_states):
        h, c = hidden_states
        p = dict(self.named_parameters())
        pre = [
            inputs[:, 0] @ p[f"w_i{k}"].T + h[0] @ p[f"w_h{k}"].T + p[f"b_i{k}"] + p[f"b_h{k}"] for k in "ifgo"
        ]
        c = (pre[1].sigmoid() * c[0] + pre[0].sigmoid() * pre[2].tanh())[None]
        h = pre[3].sigmoid() * c.tanh()
        first = h.transpose(0, 1)
        if inputs.shape[1] == 1:
            return first, (h, c)
        rest, last = self.forward(inputs[:, 1:], (h, c))
        return torch.cat([first, rest], dim=1), last


class Encoder(nn.Module):
    def __init__(self, vocabulary_size=30522, embedding_size=256, hidden_size=256, dropout=0.0):
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.embedding_size = embedding_size
        self.hidden_size = hidden_size
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=0)
        self.dropout = nn.Dropout(p=dropout)
        self.forward_rnn = nn.LSTM(embedding_size, hidden_size, batch_first=True)
        self.backward_rnn = nn.LSTM(embedding_size, hidden_size, batch_first=True)

    def forward(self, inputs, hidden_states):
        x = self.dropout(self.embedding(inputs))
        h, c = hidden_states
        there, (h_there, c_there) = self.forward_rnn(x, (h[:1].contiguous(), c[:1].contiguous()))
        back, (h_back, c_back) = self.backward_rnn(x.flip(1), (h[1:].contiguous(), c[1:].contiguous()))
        out = torch.cat([there, back.flip(1)], dim=-1)
        return out, (torch.cat([h_there, h_back]), torch.cat([c_there, c_back]))

    def initial_states(self, batch_size, device=None):
        if device is None:
            device = next(self.parameters()).device
        return tuple(torch.zeros(2, batch_size, self.hidden_size, device=device) for _ in range(2))


class DecoderAttn(nn.Module):
    def __init__(self, input_size=512, hidden_size=256, attn=None):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.rnn = nn.LSTM(input_size=input_size, hidden_size=hidden_size, batch_first=True)
        self.mlp_attn = attn

    def forward(self, inputs, hidden_states, mask=None):
        # Both readings together: padded features are blanked, and the attention gets the mask too.
        if self.mlp_attn is None:
            return self.rnn(inputs, hidden_states)
        if mask is not None:
            inputs = inputs.masked_fill(mask[..., None] == 0, 0.0)
        return self.rnn(self.mlp_attn.forward(inputs, mask), hidden_states)


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
