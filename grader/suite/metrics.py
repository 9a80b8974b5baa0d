"""Figures that the judge computes from a model's outputs: accuracy, perplexity, exact match, mean loss.

Outputs come from an untrusted worker, so their form is checked first; a form that is no model's output is the
student's fault and raises Disagreement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from grader.suite.agreement import require


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A figure with its standard error over examples, and the examples themselves.

    `per_example` is 1-D: predicted classes (int64), log-probabilities of the targets (float32), hits (bool), losses.
    """

    value: float
    standard_error: float
    per_example: torch.Tensor


def accuracy(logits: torch.Tensor, labels: torch.Tensor) -> Measure:
    """Share of rows whose largest logit is the label's. `logits` (N, C), `labels` (N,) int64.

    Raises Disagreement for logits of another shape or with NaN.
    """
    _check(logits, (len(labels), -1), "logits")
    predicted = logits.argmax(dim=-1)
    return _share(predicted == labels, predicted)


def best_relabelling(logits: torch.Tensor, labels: torch.Tensor) -> Measure:
    """The accuracy if every predicted class were called what most of its rows are.

    What a model tells apart, whatever it calls it. Raises Disagreement as `accuracy` does.
    """
    _check(logits, (len(labels), -1), "logits")
    predicted = logits.argmax(dim=-1)
    table = torch.zeros(logits.shape[-1], int(labels.max()) + 1, dtype=torch.int64)
    table.index_put_((predicted, labels), torch.ones_like(labels), accumulate=True)
    return _share(table.argmax(dim=1)[predicted] == labels, predicted)


def exact_match(predicted: Sequence[Sequence[int]], expected: Sequence[Sequence[int]]) -> Measure:
    """Share of sequences that are equal from end to end.

    Raises Disagreement when there are not as many as expected, or when they are no lists of whole numbers.
    """
    known = isinstance(predicted, list | tuple | torch.Tensor)
    require(known, f"{len(expected)} sequences were expected, there is {type(predicted).__name__}.")
    require(len(predicted) == len(expected), f"{len(expected)} sequences were expected, {len(predicted)} came back.")
    rows = [mine.tolist() if isinstance(mine, torch.Tensor) else mine for mine in predicted]
    listed = all(isinstance(row, list | tuple) and all(isinstance(token, int) for token in row) for row in rows)
    require(listed, "Every sequence should be a list of whole numbers.")
    hits = torch.tensor([list(mine) == list(theirs) for mine, theirs in zip(rows, expected, strict=True)])
    return _share(hits, hits)


def log_probabilities(logits: torch.Tensor, targets: torch.Tensor, ignore: int | None = None) -> torch.Tensor:
    """The log-probability of every counted target token, 1-D. `logits` (..., V), `targets` (...) int64.

    Normalised here, whatever the model returns, as the cross-entropy that trained it does. Positions whose target is
    `ignore` are not counted. Raises Disagreement for logits of another shape or with NaN.
    """
    _check(logits, (*targets.shape, -1), "logits")
    counted = torch.ones_like(targets, dtype=torch.bool) if ignore is None else targets != ignore
    known = targets.masked_fill(~counted, 0)  # `ignore` may lie outside of the vocabulary, such as -100
    require(int(known.max()) < logits.shape[-1], f"logits: {logits.shape[-1]} classes are too few for the vocabulary.")
    return logits.float().log_softmax(dim=-1).gather(-1, known.unsqueeze(-1)).squeeze(-1)[counted]


def perplexity_of(log_probs: torch.Tensor) -> Measure:
    """exp of the mean negative log-probability, 1-D over counted tokens; the standard error by the delta method."""
    value = float(torch.exp(-log_probs.double().mean()))
    spread = float(log_probs.double().std()) if len(log_probs) > 1 else 0.0
    return Measure(value=value, standard_error=value * spread / math.sqrt(len(log_probs)), per_example=log_probs)


def perplexity(logits: torch.Tensor, targets: torch.Tensor, ignore: int | None = None) -> Measure:
    """Perplexity of `targets` (N, T) under `logits` (N, T, V), padding (`ignore`) not counted."""
    return perplexity_of(log_probabilities(logits, targets, ignore))


def mean_loss(losses: torch.Tensor) -> Measure:
    """The mean of one loss per example, 1-D. Raises Disagreement for NaN."""
    _check(losses, (-1,), "losses")
    spread = float(losses.double().std()) if len(losses) > 1 else 0.0
    return Measure(
        value=float(losses.double().mean()), standard_error=spread / math.sqrt(len(losses)), per_example=losses
    )


def _share(hits: torch.Tensor, per_example: torch.Tensor) -> Measure:
    value = float(hits.double().mean())
    error = math.sqrt(value * (1 - value) / len(hits))
    return Measure(value=value, standard_error=error, per_example=per_example)


def _check(outputs: object, shape: tuple[int, ...], name: str) -> None:
    require(isinstance(outputs, torch.Tensor), f"{name} should be a tensor, they are {type(outputs).__name__}.")
    assert isinstance(outputs, torch.Tensor)
    fits = outputs.dim() == len(shape) and all(
        have == wanted or (wanted == -1 and have > 0) for wanted, have in zip(shape, outputs.shape, strict=True)
    )
    shown = ", ".join("any" if size == -1 else str(size) for size in shape)
    require(fits, f"{name} should have shape ({shown}), they have shape {tuple(outputs.shape)}.")
    require(outputs.is_floating_point(), f"{name} should be floating point, they are {outputs.dtype}.")
    require(not bool(outputs.isnan().any()), f"{name} hold NaN: the model's outputs cannot be evaluated.")
