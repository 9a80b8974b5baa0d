"""Question 1: an LSTM by hand, and a bidirectional encoder with an attentive decoder built on `nn.LSTM`.

Shapes are written at the ends of lines: B sequences in a batch, T time steps, D input width, E embedding width,
H hidden width. Batch comes first everywhere; states carry a leading axis with one entry per direction.

References: S. Hochreiter and J. Schmidhuber, Long Short-Term Memory, 1997; F. Gers et al., Learning to Forget, 2000;
M. Schuster and K. Paliwal, Bidirectional Recurrent Neural Networks, 1997.
"""

import torch
import torch.nn as nn


class LSTM(nn.Module):
    """One LSTM layer, question 1.1. `nn.LSTM` and `nn.LSTMCell` may not be used here.

    Gate x has the weights w_ix (H, D) for the input and w_hx (H, H) for the hidden state, with a bias each; x is
    i (input), f (forget), g (candidate) or o (output).
    """

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size

        self.w_ii = nn.Parameter(torch.empty(hidden_size, input_size))
        self.w_if = nn.Parameter(torch.empty(hidden_size, input_size))
        self.w_ig = nn.Parameter(torch.empty(hidden_size, input_size))
        self.w_io = nn.Parameter(torch.empty(hidden_size, input_size))

        self.b_ii = nn.Parameter(torch.empty(hidden_size))
        self.b_if = nn.Parameter(torch.empty(hidden_size))
        self.b_ig = nn.Parameter(torch.empty(hidden_size))
        self.b_io = nn.Parameter(torch.empty(hidden_size))

        self.w_hi = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.w_hf = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.w_hg = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.w_ho = nn.Parameter(torch.empty(hidden_size, hidden_size))

        self.b_hi = nn.Parameter(torch.empty(hidden_size))
        self.b_hf = nn.Parameter(torch.empty(hidden_size))
        self.b_hg = nn.Parameter(torch.empty(hidden_size))
        self.b_ho = nn.Parameter(torch.empty(hidden_size))

        bound = hidden_size**-0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, inputs, hidden_states):
        """Run over the whole sequence.

        inputs: (B, T, D). hidden_states: the pair (h, c) before the first step, each (1, B, H).
        Returns (x, (h, c)): the hidden state of every step, (B, T, H), and the pair after the last step, each
        (1, B, H).
        """
        # Go through the time steps in order, update (h, c) by the six equations of the handout, and keep every h.
        raise NotImplementedError("LSTM.forward")


class Encoder(nn.Module):
    """Embedding, dropout and one bidirectional LSTM layer, question 1.2. `nn.LSTM` has to be used."""

    def __init__(self, vocabulary_size=30522, embedding_size=256, hidden_size=256, dropout=0.0):
        super().__init__()
        self.vocabulary_size = vocabulary_size
        self.embedding_size = embedding_size
        self.hidden_size = hidden_size

        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=0)
        self.dropout = nn.Dropout(p=dropout)
        # Make `self.rnn` the nn.LSTM that the handout's figure shows: two directions, batch first.
        self.rnn = None

    def forward(self, inputs, hidden_states):
        """Read the tokens in both directions.

        inputs: token indices (B, T). hidden_states: the pair (h, c), each (2, B, H), forward direction first.
        Returns (x, (h, c)): the features of both directions side by side, (B, T, 2H), and the last states, each
        (2, B, H).
        """
        # Dropout belongs on the embedded tokens.
        raise NotImplementedError("Encoder.forward")

    def initial_states(self, batch_size, device=None):
        """The pair (h, c) of zeros, each (2, batch_size, H)."""
        if device is None:
            device = next(self.parameters()).device
        zeros = torch.zeros(2, batch_size, self.hidden_size, device=device)
        return zeros, zeros


class DecoderAttn(nn.Module):
    """One LSTM layer over the encoder's features, with or without self-attention before it, question 1.3.

    `attn` is None or a module called as `attn(features, mask)` that keeps the shape of its input: your own
    `MultiHeadedAttention` with one head.
    """

    def __init__(self, input_size=512, hidden_size=256, attn=None):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size

        self.rnn = nn.LSTM(input_size, hidden_size, batch_first=True)
        self.mlp_attn = attn

    def forward(self, inputs, hidden_states, mask=None):
        """Decode the encoder's features.

        inputs: (B, T, D). hidden_states: the pair (h, c), each (1, B, H). mask: (B, T), 1 for a token and 0 for
        padding, or None.
        Returns (x, (h, c)): (B, T, H) and the last states, each (1, B, H).
        """
        # With attention the LSTM reads the attended features, without it the features themselves.
        raise NotImplementedError("DecoderAttn.forward")


class EncoderDecoder(nn.Module):
    """Encoder and decoder joined for classification. Given: nothing has to be added here."""

    def __init__(
        self,
        vocabulary_size=30522,
        embedding_size=256,
        hidden_size=256,
        dropout=0.0,
        encoder_only=False,
        attn=None,
    ):
        super().__init__()
        self.encoder_only = encoder_only
        self.encoder = Encoder(vocabulary_size, embedding_size, hidden_size, dropout=dropout)
        if not encoder_only:
            self.decoder = DecoderAttn(2 * hidden_size, hidden_size, attn=attn)

    def forward(self, inputs, mask=None):
        """Features for a classifier.

        inputs: token indices (B, T). mask: (B, T), 1 for a token and 0 for padding, or None.
        Returns (x, (h, c)): the feature of the first position, (B, 2H) from the encoder alone and (B, H) from the
        decoder, and the last states of the network that produced it.
        """
        initial = self.encoder.initial_states(inputs.shape[0], inputs.device)
        x, hidden_states = self.encoder(inputs, initial)  # (B, T, 2H)
        if self.encoder_only:
            return x[:, 0], hidden_states
        forward_direction = tuple(state[:1] for state in hidden_states)  # (1, B, H) each
        x, hidden_states = self.decoder(x, forward_direction, mask)  # (B, T, H)
        return x[:, 0], hidden_states
