"""The encoder of the translator: reads the source sentence (handout, question 3).

Cho et al., "Learning phrase representations using RNN encoder-decoder" (2014).
"""

import torch
import torch.nn as nn


class Encoder(nn.Module):
    """Embedding, one recurrent layer, and a small network that turns its last state into the decoder's first one.

    Arguments: `input_size` words of the source vocabulary, `emb_size`, the two hidden sizes, `dropout` of the
    embedding, `model_type` "RNN" or "LSTM".
    """

    def __init__(self, input_size, emb_size, encoder_hidden_size, decoder_hidden_size, dropout=0.2, model_type="RNN"):
        super().__init__()
        self.input_size = input_size
        self.emb_size = emb_size
        self.encoder_hidden_size = encoder_hidden_size
        self.decoder_hidden_size = decoder_hidden_size
        self.model_type = model_type

        # Build, in this order: an embedding; nn.RNN or nn.LSTM as `model_type` says (one layer, one direction,
        # batch first); a linear layer that keeps the encoder's hidden size and one that maps to the decoder's, with
        # a ReLU between them; a dropout layer. The names are yours.
        raise NotImplementedError("Encoder.__init__")

    def forward(self, input):
        """Encode a batch of source sentences.

        input: (B, T) word indices. Returns `(output, hidden)`: the recurrent outputs (B, T, encoder_hidden_size) and
        the decoder's first state: (1, B, decoder_hidden_size), or for an LSTM the pair `(h, c)` where the cell state
        c (1, B, encoder_hidden_size) stays as the LSTM left it.
        """
        # Dropout acts on the embedded words. Only the hidden state goes through the two linear layers and a tanh.
        raise NotImplementedError("Encoder.forward")

