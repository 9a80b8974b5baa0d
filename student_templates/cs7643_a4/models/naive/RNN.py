"""One step of a vanilla recurrent network, built from linear layers (handout, question 2.1).

Elman, "Finding structure in time" (1990), with one difference: the output looks at the *previous* hidden state.
"""

import torch
import torch.nn as nn


class VanillaRNN(nn.Module):
    """Reads one time step and the previous hidden state, returns log-probabilities and the new hidden state.

    Arguments: `input_size` features per step, `hidden_size` features of the state, `output_size` classes.
    """

    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.output_size = output_size

        # Build, in this order: a linear layer that makes the new hidden state from input and previous hidden state
        # together, and one of the same inputs that makes the output. Then the two activations. The names are yours.
        raise NotImplementedError("VanillaRNN.__init__")

    def forward(self, input, hidden):
        """One step.

        input: (B, input_size); hidden: (B, hidden_size), the state before this step.
        Returns `(output, hidden)`: log-probabilities (B, output_size) and the state after this step (B, hidden_size).
        """
        # Both linear layers read the input and the state that came in, side by side, the input first.
        raise NotImplementedError("VanillaRNN.forward")
