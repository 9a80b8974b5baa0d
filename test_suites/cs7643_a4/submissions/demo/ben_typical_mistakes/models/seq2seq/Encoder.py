import random

import torch
import torch.nn as nn
import torch.optim as optim


class Encoder(nn.Module):
    def __init__(self, input_size, emb_size, encoder_hidden_size, decoder_hidden_size, dropout=0.2, model_type="RNN"):
        super().__init__()
        self.input_size = input_size
        self.emb_size = emb_size
        self.encoder_hidden_size = encoder_hidden_size
        self.decoder_hidden_size = decoder_hidden_size
        self.model_type = model_type
        self.emb = nn.Sequential(nn.Embedding(input_size, emb_size), nn.Dropout(p=dropout))
        if model_type == "RNN":
            self.unit = nn.RNN(emb_size, encoder_hidden_size, 1, batch_first=True)
        elif model_type == "LSTM":
            self.unit = nn.LSTM(emb_size, encoder_hidden_size, 1, batch_first=True)
        self.head = nn.Sequential(
            nn.Linear(encoder_hidden_size, encoder_hidden_size),
            nn.ReLU(),
            nn.Linear(encoder_hidden_size, decoder_hidden_size),
            nn.Tanh(),
        )

    def forward(self, input):
        output, hidden = self.unit(self.emb(input))
        if isinstance(hidden, tuple):
            return output, (self.head(hidden[0]), self.head(hidden[1]))
        return output, self.head(hidden)
