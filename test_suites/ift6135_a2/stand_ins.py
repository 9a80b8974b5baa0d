"""Small public modules that take the place of one of the student's own parts while another part is checked.

Each has the interface of what it replaces and computes something else, so that a mistake in one part costs that part
only. None of them is a solution of anything in the handout. What a part was handed is kept in `seen`, for checks of
what is passed on. Every result ends in a fresh tensor that may be changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn


class Attention(nn.Module):
    """In place of a self-attention module: (B, T, E) → (B, T, E), scaled sums over what follows."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.matrix = nn.Parameter(matrix.clone())  # (E, E)
        self.seen: list[Tensor | None] = []

    def forward(self, hidden_states: Tensor, mask: Tensor | None = None) -> Tensor:
        """Depends on all later positions, so that the first one sees all, and on padding; a mask of ones is none."""
        if not isinstance(hidden_states, Tensor):
            given = type(hidden_states).__name__
            raise TypeError(f"self-attention takes one tensor (batch, time, width) and a mask; it was given a {given}")
        self.seen.append(mask)
        kept = (
            hidden_states if mask is None else hidden_states * (0.25 + 0.75 * mask.to(hidden_states.dtype))[..., None]
        )
        following = kept.flip(1).cumsum(1).flip(1) / kept.shape[1] ** 0.5
        return following @ self.matrix + 0.5 * hidden_states.roll(1, 2)


class Norm(nn.Module):
    """In place of a normalisation layer: an entrywise wave, scaled and shifted."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.clone())
        self.bias = nn.Parameter(bias.clone())

    def forward(self, inputs: Tensor) -> Tensor:
        """Any shape (*dims, E), kept."""
        return torch.sin(inputs) * self.weight + self.bias


class Block(nn.Module):
    """In place of an attention block: (B, T, E) → (B, T, E), without dropout."""

    def __init__(self, matrix: Tensor) -> None:
        super().__init__()
        self.mix = Attention(matrix)

    @property
    def seen(self) -> list[Tensor | None]:
        """The masks of all calls so far."""
        return self.mix.seen

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Depends on every later position."""
        return 0.1 * self.mix(torch.cos(x), mask) - 0.5 * x


class Weights:
    """In place of `get_attention_weights`: (B, m, T, T), rows that sum to anything."""

    def __init__(self) -> None:
        self.seen: list[Tensor | None] = []

    def __call__(self, queries: Tensor, keys: Tensor, mask: Tensor | None = None) -> Tensor:
        """Depends on both, and on the mask where there is one."""
        self.seen.append(mask)
        weights = torch.cos(queries.sum(-1)[..., :, None] - 2 * keys.sum(-1)[..., None, :])  # (B, m, T, T)
        if mask is None:
            return weights
        return weights + 0.3 * mask.to(weights.dtype).reshape(len(mask), 1, 1, -1)


class Attended:
    """In place of `apply_attention`: keeps what it got and returns a linear mixture of it, or a given tensor."""

    def __init__(self, result: Tensor | None = None) -> None:
        self.result = result  # (B, T, m * d)
        self.queries: list[Tensor] = []
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []
        self.seen: list[Tensor | None] = []

    def __call__(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, m, T, d) three times → (B, T, m * d)."""
        self.queries.append(queries)
        self.keys.append(keys)
        self.values.append(values)
        self.seen.append(mask)
        if self.result is not None:
            return self.result.clone()
        mixture = queries - 2 * keys.roll(1, 2) + 3 * values.roll(1, 3)
        return mixture.permute(0, 2, 3, 1).reshape(mixture.shape[0], mixture.shape[2], -1)


def merge(tensor: Tensor) -> Tensor:
    """In place of `merge_heads`: (B, m, T, n) → (B, T, m * n), the entries in another order."""
    return tensor.permute(0, 2, 3, 1).reshape(tensor.shape[0], tensor.shape[2], -1)


def split(heads: int) -> Callable[[Tensor], Tensor]:
    """In place of `split_heads`: (B, T, m * n) → (B, m, T, n), the entries in another order."""

    def apart(tensor: Tensor) -> Tensor:
        return tensor.reshape(*tensor.shape[:2], -1, heads).permute(0, 3, 1, 2)

    return apart


def in_block(net: nn.Module, weights: Mapping[str, Tensor], matrix: Tensor) -> None:
    """Put stand-ins in place of a block's attention and of both its normalisations."""
    net.attn = Attention(matrix)
    for name in ("layer_norm_1", "layer_norm_2"):
        setattr(net, name, Norm(weights[f"{name}.weight"], weights[f"{name}.bias"]))


def in_transformer(net: nn.Module, matrices: Sequence[Tensor]) -> None:
    """Put stand-ins in place of all blocks."""
    net.transformer = nn.ModuleList(Block(matrix) for matrix in matrices)


def in_attention(net: nn.Module, route: str, heads: int) -> None:
    """Unless the route is "own", put stand-ins in place of `apply_attention` and `split_heads`."""
    if route != "own":
        net.apply_attention = Attended()
        net.split_heads = split(heads)
