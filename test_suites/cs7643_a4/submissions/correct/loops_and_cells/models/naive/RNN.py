import torch
import torch.nn as nn


class VanillaRNN(nn.Module):
    """Separate layers for the input and for the state."""

    def __init__(self, input_size, hidden_size, output_size):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.output_size = output_size
        self.x_to_h = nn.Linear(input_size, hidden_size)
        self.h_to_h = nn.Linear(hidden_size, hidden_size)
        self.x_to_o = nn.Linear(input_size, output_size)
        self.h_to_o = nn.Linear(hidden_size, output_size, bias=False)

    def forward(self, input, hidden):
        score = self.x_to_o(input) + self.h_to_o(hidden)
        output = score - score.exp().sum(dim=1, keepdim=True).log()
        return output, torch.tanh(self.x_to_h(input) + self.h_to_h(hidden))
