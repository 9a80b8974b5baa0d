"""Two translators built on attention (handout, question 4).

`TransformerTranslator`: one encoder layer from scratch, Vaswani et al., "Attention is all you need" (2017).
`FullTransformerTranslator`: encoder and decoder from PyTorch's own `nn.Transformer`, with greedy decoding.
"""

import random

import numpy as np
import torch
from torch import nn


def seed_torch(seed=0):
    """Seed every generator, so that equal calls build equal weights."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed(seed)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True


class TransformerTranslator(nn.Module):
    """One Transformer encoder layer with two heads that scores a target word at every source position.

    Arguments: the sizes of the two vocabularies, the device, the width `hidden_dim`, the width `dim_feedforward` of
    the inner layer, the widths of keys, values and queries per head, and the number of positions `max_length`.
    """

    def __init__(
        self,
        input_size,
        output_size,
        device,
        hidden_dim=128,
        num_heads=2,
        dim_feedforward=2048,
        dim_k=96,
        dim_v=96,
        dim_q=96,
        max_length=43,
    ):
        super().__init__()
        assert hidden_dim % num_heads == 0
        self.num_heads = num_heads
        self.word_embedding_dim = hidden_dim
        self.hidden_dim = hidden_dim
        self.dim_feedforward = dim_feedforward
        self.max_length = max_length
        self.input_size = input_size
        self.output_size = output_size
        self.device = device
        self.dim_k = dim_k
        self.dim_v = dim_v
        self.dim_q = dim_q

        seed_torch(0)

        # Deliverable 1: a learned embedding of the words and one of the positions, words first.
        self.embeddingL = None
        self.posembeddingL = None

        # Deliverable 2: everything is here. Head 1 uses k1, v1, q1; head 2 uses k2, v2, q2.
        self.k1 = nn.Linear(self.hidden_dim, self.dim_k)
        self.v1 = nn.Linear(self.hidden_dim, self.dim_v)
        self.q1 = nn.Linear(self.hidden_dim, self.dim_q)
        self.k2 = nn.Linear(self.hidden_dim, self.dim_k)
        self.v2 = nn.Linear(self.hidden_dim, self.dim_v)
        self.q2 = nn.Linear(self.hidden_dim, self.dim_q)
        self.softmax = nn.Softmax(dim=2)
        self.attention_head_projection = nn.Linear(self.dim_v * self.num_heads, self.hidden_dim)
        self.norm_mh = nn.LayerNorm(self.hidden_dim)

        # Deliverable 3: two linear layers, hidden_dim -> dim_feedforward -> hidden_dim, and a layer norm for this
        # sub-layer alone. The names are yours.

        # Deliverable 4: one linear layer that scores the words of the target vocabulary. The name is yours.

    def forward(self, inputs):
        """The whole model: word indices (N, T) in, scores (N, T, output_size) out."""
        # Use the four methods below, in the right order, and nothing else.
        raise NotImplementedError("TransformerTranslator.forward")

    def embed(self, inputs):
        """Deliverable 1. Word embedding plus position embedding: (N, T) indices -> (N, T, H)."""
        raise NotImplementedError("TransformerTranslator.embed")

    def multi_head_attention(self, inputs):
        """Deliverable 2. Two heads of scaled dot-product attention, residual and layer norm: (N, T, H) -> (N, T, H).

        softmax(Q K^T / sqrt(dim_k)) V per head; the heads side by side go through `attention_head_projection`;
        then LayerNorm(x + sublayer(x)).
        """
        raise NotImplementedError("TransformerTranslator.multi_head_attention")

    def feedforward_layer(self, inputs):
        """Deliverable 3. Two linear layers with a ReLU between, residual and layer norm: (N, T, H) -> (N, T, H)."""
        raise NotImplementedError("TransformerTranslator.feedforward_layer")

    def final_layer(self, inputs):
        """Deliverable 4. One score per target word, before any softmax: (N, T, H) -> (N, T, output_size)."""
        # The loss applies the softmax.
        raise NotImplementedError("TransformerTranslator.final_layer")


class FullTransformerTranslator(nn.Module):
    """Encoder and decoder from `nn.Transformer`; learned embeddings of words and positions on both sides.

    Arguments as above, and the number of layers on each side, `dropout`, and `ignore_index`, the index of <pad>.
    Special words: <unk> 0, <pad> 1, <sos> 2, <eos> 3.
    """

    def __init__(
        self,
        input_size,
        output_size,
        device,
        hidden_dim=128,
        num_heads=2,
        dim_feedforward=2048,
        num_layers_enc=2,
        num_layers_dec=2,
        dropout=0.2,
        max_length=43,
        ignore_index=1,
    ):
        super().__init__()
        assert hidden_dim % num_heads == 0
        self.num_heads = num_heads
        self.word_embedding_dim = hidden_dim
        self.hidden_dim = hidden_dim
        self.dim_feedforward = dim_feedforward
        self.num_layers_enc = num_layers_enc
        self.num_layers_dec = num_layers_dec
        self.dropout = dropout
        self.max_length = max_length
        self.input_size = input_size
        self.output_size = output_size
        self.device = device
        self.pad_idx = ignore_index

        seed_torch(0)

        # In this order: an nn.Transformer (batch first) with the sizes above; the embedding of the source words and
        # that of the target words; the embedding of the source positions and that of the target positions; a linear
        # layer that scores the target words. The names of the four embeddings are fixed, the other two are yours.
        self.srcembeddingL = None
        self.tgtembeddingL = None
        self.srcposembeddingL = None
        self.tgtposembeddingL = None

    def forward(self, src, tgt):
        """Teacher forcing: scores (N, T, output_size) of the words of `tgt` (N, T), given the source `src` (N, T).

        The decoder reads the target one step late, so that position t predicts word t from the words before it.
        """
        # The target must not see its future (causal mask), and <pad> must not be attended to (padding masks).
        # The first line is given: it moves the target one step to the right.
        tgt = self.add_start_token(tgt)
        raise NotImplementedError("FullTransformerTranslator.forward")

    def generate_translation(self, src):
        """Greedy decoding: source (N, T) in, the scores (N, T, output_size) of T predicted words out.

        Every step runs `forward` on what has been written so far and appends the most likely word.
        """
        # Start from scores of zero and a target of nothing but <pad>; the scores of step t stand at index t.
        raise NotImplementedError("FullTransformerTranslator.generate_translation")

    def add_start_token(self, batch_sequences, start_token=2):
        """Put <sos> before every row and drop the last word; rows that all begin with two <sos> stay as they are."""
        if bool((batch_sequences[:, :2] == start_token).all()):
            return batch_sequences
        shifted = torch.full_like(batch_sequences, start_token)
        shifted[:, 1:] = batch_sequences[:, :-1]
        return shifted
