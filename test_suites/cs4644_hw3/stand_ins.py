"""Public stand-ins: small modules with the interface of a part that another part calls, computing something else.

A check of B runs on the student's own A and on a stand-in for A, so that a mistake in A costs A alone. Nothing here
is a solution. Letters in shapes as in the assignment: B batch, T tokens, P prefix, C channels, V vocabulary.
"""

from types import SimpleNamespace

import torch
from torch import nn

SURE = 60.0  # the logit of the one token that a stand-in allows: sampling it is then certain at every temperature used


def config_of(settings):
    """The configuration object that the course's classes take, dropout off unless the settings say otherwise."""
    return SimpleNamespace(**{"embd_pdrop": 0.0, "hidden_pdrop": 0.0, "attn_pdrop": 0.0, **settings})


# --- part 1: inside a Transformer ------------------------------------------------------------------------------


class StandInEmbedding(nn.Module):
    """In place of Embedding: a table without positions, so that a prefix may be embedded apart from the rest."""

    def __init__(self, table):
        super().__init__()
        self.table = nn.Parameter(table)  # (V, C)

    def forward(self, idx):
        return torch.sin(self.table[idx.long()])  # (B, T, C)


class StandInAttention(nn.Module):
    """In place of GenericSelfAttention: a token gets the plain mean of what it may see."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)  # (C, C)

    def forward(self, x, attention_mask):
        seen = attention_mask.to(x.dtype)
        seen = seen[:, 0] if seen.dim() == 4 else seen  # (B, T, T)
        # Nothing seen is 0/0: a mask that hides everything from a token must not go unnoticed.
        return torch.tanh((seen @ x) / seen.sum(dim=-1, keepdim=True) @ self.weight)


class StandInBlock(StandInAttention):
    """In place of TransformerBlock."""

    def forward(self, x, attention_mask):
        return x + 2.0 * super().forward(x, attention_mask)


class AfterTheLast(nn.Module):
    """The final norm, but only every `blocks`-th call: makes a model that normalises each block normalise once."""

    def __init__(self, norm, blocks):
        super().__init__()
        self.norm = norm
        self.blocks = blocks
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x if self.calls % self.blocks else self.norm(x)


class NormedBlock(nn.Module):
    """A block with a norm behind it."""

    def __init__(self, block, norm):
        super().__init__()
        self.block = block
        self.norm = norm

    def forward(self, x, attention_mask):
        return self.norm(self.block(x, attention_mask))


# --- part 1: encoder, decoder and what is sampled from -----------------------------------------------------------


class StandInEncoder(nn.Module):
    """In place of Encoder: hidden states from a table; its logits are of no use to anyone."""

    def __init__(self, table):
        super().__init__()
        self.table = nn.Parameter(table)  # (V, C)

    def forward(self, idx, targets=None, hidden_cache=None, return_hidden=False):
        hidden = torch.cos(self.table[idx.long().clamp(min=0)])  # (B, P, C)
        return hidden if return_hidden else (hidden.flip(-1), None)


class StandInDecoder(nn.Module):
    """In place of Decoder: a running sum over the cache and the embedded tokens; the loss is no cross-entropy."""

    def __init__(self, table):
        super().__init__()
        self.table = nn.Parameter(table)  # (V, C)

    def forward(self, idx, targets=None, hidden_cache=None, return_hidden=False):
        x = torch.sin(self.table[idx.long().clamp(min=0)])  # (B, T, C)
        if hidden_cache is not None:
            x = torch.cat([2.0 * hidden_cache, x], dim=1)  # (B, P + T, C)
        x = x.cumsum(dim=1)
        logits = x @ self.table.T  # (B, P + T, V)
        loss = None if targets is None else logits.sin().mean() + targets.to(logits.dtype).mean()
        return x if return_hidden else (logits, loss)


def _only(tokens, vocab):
    """Logits (B, T, V) that leave one choice at every position: the token of that number, modulo V."""
    return SURE * nn.functional.one_hot(tokens % vocab, vocab).float()


class NextToken(nn.Module):
    """A language model for `generate`: what comes next depends on every token so far and on its place."""

    def __init__(self, vocab):
        super().__init__()
        self.vocab_size = vocab
        self.block_size = 10**6

    def forward(self, idx, targets=None):
        places = torch.arange(1, idx.shape[1] + 1)
        return _only((idx.long() * places + 1).cumsum(dim=1), self.vocab_size), None


class FixedLogits(nn.Module):
    """A language model whose every prediction has the same logits, however it is called."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(logits)  # (V,)
        self.vocab_size = len(logits)
        self.block_size = 10**6
        self.encoder = lambda idx, targets=None, hidden_cache=None, return_hidden=False: idx[..., None].float()
        self.decoder = self._decode

    def _decode(self, idx, targets=None, hidden_cache=None, return_hidden=False):
        length = idx.shape[1] + (0 if hidden_cache is None else hidden_cache.shape[1])
        return self.logits.expand(idx.shape[0], length, -1), None

    def forward(self, prefix, targets=None):
        return self._decode(prefix if targets is None else torch.cat([prefix, targets.to(prefix)], dim=1))


class PrefixNextToken(nn.Module):
    """An encoder-decoder for `prefix_generate`: a token counts differently before and after the border.

    May be called whole, or encoder and decoder apart.
    """

    def __init__(self, vocab):
        super().__init__()
        self.vocab_size = vocab
        self.block_size = 10**6
        self.encoder = self._encode
        self.decoder = self._decode

    def _encode(self, idx, targets=None, hidden_cache=None, return_hidden=False):
        hidden = (3 * idx.long() + 2).float()[..., None]  # (B, P, 1)
        return hidden if return_hidden else (_only(idx.long(), self.vocab_size), None)

    def _decode(self, idx, targets=None, hidden_cache=None, return_hidden=False):
        values = idx.long()
        if hidden_cache is not None:
            values = torch.cat([hidden_cache[..., 0].long(), values], dim=1)
        places = torch.arange(1, values.shape[1] + 1)
        return _only((values * places + 1).cumsum(dim=1), self.vocab_size), None

    def forward(self, prefix, targets=None):
        idx = prefix.new_zeros(prefix.shape[0], 0) if targets is None else targets
        return self._decode(idx, hidden_cache=self._encode(prefix, return_hidden=True))


# --- part 2 --------------------------------------------------------------------------------------------------------


class StandInSchedule:
    """In place of NoiseSchedule: four drawn sequences (T,) that do not follow from each other."""

    def __init__(self, betas, alphas, alpha_bars, sigmas):
        self.betas = betas
        self.alphas = alphas
        self.alpha_bars = alpha_bars
        self.sigmas = sigmas


class StandInDenoiser(nn.Module):
    """In place of UNet: every pixel looks at its left neighbour and at the time step of its image."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)  # (2,)

    def forward(self, x, t):
        if t.shape != (x.shape[0],) or t.is_floating_point():
            raise ValueError(f"the model takes one integer time step per image, shape ({x.shape[0]},); got {t!r}")
        phase = t.to(x.dtype).view(-1, 1, 1, 1)
        return torch.tanh(self.weight[0] * x.roll(1, dims=-1) + self.weight[1] * torch.cos(phase))


def stand_in_q_sample(schedule, x_0, t, noise):
    """In place of q_sample."""
    return torch.sin(x_0) - 0.5 * noise + 0.1 * t.to(x_0.dtype).view(-1, 1, 1, 1)


def stand_in_p_sample(model, schedule, x_t, t, draw=torch.randn_like):
    """In place of p_sample."""
    steps = torch.full((x_t.shape[0],), int(t))
    return torch.sin(x_t + 0.3 * model(x_t, steps)) + 0.2 * draw(x_t) + 0.05 * int(t)


def stand_in_timestep_embedding(t, dim):
    """In place of timestep_embedding."""
    return torch.cos(t[:, None].float() * torch.arange(1, dim + 1) / dim)


class Noises:
    """A `draw` that hands out given tensors one after another, the last one for ever."""

    def __init__(self, noises):
        self.noises = noises  # (N, B, channels, H, W)
        self.drawn = 0

    def __call__(self, x):
        noise = self.noises[min(self.drawn, len(self.noises) - 1)]
        self.drawn += 1
        return noise
