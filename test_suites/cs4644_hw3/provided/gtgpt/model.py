"""The base classes of problem set 3: they build the layers and leave every `forward` that is graded to the student.

Shapes: B batch, T tokens, C = n_embd channels, V = vocab_size.
"""

import math

import torch
from torch import nn

from gtgpt.utils import CfgNode


class NewGELU(nn.Module):
    """The tanh form of the Gaussian error linear unit (Hendrycks and Gimpel, arXiv 1606.08415)."""

    def forward(self, x):
        return nn.functional.gelu(x, approximate="tanh")


class DummyEmbedding(nn.Module):
    """One learned vector per token id and one per position."""

    def __init__(self, config):
        super().__init__()
        self.vocab_embeddings = nn.Embedding(config.vocab_size, config.n_embd)
        self.position_embeddings = nn.Embedding(config.block_size, config.n_embd)


class DummyMultiHeadedSelfAttention(nn.Module):
    """The four projections and two dropouts of multi-head self-attention."""

    def __init__(self, config):
        super().__init__()
        if config.n_embd % config.n_head:
            raise ValueError(f"n_embd = {config.n_embd} cannot be shared equally by n_head = {config.n_head} heads")
        self.k = nn.Linear(config.n_embd, config.n_embd)
        self.v = nn.Linear(config.n_embd, config.n_embd)
        self.q = nn.Linear(config.n_embd, config.n_embd)
        self.c_proj = nn.Linear(config.n_embd, config.n_embd)
        self.attn_dropout = nn.Dropout(config.attn_pdrop)
        self.hidden_dropout = nn.Dropout(config.hidden_pdrop)
        self.n_head = config.n_head
        self.n_embd = config.n_embd


class DummyBlock(nn.Module):
    """One pre-norm block: attention and a feed-forward part, each added to what came in."""

    def __init__(self, config, attn_mechanism):
        super().__init__()
        self.ln_1 = nn.LayerNorm(config.n_embd)
        self.attn = attn_mechanism(config)
        self.ln_2 = nn.LayerNorm(config.n_embd)
        self.mlp = nn.ModuleDict(
            {
                "c_fc": nn.Linear(config.n_embd, 4 * config.n_embd),
                "c_proj": nn.Linear(4 * config.n_embd, config.n_embd),
                "act": NewGELU(),
                "dropout": nn.Dropout(config.hidden_pdrop),
            }
        )

    def mlpf(self, x):
        """The feed-forward part, (B, T, C) -> (B, T, C)."""
        mlp = self.mlp
        return mlp["dropout"](mlp["c_proj"](mlp["act"](mlp["c_fc"](x))))

    def forward(self, x, attention_mask):
        x = x + self.attn(self.ln_1(x), attention_mask)
        return x + self.mlpf(self.ln_2(x))


class DummyTransformer(nn.Module):
    """Embedding, blocks, final norm and language-model head; `block` and `embedding` are classes."""

    @staticmethod
    def get_default_config():
        """A configuration whose sizes are still to be filled in."""
        sizes = dict.fromkeys(("n_layer", "n_head", "n_embd", "vocab_size", "block_size"))
        return CfgNode(**sizes, embd_pdrop=0.1, hidden_pdrop=0.1, attn_pdrop=0.1)

    def __init__(self, config, block, embedding):
        super().__init__()
        missing = [
            name
            for name in ("n_layer", "n_head", "n_embd", "vocab_size", "block_size")
            if getattr(config, name, None) is None
        ]
        if missing:
            raise ValueError(f"the configuration still needs {', '.join(missing)}")
        self.block_size = config.block_size
        self.transformer = nn.ModuleDict(
            {
                "embedding": embedding(config),
                "h": nn.ModuleList(block(config) for _ in range(config.n_layer)),
                "ln_f": nn.LayerNorm(config.n_embd),
            }
        )
        self.lm_head = nn.Linear(config.n_embd, config.vocab_size, bias=False)
        self._initialise(config.n_layer)

    def _initialise(self, n_layer):
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear) and module.bias is not None:
                nn.init.zeros_(module.bias)
        for name, parameter in self.named_parameters():
            if name.endswith("c_proj.weight"):  # two residual additions per block (GPT-2's scaling)
                nn.init.normal_(parameter, std=0.02 / math.sqrt(2 * n_layer))

    def configure_optimizers(self, train_config):
        """Two parameter groups for an optimiser: matrices of linear layers decay, all other parameters do not."""
        decayed = {id(module.weight) for module in self.modules() if isinstance(module, nn.Linear)}
        parameters = list(self.parameters())
        return [
            {"params": [p for p in parameters if id(p) in decayed], "weight_decay": train_config.weight_decay},
            {"params": [p for p in parameters if id(p) not in decayed], "weight_decay": 0.0},
        ]

    def device(self):
        """Where the weights lie."""
        return next(self.parameters()).device


__all__ = [
    "CfgNode",
    "DummyBlock",
    "DummyEmbedding",
    "DummyMultiHeadedSelfAttention",
    "DummyTransformer",
    "NewGELU",
    "nn",
    "torch",
]
