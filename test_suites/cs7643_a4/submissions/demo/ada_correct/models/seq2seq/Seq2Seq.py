import random

import torch
import torch.nn as nn
import torch.optim as optim


class Seq2Seq(nn.Module):
    def __init__(self, encoder, decoder, device, attention=False):
        super().__init__()
        self.device = device
        self.attention = attention
        self.enc = encoder.to(self.device)
        self.dec = decoder.to(self.device)

    def forward(self, source, out_seq_len=None):
        batch_size = source.shape[0]
        seq_len = source.shape[1] if out_seq_len is None else out_seq_len
        outputs = torch.zeros(batch_size, seq_len, self.dec.output_size).to(self.device)
        enc_out, hidden = self.enc(source)
        prev = source[:, 0].unsqueeze(1)
        for t in range(seq_len):
            if self.attention:
                out, hidden = self.dec(prev, hidden, encoder_outputs=enc_out, attention=True)
            else:
                out, hidden = self.dec(prev, hidden)
            outputs[:, t, :] = out
            prev = torch.max(out, 1)[1].unsqueeze(1)
        return outputs
