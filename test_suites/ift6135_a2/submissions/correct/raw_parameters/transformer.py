# Raw parameters multiplied from the right, declared in the order query, value, key; the caller prepends the CLS mask.
import math

import torch
import torch.nn as nn


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
    def __init__(self, head_size, num_heads, sequence_length):
        super(MultiHeadedAttention, self).__init__()
        self.head_size = head_size
        self.num_heads = num_heads
        self.sequence_length = sequence_length
        total = head_size * num_heads
        self.W_Q = nn.Parameter(torch.empty(total, total))
        self.W_V = nn.Parameter(torch.empty(total, total))
        self.W_K = nn.Parameter(torch.empty(total, total))
        self.b_Q = nn.Parameter(torch.empty(total))
        self.b_V = nn.Parameter(torch.empty(total))
        self.b_K = nn.Parameter(torch.empty(total))
        self.W_Y = nn.Parameter(torch.empty(total, total))
        self.b_Y = nn.Parameter(torch.empty(total))
        for weight in (self.W_Q, self.W_V, self.W_K, self.W_Y):
            nn.init.xavier_uniform_(weight)
        for bias in (self.b_Q, self.b_V, self.b_K, self.b_Y):
            nn.init.zeros_(bias)
        self.softmax = nn.Softmax(dim=-1)

    def get_attention_weights(self, queries, keys, mask=None):
        scores = torch.matmul(queries, keys.transpose(-1, -2)) / math.sqrt(self.head_size)
        if mask is not None:
            wide = mask.view(mask.shape[0], 1, 1, mask.shape[1]).expand(-1, self.num_heads, scores.shape[2], -1)
            scores.masked_fill_(wide == 0, torch.finfo(scores.dtype).min)
        return self.softmax(scores)

    def apply_attention(self, queries, keys, values, mask=None):
        return self.merge_heads(self.get_attention_weights(queries, keys, mask).matmul(values))

    def split_heads(self, tensor):
        B, T = tensor.shape[0], tensor.shape[1]
        return tensor.reshape(shape=[B, T, self.num_heads, -1]).transpose(1, 2)

    def merge_heads(self, tensor):
        return tensor.transpose(1, 2).contiguous().view(tensor.shape[0], tensor.shape[2], -1)

    def forward(self, hidden_states, mask=None):
        q = self.split_heads(hidden_states @ self.W_Q + self.b_Q)
        k = self.split_heads(hidden_states @ self.W_K + self.b_K)
        v = self.split_heads(hidden_states @ self.W_V + self.b_V)
        return self.apply_attention(q, k, v, mask) @ self.W_Y + self.b_Y


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
