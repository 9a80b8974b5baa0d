"""Stand-ins that probes put in the place of what the notebook loads, builds or calls. Public, and no solutions.

None of them computes what the homework asks for: the model is no Transformer, the chunks have made-up targets, and the
vocabulary holds made-up words.
"""

from __future__ import annotations

import torch
import torch._dynamo  # every optimiser imports it when it is first made; a confined worker can open no file any more
from torch import Tensor, nn


class NextWordModel(nn.Module):
    """The interface of `TransformerModel`, with weights drawn by the judge. It remembers how it was called in training.

    A position sees only its own word, so that a wrong mask shows in `masks` and nowhere else.
    """

    def __init__(self, embedding: Tensor, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        words, size = embedding.shape
        self.encoder = nn.Embedding(words, size)
        self.decoder = nn.Linear(size, words)
        self.ninp = size
        self.sources: list[Tensor] = []
        self.masks: list[Tensor | None] = []
        self.modes: list[bool] = []
        with torch.no_grad():
            self.encoder.weight.copy_(embedding)
            self.decoder.weight.copy_(weight)
            self.decoder.bias.copy_(bias)

    def generate_square_subsequent_mask(self, sz: int) -> Tensor:
        """0 on and below the diagonal, -inf above: (sz, sz)."""
        later = torch.arange(sz)[None, :] > torch.arange(sz)[:, None]
        return torch.zeros(sz, sz).masked_fill(later, float("-inf"))

    def init_weights(self) -> None:
        """The weights stay those of the judge."""

    def forward(self, src: Tensor, src_mask: Tensor | None = None) -> Tensor:
        """(T, B) -> (T, B, words)"""
        if torch.is_grad_enabled():
            self.sources.append(src.detach().clone())
            self.masks.append(None if src_mask is None else src_mask.detach().clone())
            self.modes.append(self.training)
        return self.decoder(self.encoder(src))


def blocked(mask: Tensor | None, length: int) -> Tensor:
    """True where a mask hides a position; no mask hides nothing. Boolean masks are True where they hide."""
    if mask is None:
        return torch.zeros(length, length, dtype=torch.bool)
    return mask.clone() if mask.dtype == torch.bool else mask < -1e4


class RecordingSGD(torch.optim.SGD):
    """Plain SGD that keeps a copy of the gradients with which each step was made."""

    def __init__(self, parameters: object, lr: float) -> None:
        super().__init__(parameters, lr=lr)
        self.used: list[Tensor] = []

    def step(self, closure=None):
        """One step; remembers all gradients as one long vector (zeros where a parameter has none)."""
        flat = [
            torch.zeros(parameter.numel()) if parameter.grad is None else parameter.grad.detach().flatten().clone()
            for group in self.param_groups
            for parameter in group["params"]
        ]
        self.used.append(torch.cat(flat))
        return super().step(closure)


def chunks(words: int, bptt: int):
    """A `get_batch` whose targets are made up: three words on from the word that was read, in a circle."""

    def get_batch(source: Tensor, i: int, bptt: int = bptt) -> tuple[Tensor, Tensor]:
        stop = min(i + bptt, source.size(0) - 1)
        data = source[i:stop]
        return data, ((data + 3) % words).flatten()

    return get_batch


class Vocabulary:
    """The interface of the vocabularies that course notebooks use, over the words w0, w1, …"""

    def __init__(self, words: int) -> None:
        self._words = [f"w{number}" for number in range(words)]

    def __len__(self) -> int:
        return len(self._words)

    def __call__(self, words: list[str]) -> list[int]:
        return [self[word] for word in words]

    def __getitem__(self, word: str) -> int:
        return self._words.index(word) if word in self._words else 0

    @property
    def vocab(self) -> Vocabulary:
        """Some versions wrap the vocabulary once more."""
        return self

    def get_itos(self) -> list[str]:
        return list(self._words)

    def get_stoi(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self._words)}

    @property
    def itos(self) -> list[str]:
        """As vocabularies before torchtext 0.9 had it; so with `stoi`."""
        return self.get_itos()

    @property
    def stoi(self) -> dict[str, int]:
        return self.get_stoi()

    def lookup_token(self, number: int) -> str:
        return self._words[int(number)]

    def lookup_tokens(self, numbers: list[int]) -> list[str]:
        return [self._words[int(number)] for number in numbers]

    def set_default_index(self, number: int) -> None:
        """Unknown words get number 0 anyway."""


class Splits:
    """Stands for `WikiText2`: called with a split's name it gives that split, otherwise all three."""

    def __init__(self, train: Tensor, valid: Tensor, test: Tensor) -> None:
        self._splits = {"train": train, "valid": valid, "test": test}

    def __call__(self, *args: object, **kwargs: object) -> object:
        for wanted in (kwargs.get("split"), *args):
            if isinstance(wanted, str) and wanted in self._splits:
                return self._splits[wanted]
        return tuple(self._splits.values())
