# A small layer for every head and role; masked scores get a large number subtracted.
import torch
import torch.nn as nn


class LayerNorm(nn.Module):
    def __init__(self, hidden_size, eps=1e-5):
        super().__init__()
        self.hidden_size = hidden_size
        self.eps = eps
        self.weight = nn.Parameter(torch.Tensor(hidden_size))
        self.bias = nn.Parameter(torch.Tensor(hidden_size))
        self.reset_parameters()

    def forward(self, inputs):
        centred = inputs - inputs.mean(-1, keepdim=True)
        scale = torch.rsqrt(centred.pow(2).mean(-1, keepdim=True) + self.eps)
        return torch.einsum("...h,h->...h", centred * scale, self.weight) + self.bias

    def reset_parameters(self):
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)


class MultiHeadedAttention(nn.Module):
    def __init__(self, head_size, num_heads, sequence_length=0):
        super().__init__()
        self.head_size = head_size
        self.num_heads = num_heads
        size = head_size * num_heads
        self.heads = nn.ModuleList(
            [nn.ModuleDict({name: nn.Linear(size, head_size) for name in ("query", "key", "value")}) for _ in range(num_heads)]
        )
        self.out = nn.Linear(size, size)

    def get_attention_weights(self, queries, keys, mask=None):
        scores = queries @ keys.transpose(2, 3) / self.head_size**0.5
        if mask is not None:
            scores = scores - 1e4 * (1 - mask.to(scores.dtype))[:, None, None, :]
        scores = scores - scores.max(dim=-1, keepdim=True).values
        return scores.exp() / scores.exp().sum(dim=-1, keepdim=True)

    def apply_attention(self, queries, keys, values, mask=None):
        attended = self.get_attention_weights(queries, keys, mask) @ values
        return torch.cat(attended.unbind(dim=1), dim=-1)

    def split_heads(self, tensor):
        return torch.stack(tensor.chunk(self.num_heads, dim=-1), dim=1)

    def merge_heads(self, tensor):
        return torch.cat(tensor.unbind(dim=1), dim=-1)

    def forward(self, hidden_states, mask=None):
        q, k, v = (torch.stack([head[name](hidden_states) for head in self.heads], dim=1) for name in ("query", "key", "value"))
        return self.out(self.apply_attention(q, k, v, mask))


class PostNormAttentionBlock(nn.Module):
    def __init__(self, embed_dim, hidden_dim, num_heads, sequence_length, dropout=0.30):
        super().__init__()
        self.layer_norm_1 = LayerNorm(embed_dim)
        self.attn = MultiHeadedAttention(embed_dim // num_heads, num_heads, sequence_length)
        self.layer_norm_2 = LayerNorm(embed_dim)
        self.linear = nn.Sequential(
            nn.Linear(embed_dim, hidden_dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden_dim, embed_dim), nn.Dropout(dropout)
        )

    def forward(self, x, mask=None):
        y = self.layer_norm_1(x + self.attn(x, mask))
        return self.layer_norm_2(self.linear(y) + y)


class PreNormAttentionBlock(PostNormAttentionBlock):
    def __init__(self, embed_dim, hidden_dim, num_heads, sequence_length, dropout=0.0):
        super().__init__(embed_dim, hidden_dim, num_heads, sequence_length, dropout)

    def forward(self, x, mask=None):
        x = x + self.attn(self.layer_norm_1(x), mask=mask)
        return x + self.linear(self.layer_norm_2(x))


class Transformer(nn.Module):
    def __init__(self, vocabulary_size=30522, embed_dim=256, hidden_dim=256, num_heads=1, num_layers=2, block="prenorm", dropout=0.3):
        super().__init__()
        self.sequence_length = 1 + 256
        self.embedding = nn.Embedding(vocabulary_size, embed_dim)
        kind = PreNormAttentionBlock if block == "prenorm" else PostNormAttentionBlock
        self.transformer = nn.ModuleList(
            [kind(embed_dim, hidden_dim, num_heads, self.sequence_length, dropout=dropout) for _ in range(num_layers)]
        )
        self.mlp_head = nn.Sequential(nn.LayerNorm(embed_dim))
        self.dropout = nn.Dropout(dropout)
        self.cls_token = nn.Parameter(torch.randn(1, 1, embed_dim))
        self.pos_embedding = nn.Parameter(torch.randn(1, self.sequence_length, embed_dim))

    def forward(self, x, mask=None):
        x = self.embedding(x)
        B, T, _ = x.shape
        x = torch.cat([self.cls_token.repeat(B, 1, 1), x], dim=1)
        x = self.dropout(x + self.pos_embedding[:, : T + 1])
        if mask is not None:
            mask = torch.cat([torch.ones(B, 1, dtype=mask.dtype, device=mask.device), mask], dim=1)
        for block in self.transformer:
            x = block(x, mask=mask)
        return self.mlp_head(x[:, 0, :])
