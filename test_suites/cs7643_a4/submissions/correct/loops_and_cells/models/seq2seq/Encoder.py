import torch
import torch.nn as nn


class Encoder(nn.Module):
    """Reads time first inside."""

    def __init__(self, input_size, emb_size, encoder_hidden_size, decoder_hidden_size, dropout=0.2, model_type="RNN"):
        super().__init__()
        self.input_size = input_size
        self.emb_size = emb_size
        self.encoder_hidden_size = encoder_hidden_size
        self.decoder_hidden_size = decoder_hidden_size
        self.model_type = model_type
        self.embed = nn.Embedding(input_size, emb_size)
        self.rnn = nn.RNN(emb_size, encoder_hidden_size)
        self.lstm = nn.LSTM(emb_size, encoder_hidden_size)
        self.linear1 = nn.Linear(encoder_hidden_size, encoder_hidden_size)
        self.linear2 = nn.Linear(encoder_hidden_size, decoder_hidden_size)
        self.drop = nn.Dropout(dropout)

    def forward(self, input):
        x = self.drop(self.embed(input)).permute(1, 0, 2)
        if self.model_type == "LSTM":
            output, (h, c) = self.lstm(x)
        else:
            output, h = self.rnn(x)
        h = self.linear1(h)
        h = h * (h > 0)
        h = torch.tanh(self.linear2(h))
        return output.permute(1, 0, 2), ((h, c) if self.model_type == "LSTM" else h)
