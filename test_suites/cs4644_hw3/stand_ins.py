"""Public stand-ins: small modules with the interface of a part that another part calls, computing something else.

A check of B runs on the student's own A and on a stand-in for A, so that a mistake in A costs A alone. Nothing here
is a solution. Letters in shapes as in the assignment: B batch, T tokens, P prefix, C channels, V vocabulary.
"""

import math
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from randomizer import DL_random
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
        return self.logits.expand(idx.shape[0], length, -1).clone(), None  # fresh: it may be changed in place

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


def times_of(t, x):
    """Time steps as floats that broadcast over x (B, …). What the course's networks cannot take is refused."""
    t = torch.tensor(t) if type(t) is int else t
    if not isinstance(t, torch.Tensor) or t.dim() > 1 or t.numel() not in (1, len(x)):
        shape = tuple(t.shape) if isinstance(t, torch.Tensor) else type(t).__name__
        raise ValueError(f"time steps are a tensor of shape ({len(x)},), or one for all; got {shape}")
    return t.to(x.dtype).view(-1, *[1] * (x.dim() - 1))


class StandInScheduler:
    """In place of NoiseScheduler: both directions compute something else."""

    def __init__(self, num_steps, beta_start=0.0001, beta_end=0.02):
        self.num_steps = num_steps
        self.betas = torch.linspace(0.1, 0.3, num_steps)
        self.alphas = torch.linspace(0.9, 0.7, num_steps)
        self.alpha_bars = self.alphas.flip(0)
        self.device = torch.device("cpu")

    def add_noise(self, original_samples, noise, timesteps):
        return torch.sin(original_samples) - 0.5 * noise + 0.1 * times_of(timesteps, original_samples)

    def denoise_step(self, model_prediction, t, x_t, threshold=False, seed=None):
        x = torch.sin(x_t + 0.3 * model_prediction) + 0.05 * int(t) + 0.2 * DL_random(x_t.shape, seed=seed)
        return x.clamp(-0.7, 0.7) if threshold else x


class StandInNet(nn.Module):
    """In place of the noise prediction networks, under the argument names of all three."""

    NAMES = (("sample", "x", "input"), ("timestep", "t"), ("global_cond", "y", "c"))

    def __init__(self, mix, table):
        super().__init__()
        self.mix = nn.Parameter(mix)  # (2,)
        self.table = nn.Parameter(table)  # (condition_dim,)

    def forward(self, *given, **named):
        more = [next(named[name] for name in names if name in named) for names in self.NAMES[len(given) :]]
        return self.noise(*given, *more)

    def noise(self, x, t, cond):
        shift = cond @ self.table if cond.dim() == 2 else self.table[cond.long()]  # (B,)
        phase = torch.cos(times_of(t, x)) * self.mix[1] + shift.view(-1, *[1] * (x.dim() - 1))
        return torch.tanh(self.mix[0] * x.roll(1, dims=-1) + phase)


class Asked(Exception):
    """The network was asked under that condition."""

    def __init__(self, cond):
        super().__init__("the network was asked")
        self.cond = cond


class AskedNet(StandInNet):
    """Ends what it is called from and tells the condition."""

    def noise(self, x, t, cond):
        raise Asked(cond)


class Block(nn.Module):
    """Of `SmallUnet`: two convolutions with a short cut; time and class scale and shift the channels between them."""

    def __init__(self, inputs, outputs, embedded):
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.film = nn.Linear(embedded, 2 * outputs)
        self.norm = nn.GroupNorm(4, outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.skip = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x, embedding):
        scale, shift = self.film(embedding)[:, :, None, None].chunk(2, dim=1)
        return self.skip(x) + self.second(F.silu(self.norm(self.first(x)) * (1.0 + scale) + shift))


class SmallUnet(nn.Module):
    """In place of ConditionalUnet2D where a processor has to train it: 0.27 million parameters at a width of 32."""

    def __init__(self, channels, width, classes, embedded=64):
        super().__init__()
        self.embedded = embedded
        self.time = nn.Sequential(nn.Linear(embedded, embedded), nn.SiLU())
        self.label_emb = nn.Embedding(classes, embedded)
        self.into = nn.Conv2d(channels, width, 3, padding=1)
        self.down_1 = Block(width, width, embedded)
        self.down_2 = Block(width, 2 * width, embedded)
        self.bottom = Block(2 * width, 2 * width, embedded)
        self.up_2 = Block(4 * width, width, embedded)
        self.up_1 = Block(2 * width, width, embedded)
        self.out = nn.Conv2d(width, channels, 3, padding=1)

    def forward(self, x, t, y):
        """x: (B, channels, H, H), H divisible by 4; t: (B,), or one for all; y: class indices (B,)."""
        half = self.embedded // 2
        frequencies = torch.exp(-math.log(10000.0) * torch.arange(half, device=x.device) / half)
        angles = times_of(t, x).reshape(-1, 1) * frequencies
        embedding = self.time(torch.cat([angles.sin(), angles.cos()], dim=1)) + self.label_emb(y)
        fine = self.down_1(self.into(x), embedding)
        middle = self.down_2(F.avg_pool2d(fine, 2), embedding)
        up = F.interpolate(self.bottom(F.avg_pool2d(middle, 2), embedding), scale_factor=2)
        up = self.up_2(torch.cat([up, middle], dim=1), embedding)
        up = self.up_1(torch.cat([F.interpolate(up, scale_factor=2), fine], dim=1), embedding)
        return self.out(F.silu(up))
