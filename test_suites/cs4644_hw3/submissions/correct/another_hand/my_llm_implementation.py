import os

os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":16:8"
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import Dataset
from torch.utils.data.dataloader import DataLoader

from gtgpt.model import DummyBlock, DummyEmbedding, DummyMultiHeadedSelfAttention, DummyTransformer
from gtgpt.utils import set_seed

DEVICE = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
torch.set_default_device(DEVICE)


class Embedding(DummyEmbedding):
    def forward(self, idx):
        B, T = idx.size()
        where = torch.arange(0, T).repeat(B, 1)
        tokens = F.embedding(idx, self.vocab_embeddings.weight)
        return torch.add(tokens, self.position_embeddings(where))


class GenericSelfAttention(DummyMultiHeadedSelfAttention):
    def forward(self, x, attention_mask):
        B, T, C = x.size()
        width = C // self.n_head
        mask = attention_mask
        if mask.dim() == 4:
            mask = mask[:, 0]
        blocked = ~mask.bool()
        found = []
        for h in range(self.n_head):
            part = slice(h * width, (h + 1) * width)
            q, k, v = self.q(x)[..., part], self.k(x)[..., part], self.v(x)[..., part]
            score = torch.bmm(q, k.transpose(1, 2)) / torch.tensor(float(width)).sqrt()
            score = score + torch.zeros_like(score).masked_fill(blocked, -1e30)
            found.append(torch.bmm(self.attn_dropout(score.softmax(2)), v))
        return self.hidden_dropout(self.c_proj(torch.cat(found, 2)))


class TransformerBlock(DummyBlock):
    def __init__(self, config):
        super().__init__(config, GenericSelfAttention)

    def forward(self, x, attention_mask):
        x = x + self.attn(self.ln_1(x), attention_mask)
        x = x + self.mlpf(self.ln_2(x))
        return x


class GenericTransformer(DummyTransformer):
    def __init__(self, config):
        super().__init__(config, TransformerBlock, Embedding)
        self.block_size = config.block_size
        self.vocab_size = config.vocab_size

    def get_attention_mask(self, num_tokens):
        longest = num_tokens.max().item()
        return torch.ones((num_tokens.shape[0], self.block_size, self.block_size))[:, :longest, :longest]

    def forward(self, idx, targets=None, hidden_cache=None, return_hidden=False):
        num_tokens = (idx != -1).int().sum(1)
        if hidden_cache is not None:
            num_tokens = num_tokens + hidden_cache.shape[1]
        idx = torch.where(idx == -1, 0, idx).int()[:, : num_tokens.max().item()]
        if targets is not None:
            targets = targets[:, : num_tokens.max().item()]
        attention_mask = self.get_attention_mask(num_tokens)

        x = self.transformer.embedding(idx)
        if hidden_cache is not None:
            x = torch.hstack((hidden_cache, x))
        for i in range(len(self.transformer.h)):
            x = self.transformer.h[i](x, attention_mask)
            x = self.transformer.ln_f(x)
        logits = self.lm_head(x)

        loss = None
        if targets is not None:
            predicted = logits
            if hidden_cache is not None:
                predicted = logits[:, hidden_cache.shape[1] - 1 : -1].contiguous()
            loss = F.cross_entropy(predicted.reshape(-1, self.vocab_size), targets.reshape(-1), ignore_index=-1)
        if return_hidden:
            return x
        return logits, loss


class Encoder(GenericTransformer):
    def get_attention_mask(self, num_tokens):
        B = num_tokens.shape[0]
        max_tokens = min(self.block_size, num_tokens.max().item())
        ones = torch.ones(B, max_tokens, max_tokens)
        columns = ones.cumsum(dim=2)
        attention_mask = torch.le(columns, num_tokens.reshape(B, 1, 1)).long()
        return attention_mask.reshape(B, 1, max_tokens, max_tokens)


class Decoder(Encoder):
    def get_attention_mask(self, num_tokens):
        full_attention_mask = super().get_attention_mask(num_tokens)
        return torch.tril(full_attention_mask)


@torch.no_grad()
def generate(model, idx, max_new_tokens, temperature=1.0):
    for _ in range(max_new_tokens):
        logits, loss = model(idx)
        p = F.softmax(logits / temperature, dim=-1)[:, -1, :]
        threshold = torch.rand(len(p), 1)
        new = (p.cumsum(1) < threshold).sum(1, keepdim=True).clamp(max=p.shape[1] - 1)
        idx = torch.cat((idx, new), dim=-1)
    return idx


class EncoderDecoder(nn.Module):
    def __init__(self, encoder_config, decoder_config):
        super().__init__()
        decoder_config.vocab_size += 1
        self.vocab_size = decoder_config.vocab_size
        self.encoder = Encoder(encoder_config)
        self.decoder = Decoder(decoder_config)

    def configure_optimizers(self, train_config):
        groups = self.encoder.configure_optimizers(train_config)
        groups.extend(self.decoder.configure_optimizers(train_config))
        return groups

    def forward(self, prefix, targets=None):
        idx = torch.tensor([[]]).repeat(prefix.shape[0], 1)
        if targets is not None:
            idx = torch.cat((idx, targets), dim=1)
        return self.decoder.forward(idx, targets, self.encoder.forward(prefix, None, None, True))


@torch.no_grad()
def prefix_generate(model, prefix, max_new_tokens, temperature=1.0):
    idx = torch.tensor([[]], dtype=torch.int64)
    for _ in range(max_new_tokens):
        logits, _ = model(prefix, idx)
        p = F.softmax(logits[:, -1, :] / temperature, dim=-1)
        idx = torch.cat((idx, torch.multinomial(p, num_samples=1)), dim=1)
    return idx
