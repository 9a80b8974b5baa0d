"""Simple relations between a wrong tensor and the expected one, in a sentence: "it is the expected one times -1"."""

from __future__ import annotations

import torch
from torch import Tensor


def relation(actual: Tensor, expected: Tensor, bound: float) -> str | None:
    """The first relation that explains the difference, or None. Both tensors are float64 of one shape, and finite."""
    if not bool(actual.isfinite().all()) or not bool(expected.isfinite().all()):
        return None
    if actual.numel() > 1 and bool((actual == actual.flatten()[0]).all()):
        return f"Every entry is {actual.flatten()[0].item():.6g}."
    for explain in (_factor, _offset, _transposed, _flipped, _rolled, _only_a_part):
        if (sentence := explain(actual, expected, 4 * bound)) is not None:
            return sentence
    return None


def _close(first: Tensor, second: Tensor, bound: float) -> bool:
    return (first - second).abs().max().item() <= bound


def _factor(actual: Tensor, expected: Tensor, bound: float) -> str | None:
    if expected.numel() < 2:
        return None
    energy = (expected * expected).sum().item()
    factor = (actual * expected).sum().item() / energy if energy else 0.0
    if abs(factor) < 1e-3 or not _close(actual, expected * factor, bound * max(1.0, abs(factor))):
        return None
    return f"It equals the expected tensor times {factor:.5g}."


def _offset(actual: Tensor, expected: Tensor, bound: float) -> str | None:
    if expected.numel() < 3:
        return None
    shift = (actual - expected).mean().item()
    return f"It equals the expected tensor plus {shift:.5g}." if _close(actual, expected + shift, bound) else None


def _transposed(actual: Tensor, expected: Tensor, bound: float) -> str | None:
    for first in range(expected.dim()):
        for second in range(first + 1, expected.dim()):
            swapped = expected.transpose(first, second)
            if swapped.shape == actual.shape and expected.shape[first] > 1 and _close(actual, swapped, bound):
                return f"It equals the expected tensor with dimensions {first} and {second} exchanged."
    return None


def _flipped(actual: Tensor, expected: Tensor, bound: float) -> str | None:
    for dim in range(expected.dim()):
        if expected.shape[dim] > 1 and _close(actual, expected.flip(dim), bound):
            return f"It equals the expected tensor in reverse order along dimension {dim}."
    return None


def _rolled(actual: Tensor, expected: Tensor, bound: float) -> str | None:
    for dim in range(expected.dim()):
        size = expected.shape[dim]
        if size < 3:
            continue
        late, early = actual.narrow(dim, 1, size - 1), actual.narrow(dim, 0, size - 1)
        if _close(late, expected.narrow(dim, 0, size - 1), bound):
            return f"It is the expected tensor, one step late along dimension {dim}."
        if _close(early, expected.narrow(dim, 1, size - 1), bound):
            return f"It is the expected tensor, one step early along dimension {dim}."
    return None


def _only_a_part(actual: Tensor, expected: Tensor, bound: float) -> str | None:
    wrong = (actual - expected).abs() > bound
    for dim in range(expected.dim()):
        size = expected.shape[dim]
        if size < 3:
            continue
        others = tuple(other for other in range(expected.dim()) if other != dim)
        indices = (wrong.any(dim=others) if others else wrong).nonzero().flatten().tolist()
        if len(indices) == 1:
            return f"Only index {indices[0]} of dimension {dim} is wrong (its size is {size})."
        if len(indices) == size - 1 and torch.equal(torch.tensor(indices), torch.arange(1, size)):
            return f"Only index 0 of dimension {dim} is right (its size is {size})."
    return None
