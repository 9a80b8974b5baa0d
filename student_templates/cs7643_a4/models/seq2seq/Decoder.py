"""The decoder of the translator: writes one target word per call, with cosine attention if asked (handout, 3.1)."""

import torch
import torch.nn as nn


class Decoder(nn.Module):
    """Embedding, one recurrent layer, and a linear layer that scores the words of the target vocabulary.

    Arguments: `emb_size`, the two hidden sizes, `output_size` words of the target vocabulary, `dropout` of the
    embedding, `model_type` "RNN" or "LSTM".
    """

    def __init__(self, emb_size, encoder_hidden_size, decoder_hidden_size, output_size, dropout=0.2, model_type="RNN"):
        super().__init__()
        self.emb_size = emb_size
        self.encoder_hidden_size = encoder_hidden_size
        self.decoder_hidden_size = decoder_hidden_size
        self.output_size = output_size
        self.model_type = model_type

        # Build, in this order: an embedding of the target words; nn.RNN or nn.LSTM as `model_type` says (batch
        # first); a linear layer from the hidden size to the vocabulary, followed by a log-softmax; a dropout layer.
        # The names are yours.
        raise NotImplementedError("Decoder.__init__")

    def compute_attention(self, hidden, encoder_outputs):
        """How much each source position matters for the state `hidden`.

        hidden: (1, N, H); encoder_outputs: (N, T, H). Returns (N, 1, T): a softmax over the source positions of the
        cosine similarity between the state and each encoder output.
        """
        raise NotImplementedError("Decoder.compute_attention")

    def forward(self, input, hidden, encoder_outputs=None, attention=False):
        """Write one word.

        input: (N, 1) indices of the previous words; hidden: (1, N, decoder_hidden_size), for an LSTM `(h, c)`;
        encoder_outputs: (N, T, encoder_hidden_size), used if `attention`.
        Returns `(output, hidden)`: log-probabilities (N, output_size) and the new state.
        """
        # With attention the state is replaced, before the recurrent layer, by the encoder outputs weighted with
        # their attention. An LSTM's cell state is replaced as well, by a context with attention of its own.
        raise NotImplementedError("Decoder.forward")

