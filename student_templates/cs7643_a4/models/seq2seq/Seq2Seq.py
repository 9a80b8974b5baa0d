"""Encoder and decoder put together into a greedy translator (handout, question 3).

Sutskever et al., "Sequence to sequence learning with neural networks" (2014).
"""

import torch
import torch.nn as nn


class Seq2Seq(nn.Module):
    """Translates by feeding each predicted word back into the decoder; `attention` lets the decoder look back."""

    def __init__(self, encoder, decoder, device, attention=False):
        super().__init__()
        self.device = device
        self.attention = attention
        # Keep the encoder and the decoder, both moved to the device.
        raise NotImplementedError("Seq2Seq.__init__")

    def forward(self, source, out_seq_len=None):
        """Translate a batch.

        source: (B, T) word indices, each row starting with <sos>; `out_seq_len` steps to write, T if None.
        Returns (B, steps, output_size): the decoder's log-probabilities, those of step t at index t.
        """
        # The decoder starts from the encoder's last state and the first word of the source. From then on it reads
        # its own most likely word (no teacher forcing).
        raise NotImplementedError("Seq2Seq.forward")
