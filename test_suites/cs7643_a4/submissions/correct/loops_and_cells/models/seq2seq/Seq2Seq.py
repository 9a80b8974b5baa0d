import torch
import torch.nn as nn


class Seq2Seq(nn.Module):
    def __init__(self, encoder, decoder, device, attention=False):
        super().__init__()
        self.device = device
        self.attention = attention
        self.encoder = encoder.to(device)
        self.decoder = decoder.to(device)

    def forward(self, source, out_seq_len=None):
        encoded, state = self.encoder(source)
        outputs = None
        for t in range(source.size(1)):
            if t == 0:
                token = source[:, 0:1]
            else:
                _, token = outputs[:, t - 1].topk(1, dim=1)
            output, state = self.decoder(token, state, encoded, self.attention)
            output = output.unsqueeze(1)
            outputs = output if outputs is None else torch.cat((outputs, output), dim=1)
        return outputs
