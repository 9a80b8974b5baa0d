import random

import torch
import torch.nn as nn
import torch.optim as optim


class Decoder(nn.Module):
    def __init__(self, emb_size, encoder_hidden_size, decoder_hidden_size, output_size, dropout=0.2, model_type="RNN"):
        super().__init__()
        self.emb_size = emb_size
        self.encoder_hidden_size = encoder_hidden_size
        self.decoder_hidden_size = decoder_hidden_size
        self.output_size = output_size
        self.model_type = model_type
        self.words = nn.Embedding(output_size, emb_size)
        kind = nn.LSTM if model_type == "LSTM" else nn.RNN
        self.unit = kind(emb_size, decoder_hidden_size, batch_first=True)
        self.scores = nn.Sequential(nn.Linear(decoder_hidden_size, output_size), nn.LogSoftmax(dim=-1))
        self.drop = nn.Dropout(dropout)

    def compute_attention(self, hidden, encoder_outputs):
        q = hidden[0]
        dots = torch.einsum("nh,nth->nt", q, encoder_outputs)
        norms = q.norm(dim=1, keepdim=True) * encoder_outputs.norm(dim=2)
        return (dots / norms).softmax(1)[:, None, :]

    def forward(self, input, hidden, encoder_outputs=None, attention=False):
        x = self.drop(self.words(input))
        if attention:
            if self.model_type == "LSTM":
                h, c = hidden
                ah = self.compute_attention(h, encoder_outputs)
                ac = self.compute_attention(c, encoder_outputs)
                hidden = (
                    torch.einsum("nkt,nth->knh", ah, encoder_outputs).contiguous(),
                    torch.einsum("nkt,nth->knh", ac, encoder_outputs).contiguous(),
                )
            else:
                a = self.compute_attention(hidden, encoder_outputs)
                hidden = torch.einsum("nkt,nth->knh", a, encoder_outputs).contiguous()
        out, hidden = self.unit(x, hidden)
        return self.scores(out.squeeze(1)), hidden
