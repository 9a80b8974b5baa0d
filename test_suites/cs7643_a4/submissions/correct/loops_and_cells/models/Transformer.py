import random

import numpy as np
import torch
from torch import nn


def seed_torch(seed=0):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


class TransformerTranslator(nn.Module):
    def __init__(self, input_size, output_size, device, hidden_dim=128, num_heads=2, dim_feedforward=2048, dim_k=96,
                 dim_v=96, dim_q=96, max_length=43):
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
        self.embeddingL = nn.Embedding(input_size, hidden_dim)
        self.posembeddingL = nn.Embedding(max_length, hidden_dim)
        self.k1 = nn.Linear(self.hidden_dim, self.dim_k)
        self.v1 = nn.Linear(self.hidden_dim, self.dim_v)
        self.q1 = nn.Linear(self.hidden_dim, self.dim_q)
        self.k2 = nn.Linear(self.hidden_dim, self.dim_k)
        self.v2 = nn.Linear(self.hidden_dim, self.dim_v)
        self.q2 = nn.Linear(self.hidden_dim, self.dim_q)
        self.softmax = nn.Softmax(dim=2)
        self.attention_head_projection = nn.Linear(self.dim_v * self.num_heads, self.hidden_dim)
        self.norm_mh = nn.LayerNorm(self.hidden_dim)
        self.linear_a = nn.Linear(hidden_dim, dim_feedforward)
        self.linear_b = nn.Linear(dim_feedforward, hidden_dim)
        self.layer_norm = nn.LayerNorm(hidden_dim)
        self.vocabulary = nn.Linear(hidden_dim, output_size)

    def forward(self, inputs):
        outputs = self.embed(inputs)
        outputs = self.multi_head_attention(outputs)
        outputs = self.feedforward_layer(outputs)
        outputs = self.final_layer(outputs)
        return outputs

    def embed(self, inputs):
        rows = []
        for sentence in inputs:
            rows.append(torch.stack([self.embeddingL(w) + self.posembeddingL.weight[p] for p, w in enumerate(sentence)]))
        return torch.stack(rows)

    def multi_head_attention(self, inputs):
        result = []
        for x in inputs:
            heads = []
            for k, v, q in ((self.k1, self.v1, self.q1), (self.k2, self.v2, self.q2)):
                keys, values, queries = k(x), v(x), q(x)
                mixed = []
                for query in queries:
                    scores = torch.stack([torch.dot(query, key) for key in keys]) / self.dim_k ** 0.5
                    weights = torch.softmax(scores, dim=0)
                    mixed.append(sum(weight * value for weight, value in zip(weights, values)))
                heads.append(torch.stack(mixed))
            result.append(self.norm_mh(x + self.attention_head_projection(torch.cat(heads, dim=1))))
        return torch.stack(result)

    def feedforward_layer(self, inputs):
        inner = self.linear_a(inputs)
        inner = torch.where(inner > 0, inner, torch.zeros_like(inner))
        return self.layer_norm(inputs + self.linear_b(inner))

    def final_layer(self, inputs):
        return self.vocabulary(inputs)


class FullTransformerTranslator(nn.Module):
    def __init__(self, input_size, output_size, device, hidden_dim=128, num_heads=2, dim_feedforward=2048,
                 num_layers_enc=2, num_layers_dec=2, dropout=0.2, max_length=43, ignore_index=1):
        super().__init__()
        assert hidden_dim % num_heads == 0
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.max_length = max_length
        self.input_size = input_size
        self.output_size = output_size
        self.device = device
        self.pad_idx = ignore_index
        seed_torch(0)
        # time first inside
        self.transformer = nn.Transformer(hidden_dim, num_heads, num_layers_enc, num_layers_dec, dim_feedforward, dropout)
        self.srcembeddingL = nn.Embedding(input_size, hidden_dim)
        self.tgtembeddingL = nn.Embedding(output_size, hidden_dim)
        self.srcposembeddingL = nn.Embedding(max_length, hidden_dim)
        self.tgtposembeddingL = nn.Embedding(max_length, hidden_dim)
        self.final = nn.Linear(hidden_dim, output_size)

    def forward(self, src, tgt):
        tgt = self.add_start_token(tgt)
        where = torch.arange(src.size(1))
        a = (self.srcembeddingL(src) + self.srcposembeddingL(where)).transpose(0, 1)
        b = (self.tgtembeddingL(tgt) + self.tgtposembeddingL(where)).transpose(0, 1)
        mask = self.transformer.generate_square_subsequent_mask(src.size(1))
        padding = torch.zeros(tgt.shape).masked_fill(tgt == self.pad_idx, float("-inf"))
        hidden = self.transformer(a, b, tgt_mask=mask, tgt_key_padding_mask=padding)
        return self.final(hidden).transpose(0, 1)

    def generate_translation(self, src):
        outputs = torch.zeros(src.size(0), src.size(1), self.output_size)
        tgt = torch.ones_like(src) * self.pad_idx
        for t in range(src.size(1)):
            prediction = self(src, tgt)[:, t, :]
            outputs[:, t, :] = prediction
            tgt[:, t] = torch.argmax(prediction, dim=1)
        return outputs

    def add_start_token(self, batch_sequences, start_token=2):
        if bool((batch_sequences[:, :2] == start_token).all()):
            return batch_sequences
        return torch.cat((torch.full_like(batch_sequences[:, :1], start_token), batch_sequences[:, :-1]), dim=1)
