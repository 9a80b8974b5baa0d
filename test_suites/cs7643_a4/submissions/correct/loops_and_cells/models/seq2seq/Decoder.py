import torch
import torch.nn as nn


class Decoder(nn.Module):
    """The attention looks at one sentence and one position at a time."""

    def __init__(self, emb_size, encoder_hidden_size, decoder_hidden_size, output_size, dropout=0.2, model_type="RNN"):
        super().__init__()
        self.emb_size = emb_size
        self.encoder_hidden_size = encoder_hidden_size
        self.decoder_hidden_size = decoder_hidden_size
        self.output_size = output_size
        self.model_type = model_type
        self.embed = nn.Embedding(output_size, emb_size)
        self.rnn = (nn.LSTM if model_type == "LSTM" else nn.RNN)(emb_size, decoder_hidden_size)
        self.out = nn.Linear(decoder_hidden_size, output_size)
        self.cosine = nn.CosineSimilarity(dim=0)
        self.drop = nn.Dropout(dropout)

    def compute_attention(self, hidden, encoder_outputs):
        rows = []
        for n in range(encoder_outputs.shape[0]):
            scores = [self.cosine(hidden[0, n], encoder_outputs[n, t]) for t in range(encoder_outputs.shape[1])]
            weights = [score.exp() for score in scores]
            total = sum(weights)
            rows.append(torch.stack([weight / total for weight in weights]))
        return torch.stack(rows).unsqueeze(1)

    def look_back(self, state, encoder_outputs):
        weights = self.compute_attention(state, encoder_outputs)
        return (weights.transpose(1, 2) * encoder_outputs).sum(dim=1)[None]

    def forward(self, input, hidden, encoder_outputs=None, attention=False):
        if attention:
            if self.model_type == "RNN":
                hidden = self.look_back(hidden, encoder_outputs)
            else:
                hidden = (self.look_back(hidden[0], encoder_outputs), self.look_back(hidden[1], encoder_outputs))
        output, hidden = self.rnn(self.drop(self.embed(input)).transpose(0, 1), hidden)
        return torch.log_softmax(self.out(output[0]), dim=1), hidden
