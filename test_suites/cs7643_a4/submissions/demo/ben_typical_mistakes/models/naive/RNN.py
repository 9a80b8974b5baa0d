import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class VanillaRNN(nn.Module):
    def __init__(self, input_size, hidden_size, output_size):
        super(VanillaRNN, self).__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.output_size = output_size
        # declared in the other order
        self.h2o = nn.Linear(hidden_size + input_size, output_size)
        self.h2h = nn.Linear(hidden_size + input_size, hidden_size)

    def forward(self, input, hidden):
        z = torch.cat([input, hidden], -1)
        return F.softmax(self.h2o(z), -1), F.tanh(self.h2h(z))
