import random

import torch
import torch.nn as nn
import torch.optim as optim


class Seq2Seq(nn.Module):
    def __init__(self, encoder, decoder, device):
        super(Seq2Seq, self).__init__()
        self.device = device
        self.encoder = encoder.to(device)
        self.decoder = decoder.to(device)

    def forward(self, source):
        encoder_outputs, hidden = self.encoder(source)
        word = source[:, 0].view(-1, 1)
        outputs = []
        for _ in range(source.shape[1]):
            output, hidden = self.decoder(word, hidden, encoder_outputs)
            outputs.append(output)
            word = output.argmax(-1).view(-1, 1)
        return torch.stack(outputs, 1)
