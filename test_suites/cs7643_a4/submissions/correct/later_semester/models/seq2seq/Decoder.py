import random

import torch
import torch.nn as nn
import torch.optim as optim


class Decoder(nn.Module):
    # Fall 2024: the context joins the embedding, the state is left alone
    def __init__(self, emb_size, encoder_hidden_size, decoder_hidden_size, output_size, dropout=0.2, model_type="RNN",
                 attention=False):
        super(Decoder, self).__init__()
        self.emb_size = emb_size
        self.encoder_hidden_size = encoder_hidden_size
        self.decoder_hidden_size = decoder_hidden_size
        self.output_size = output_size
        self.model_type = model_type
        self.attention = attention
        self.embedding = nn.Embedding(output_size, emb_size)
        if model_type == "RNN":
            self.recurrent = nn.RNN(emb_size, decoder_hidden_size, batch_first=True)
        else:
            self.recurrent = nn.LSTM(emb_size, decoder_hidden_size, batch_first=True)
        self.linear = nn.Linear(decoder_hidden_size, output_size)
        self.log_softmax = nn.LogSoftmax(dim=1)
        self.dropout = nn.Dropout(dropout)
        if attention:
            self.combine = nn.Linear(encoder_hidden_size + emb_size, emb_size)

    def compute_attention(self, hidden, encoder_outputs):
        similarity = torch.cosine_similarity(hidden.permute(1, 0, 2), encoder_outputs, dim=-1)
        return torch.softmax(similarity, -1).unsqueeze(1)

    def forward(self, input, hidden, encoder_outputs=None):
        embedded = self.dropout(self.embedding(input))
        if self.attention:
            query = hidden[0] if self.model_type == "LSTM" else hidden
            weights = self.compute_attention(query, encoder_outputs)
            context = torch.bmm(weights, encoder_outputs)
            embedded = self.combine(torch.cat((context, embedded), dim=2))
        output, hidden = self.recurrent(embedded, hidden)
        return self.log_softmax(self.linear(output[:, 0, :])), hidden
