"""Checks that go with every measured figure: a number that was not earned by learning is no result.

Each raises Disagreement with a sentence for the student. Where one needs a second opinion it asks a fresh worker, so
that nothing that the first one saw can help it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import torch

from grader.suite.agreement import require
from grader.suite.training import Predictor, Trained

CUTS = 3
ALONE = (
    " In evaluation a row's output may not depend on other rows, on earlier calls or on chance: look for dropout, "
    "batch statistics, state that is kept, and further learning."
)
TOLERANCE = 1e-3  # of the typical output: other batch shapes round differently, a seen token changes far more


def weights_moved(trained: Trained) -> None:
    """At least half of the weight tensors changed between the first and the last step."""
    require(bool(trained.weights), "No trained weights came back: the model has no parameters.")
    names = [name for name, tensor in trained.start.items() if tensor.is_floating_point()]
    require(bool(names), "The model has no floating-point weights before training.")
    same = [name for name in names if _equal(trained.start[name], trained.weights.get(name))]
    listed = ", ".join(same[:5]) + (f" and {len(same) - 5} more" if len(same) > 5 else "")
    message = f"{len(same)} of {len(names)} weight tensors did not move during training ({listed})."
    require(len(same) <= len(names) / 2, message)


def _equal(before: torch.Tensor, after: torch.Tensor | None) -> bool:
    return after is not None and before.shape == after.shape and torch.equal(before, after)


def curve_is_plausible(trained: Trained, steps: int) -> None:
    """The reported curve is finite, in order, and belongs to the budget of optimiser steps."""
    reported = [step for step, _ in trained.curve]
    none = "No training step was reported: the training loop did not run, or makes no step of the optimiser."
    require(bool(reported), none)
    in_order = all(a < b for a, b in pairwise(reported))
    require(in_order and reported[0] >= 1, "The reported steps are not in order.")
    require(reported[-1] <= steps, f"{reported[-1]} steps were reported; the budget is {steps}.")
    short = f"Training ended after {reported[-1]} of {steps} steps."
    require(reported[-1] >= 0.9 * steps, short)
    bad = next((step for step, values in trained.curve if not all(map(math.isfinite, values.values()))), None)
    require(bad is None, f"The loss is NaN or infinite at step {bad}: training diverged. Look at the learning rate.")


@dataclass(frozen=True)
class Sample:
    """A batch with the answer that was counted for it.

    A model that behaves when it is asked again, or only in small batches, is examined on what it answered when it
    counted.
    """

    batch: Mapping[str, object]
    answer: Mapping[str, object]


def answers(predict: Predictor, batches: Iterable[Mapping[str, object]]) -> tuple[list[Mapping[str, object]], Sample]:
    """The answers to all batches, at least one, and one of them drawn at random, to be examined."""
    asked = list(batches)
    given = [predict(batch) for batch in asked]
    # Not the first one of several: a process that has only begun might behave better than it does later.
    drawn = int(torch.randint(min(1, len(asked) - 1), len(asked), (1,), generator=predict.draw))
    return given, Sample(asked[drawn], given[drawn])


def _examined(predict: Predictor, batch: Mapping[str, object] | Sample) -> Sample:
    return batch if isinstance(batch, Sample) else Sample(batch, predict(batch))


def batch_independent(predict: Predictor, batch: Mapping[str, object] | Sample, output: str = "logits") -> None:
    """The same rows give the same outputs in another order and alone, in a process that saw nothing else.

    Catches what leaks between rows or calls: batch statistics in evaluation, dropout that stays on, state that is
    kept, a model that goes on learning from what it is shown. Rows are the first dimension of every tensor.
    """
    sample = _examined(predict, batch)
    before, batch = _output(sample.answer, output, 1), sample.batch
    rows = len(before)
    order = torch.arange(rows - 1, -1, -1)
    again = _output(predict.fresh()(_rows(batch, order, rows)), output, 1)
    _require_same(before[order], again, "in a batch of another order and a new process", ALONE)
    alone = _output(predict.fresh()(_rows(batch, order[-1:], rows)), output, 1)
    _require_same(before[:1], alone, "alone and in a batch", ALONE)


def causal(
    predict: Predictor,
    batch: Mapping[str, object] | Sample,
    *,
    field: str,
    sees: int,
    vocabulary: int,
    lowest: int = 0,
    output: str = "logits",
) -> None:
    """Outputs do not depend on later tokens. `batch[field]` is (N, T) int64, the output (N, T', V).

    Position i may depend on `batch[field][:, :i + sees]`: 1 for a language model that reads token i to predict the
    next, 0 for a decoder that is given the targets themselves. The tokens after a cut, drawn at random, are replaced
    by random ones from [lowest, vocabulary), and a fresh worker predicts again.
    """
    sample = _examined(predict, batch)
    before, batch = _output(sample.answer, output, 2), sample.batch
    tokens = batch[field]
    assert isinstance(tokens, torch.Tensor)
    length = tokens.shape[1]
    for _ in range(CUTS):
        # From `sees` on, because position 0 must lie before the cut, or nothing would be compared.
        cut = int(torch.randint(sees, max(sees + 1, length), (1,), generator=predict.draw))
        changed = tokens.clone()
        shape = changed[:, cut:].shape
        changed[:, cut:] = torch.randint(lowest, vocabulary, shape, generator=predict.draw, dtype=tokens.dtype)
        after = _output(predict.fresh()({**batch, field: changed}), output, 2)
        kept = min(cut - sees + 1, before.shape[1])
        message = f"when only the tokens from position {cut} on were replaced: the model sees what it is to predict"
        _require_same(before[:, :kept], after[:, :kept], message)


def _output(values: Mapping[str, object], name: str, dims: int) -> torch.Tensor:
    found = values.get(name)
    require(isinstance(found, torch.Tensor), f"{name} should be a tensor, it is {type(found).__name__}.")
    assert isinstance(found, torch.Tensor)
    form = f"{name} should have at least {dims} dimension(s), none of them empty; the shape is {tuple(found.shape)}."
    require(found.dim() >= dims and found.numel() > 0, form)
    require(not bool(found.isnan().any()), f"{name} hold NaN: the model's outputs cannot be evaluated.")
    return found.float()


def _rows(batch: Mapping[str, object], order: torch.Tensor, rows: int) -> dict[str, object]:
    def pick(value: object) -> object:
        return value[order] if isinstance(value, torch.Tensor) and value.dim() and len(value) == rows else value

    return {name: pick(value) for name, value in batch.items()}


def _require_same(before: torch.Tensor, after: torch.Tensor, how: str, advice: str = "") -> None:
    require(before.shape == after.shape, f"The outputs have another shape {how}.")
    gap = _apart(before, after)
    if before.dim() > 1 and before.shape[-1] > 1:
        # What is added to all logits of a row changes no probability, so it must not widen the tolerance.
        gap = max(gap, _apart(before - before.amax(-1, keepdim=True), after - after.amax(-1, keepdim=True)))
    require(gap == 0, f"The outputs differ {how} (by up to {gap:.3g}).{advice}")


def _apart(before: torch.Tensor, after: torch.Tensor) -> float:
    """By how much two outputs differ beyond rounding, else 0. Equal infinities agree, NaN agrees with nothing."""
    # The median and not the greatest: a model may put -1e9 in the place of what it rules out.
    sizes = before.abs().nan_to_num(0.0, posinf=0.0)
    gap = (before - after).abs().nan_to_num(math.inf, posinf=math.inf)
    beyond = (before != after) & (gap > TOLERANCE * torch.maximum(sizes, sizes.median().clamp(min=1.0)))
    return float(gap[beyond].max()) if bool(beyond.any()) else 0.0
