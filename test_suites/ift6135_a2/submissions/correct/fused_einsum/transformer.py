# One fused projection whose rows are grouped by head (queries, keys and values of head 0 first), and einsum throughout.
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
        self.qkv_proj = nn.Linear(num_heads * head_size, 3 * num_heads * head_size)
        self.o_proj = nn.Linear(num_heads * head_size, num_heads * head_size)

    def get_attention_weights(self, queries, keys, mask=None):
        logits = torch.einsum("bhqd,bhkd->bhqk", queries, keys) * self.head_size ** -0.5
        if mask is not None:
            logits = logits.masked_fill(~mask.bool()[:, None, None], -1e9)
        return logits.softmax(-1)

    def apply_attention(self, queries, keys, values, mask=None):
        return self.merge_heads(torch.einsum("bhqk,bhkd->bhqd", self.get_attention_weights(queries, keys, mask), values))

    def split_heads(self, tensor):
        b, t, n = tensor.shape
        return tensor.view(b, t, self.num_heads, n // self.num_heads).permute(0, 2, 1, 3)

    def merge_heads(self, tensor):
        b, h, t, d = tensor.shape
        return tensor.permute(0, 2, 1, 3).reshape(b, t, h * d)

    def forward(self, hidden_states, mask=None):
        # Every head's chunk holds its query, key and value, so the split gives them together.
        q, k, v = self.split_heads(self.qkv_proj(hidden_states)).chunk(3, dim=-1)
        return self.o_proj(self.apply_attention(q, k, v, mask))


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
            missing = x.shape[1] - mask.shape[1]
            mask = torch.nn.functional.pad(mask, (missing, 0), value=1)
        for block in self.transformer:
            x = block(x, mask)
        return self.mlp_head(x[:, 0, :])
