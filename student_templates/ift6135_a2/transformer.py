"""Question 2: layer normalisation, multi-head attention with a padding mask, and a small Transformer encoder.

Shapes are written at the ends of lines: B sequences in a batch, T positions, m heads of size d, E = m * d.
A padding mask is (B, T) with 1 for a token and 0 for padding.

References: J. Ba et al., Layer Normalization, 2016; A. Vaswani et al., Attention Is All You Need, 2017;
R. Xiong et al., On Layer Normalization in the Transformer Architecture, 2020.
"""


import torch
import torch.nn as nn


class LayerNorm(nn.Module):
    """Layer normalisation over the last axis, question 2.1. `nn.LayerNorm` and `torch.layer_norm` may not be used."""

    def __init__(self, hidden_size, eps=1e-5):
        super().__init__()
        self.hidden_size = hidden_size
        self.eps = eps
        self.weight = nn.Parameter(torch.empty(hidden_size))
        self.bias = nn.Parameter(torch.empty(hidden_size))
        self.reset_parameters()

    def forward(self, inputs):
        """Normalise, scale and shift. inputs: (*dims, hidden_size), any number of leading axes; same shape returned."""
        # Mind which estimate of the variance layer normalisation uses.
        raise NotImplementedError("LayerNorm.forward")

    def reset_parameters(self):
        """Start as a plain normalisation: weight one, bias zero."""
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)


class MultiHeadedAttention(nn.Module):
    """Self-attention with `num_heads` heads of `head_size`, questions 2.2 to 2.5.

    `nn.MultiheadAttention` and `multi_head_attention_forward` may not be used.
    """

    def __init__(self, head_size, num_heads, sequence_length=0):
        super().__init__()
        self.head_size = head_size
        self.num_heads = num_heads
        self.sequence_length = sequence_length
        # Question 2.5: create the affine projections that the equations need, in any form, with their biases.
        pass

    def get_attention_weights(self, queries, keys, mask=None):
        """Question 2.3: how much every position attends to every other.

        queries, keys: (B, m, T, d). mask: (B, T) or None. Returns (B, m, T, T); every row sums to one over the keys
        that are not padding, and padding gets the weight zero.
        """
        # The scores of padding have to be taken out before the softmax, not after it.
        raise NotImplementedError("MultiHeadedAttention.get_attention_weights")

    def apply_attention(self, queries, keys, values, mask=None):
        """Question 2.4: the attended values of all heads, side by side.

        queries, keys, values: (B, m, T, d). mask: (B, T) or None. Returns (B, T, m * d).
        """
        raise NotImplementedError("MultiHeadedAttention.apply_attention")

    def split_heads(self, tensor):
        """Question 2.2: (B, T, m * n) -> (B, m, T, n). Head i is the i-th chunk of n neighbours, for any n."""
        raise NotImplementedError("MultiHeadedAttention.split_heads")

    def merge_heads(self, tensor):
        """Question 2.2: (B, m, T, n) -> (B, T, m * n), the inverse of `split_heads`."""
        raise NotImplementedError("MultiHeadedAttention.merge_heads")

    def forward(self, hidden_states, mask=None):
        """Question 2.5: project, attend, project back.

        hidden_states: (B, T, m * d). mask: (B, T) or None. Returns (B, T, m * d).
        """
        # Queries, keys and values are affine functions of the same hidden states.
        raise NotImplementedError("MultiHeadedAttention.forward")


class PostNormAttentionBlock(nn.Module):
    """Attention and feed-forward network, each followed by residual sum and normalisation. Given."""

    def __init__(self, embed_dim, hidden_dim, num_heads, sequence_length, dropout=0.30):
        super().__init__()
        self.layer_norm_1 = LayerNorm(embed_dim)
        self.attn = MultiHeadedAttention(embed_dim // num_heads, num_heads, sequence_length)
        self.layer_norm_2 = LayerNorm(embed_dim)
        self.linear = nn.Sequential(
            nn.Linear(embed_dim, hidden_dim),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, embed_dim),
            nn.Dropout(dropout),
        )

    def forward(self, x, mask=None):
        """x: (B, T, E). mask: (B, T) or None. Returns (B, T, E)."""
        x = self.layer_norm_1(x + self.attn(x, mask))
        return self.layer_norm_2(x + self.linear(x))


class PreNormAttentionBlock(nn.Module):
    """The same block with the normalisation first in each branch, question 2.6. See figure 4 of the handout."""

    def __init__(self, embed_dim, hidden_dim, num_heads, sequence_length, dropout=0.0):
        super().__init__()
        self.layer_norm_1 = LayerNorm(embed_dim)
        self.attn = MultiHeadedAttention(embed_dim // num_heads, num_heads, sequence_length)
        self.layer_norm_2 = LayerNorm(embed_dim)
        self.linear = nn.Sequential(
            nn.Linear(embed_dim, hidden_dim),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_dim, embed_dim),
            nn.Dropout(dropout),
        )

    def forward(self, x, mask=None):
        """x: (B, T, E). mask: (B, T) or None. Returns (B, T, E)."""
        raise NotImplementedError("PreNormAttentionBlock.forward")


class Transformer(nn.Module):
    """Token and position embeddings, a learnt CLS token in front, and a stack of blocks, question 2.7."""

    def __init__(
        self,
        vocabulary_size=30522,
        embed_dim=256,
        hidden_dim=256,
        num_heads=1,
        num_layers=2,
        block="prenorm",
        dropout=0.3,
    ):
        super().__init__()
        self.sequence_length = 1 + 256  # the CLS token and the tokens of a review

        kind = PreNormAttentionBlock if block == "prenorm" else PostNormAttentionBlock
        self.embedding = nn.Embedding(vocabulary_size, embed_dim)
        self.transformer = nn.ModuleList(
            kind(embed_dim, hidden_dim, num_heads, self.sequence_length, dropout=dropout) for _ in range(num_layers)
        )
        self.mlp_head = nn.Sequential(nn.LayerNorm(embed_dim))
        self.dropout = nn.Dropout(dropout)

        self.cls_token = nn.Parameter(torch.randn(1, 1, embed_dim))
        self.pos_embedding = nn.Parameter(torch.randn(1, self.sequence_length, embed_dim))

    def forward(self, x, mask=None):
        """A feature vector for each sequence.

        x: token indices (B, T). mask: (B, T), or (B, T + 1) when the caller has put the column of the CLS token in
        front, or None. Returns (B, E).
        """
        tokens = self.embedding(x)  # (B, T, E)
        batch, length, _ = tokens.shape
        tokens = torch.cat([self.cls_token.expand(batch, -1, -1), tokens], dim=1)  # (B, T + 1, E)
        tokens = tokens + self.pos_embedding[:, : length + 1]

        # Apply dropout and then every block. The CLS token is never padding, so the mask needs a column for it.
        raise NotImplementedError("Transformer.forward")

        # The sequence is represented by its CLS token, which goes through the head.
        raise NotImplementedError("Transformer.forward")
