"""A long short-term memory layer from bare parameters (handout, question 2.2).

Hochreiter and Schmidhuber (1997), with the forget gate of Gers et al. (2000). One set of weights per gate:

    i = sigmoid(x W_ii + b_ii + h W_hi + b_hi)        input gate: what to write
    f = sigmoid(x W_if + b_if + h W_hf + b_hf)        forget gate: what to keep
    g = tanh   (x W_ig + b_ig + h W_hg + b_hg)        cell gate: what could be written
    o = sigmoid(x W_io + b_io + h W_ho + b_ho)        output gate: what to show
    c' = f * c + i * g          h' = o * tanh(c')
"""

import torch
import torch.nn as nn


class LSTM(nn.Module):
    """Reads a batch of sequences and returns the last hidden state and the last cell state."""

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size

        # Declare the weights as nn.Parameter, in the order of the equations: input gate, forget gate, cell gate,
        # output gate, and within a gate the weight and bias of the input before those of the hidden state.
        # Shapes: (input_size, hidden_size) and (hidden_size, hidden_size), biases (hidden_size,).
        raise NotImplementedError("LSTM.__init__")

        self.init_hidden()

    def init_hidden(self):
        """Give every matrix Xavier-uniform values and every bias zeros."""
        for parameter in self.parameters():
            if parameter.dim() >= 2:
                nn.init.xavier_uniform_(parameter)
            else:
                nn.init.zeros_(parameter)

    def forward(self, x):
        """Run over the whole sequence, starting from a zero state.

        x: (B, T, input_size). Returns `(h_T, c_T)`, each (B, hidden_size): the state after the last step only.
        """
        # The state belongs to the sequences of this call: one row per sequence, zeros before the first step.
        raise NotImplementedError("LSTM.forward")
