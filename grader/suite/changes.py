"""Small changes of held-out examples that honest models hardly notice, for `honesty.holds_up`."""

from __future__ import annotations

import torch


def without_a_token(
    tokens: torch.Tensor, lengths: torch.Tensor, draw: torch.Generator, *, first: int = 0, last: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts (N, T) without one token each, drawn between the `first` that stay in front and the `last` behind.

    What follows moves up, and a zero fills the end. A text with a single token to spare stays as it is, since it would
    be empty. Returns tokens and lengths.
    """
    spare = (lengths - first - last).clamp(min=0)
    gone = first + (torch.rand(len(lengths), generator=draw) * spare).long()
    places = torch.arange(tokens.shape[1]).expand(len(tokens), -1)
    moved = torch.cat([tokens[:, 1:], torch.zeros_like(tokens[:, :1])], dim=1)
    can = spare > 1
    changed = torch.where((places >= gone[:, None]) & can[:, None], moved, tokens)
    return changed, lengths - can.long()


def with_another_token(
    tokens: torch.Tensor, vocabulary: int, draw: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts (N, T) with one token each, of their first halves, exchanged for any other. Returns tokens and places."""
    places = torch.randint(max(1, tokens.shape[1] // 2), (len(tokens),), generator=draw)
    others = torch.randint(vocabulary, (len(tokens),), generator=draw)
    changed = tokens.clone()
    changed[torch.arange(len(tokens)), places] = others.to(tokens.dtype)
    return changed, places
