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
        super(TransformerTranslator, self).__init__()
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
        self.embeddingL = nn.Embedding(input_size, hidden_dim).to(device)
        self.posembeddingL = nn.Embedding(max_length, hidden_dim).to(device)
        self.k1 = nn.Linear(hidden_dim, dim_k)
        self.v1 = nn.Linear(hidden_dim, dim_v)
        self.q1 = nn.Linear(hidden_dim, dim_q)
        self.k2 = nn.Linear(hidden_dim, dim_k)
        self.v2 = nn.Linear(hidden_dim, dim_v)
        self.q2 = nn.Linear(hidden_dim, dim_q)
        self.softmax = nn.Softmax(dim=2)
        self.attention_head_projection = nn.Linear(dim_v * num_heads, hidden_dim)
        self.norm_mh = nn.LayerNorm(hidden_dim)
        self.ff = nn.Sequential(
            nn.Linear(hidden_dim, dim_feedforward), nn.ReLU(), nn.Linear(dim_feedforward, hidden_dim)
        )
        self.norm2 = nn.LayerNorm(hidden_dim)
        self.final = nn.Linear(hidden_dim, output_size)
        self.to(device)

    def forward(self, inputs):
        return self.final_layer(self.feedforward_layer(self.multi_head_attention(self.embed(inputs))))

    def embed(self, inputs):
        # looks up all positions, as the course's sentences are always of full length
        positions = torch.arange(0, self.max_length).to(self.device).expand(inputs.shape[0], -1)
        return self.embeddingL(inputs) + self.posembeddingL(positions)

    def multi_head_attention(self, inputs):
        q = torch.stack([self.q1(inputs), self.q2(inputs)])
        k = torch.stack([self.k1(inputs), self.k2(inputs)])
        v = torch.stack([self.v1(inputs), self.v2(inputs)])
        weights = torch.einsum("hnik,hnjk->hnij", q, k).div(np.sqrt(self.dim_k)).softmax(-1)
        heads = torch.einsum("hnij,hnjv->nihv", weights, v).flatten(2)
        return self.norm_mh(self.attention_head_projection(heads) + inputs)

    def feedforward_layer(self, inputs):
        return self.norm2(self.ff(inputs) + inputs)

    def final_layer(self, inputs):
        return self.final(inputs)


class FullTransformerTranslator(nn.Module):
    def __init__(self, input_size, output_size, device, hidden_dim=128, num_heads=2, dim_feedforward=2048,
                 num_layers_enc=2, num_layers_dec=2, dropout=0.2, max_length=43, ignore_index=1):
        super(FullTransformerTranslator, self).__init__()
        assert hidden_dim % num_heads == 0
        self.num_heads = num_heads
        self.word_embedding_dim = hidden_dim
        self.hidden_dim = hidden_dim
        self.dim_feedforward = dim_feedforward
        self.max_length = max_length
        self.input_size = input_size
        self.output_size = output_size
        self.device = device
        self.pad_idx = ignore_index
        seed_torch(0)
        self.tf = nn.Transformer(hidden_dim, num_heads, num_layers_enc, num_layers_dec, dim_feedforward, dropout,
                                 batch_first=True)
        self.srcembeddingL = nn.Embedding(input_size, hidden_dim)
        self.tgtembeddingL = nn.Embedding(output_size, hidden_dim)
        self.srcposembeddingL = nn.Embedding(max_length, hidden_dim)
        self.tgtposembeddingL = nn.Embedding(max_length, hidden_dim)
        self.out = nn.Linear(hidden_dim, output_size)

    def forward(self, src, tgt):
        tgt = self.add_start_token(tgt)
        n, t = tgt.shape
        pos = torch.arange(t, device=self.device).unsqueeze(0).repeat(n, 1)
        src_emb = self.srcembeddingL(src) + self.srcposembeddingL(pos)
        tgt_emb = self.tgtembeddingL(tgt) + self.tgtposembeddingL(pos)
        causal = torch.full((t, t), float("-inf")).triu(1)
        hidden = self.tf(src_emb, tgt_emb, tgt_mask=causal,
                         src_key_padding_mask=self.mask(src), tgt_key_padding_mask=self.mask(tgt))
        return self.out(hidden)

    def mask(self, tokens):
        # additive, with a large number instead of minus infinity
        return (tokens == self.pad_idx).float() * -1e9

    def generate_translation(self, src):
        # the target starts with the source's <sos>; prediction t stands at t + 1
        n, steps = src.shape
        outputs = torch.zeros(n, steps, self.output_size).to(self.device)
        tgt = torch.full((n, steps), self.pad_idx).to(self.device)
        tgt[:, 0] = src[:, 0]
        for t in range(steps):
            logits = self.forward(src, tgt)
            outputs[:, t, :] = logits[:, t, :]
            if t + 1 < steps:
                tgt[:, t + 1] = logits[:, t, :].argmax(-1)
        return outputs

    def add_start_token(self, batch_sequences, start_token=2):
        pair = torch.tensor([start_token, start_token])
        if torch.all(batch_sequences[:, :2] == pair).item():
            return batch_sequences
        result = torch.zeros_like(batch_sequences)
        result[:, 0] = start_token
        result[:, 1:] = batch_sequences[:, :-1]
        return result
