"""Checks that go with every measured figure: a number that was not earned by learning is no result.

Each raises Disagreement with a sentence for the student. Where one needs a second opinion it asks a fresh worker, so
that nothing that the first one saw can help it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import torch

from grader.suite.agreement import require
from grader.suite.metrics import Measure
from grader.suite.training import Counterpart, Predictor, Trained
from grader.wording import listed

T = TypeVar("T")
S = TypeVar("S")

CUTS = 3
ALONE = (
    " In evaluation a row's output may not depend on other rows, on earlier calls or on chance: look for dropout, "
    "batch statistics, state that is kept, and further learning."
)
CLEARLY = 0.05  # of the figure: by less than this no training can have made it
ROWS_APART = 0.05  # two words that score alike may change places when rounding differs
TOLERANCE = 1e-3  # of the typical output: other batch shapes round differently, a seen token changes far more


def weights_moved(trained: Trained) -> None:
    """The trained weights are those of the model that began, and at least half of the tensors changed."""
    require(bool(trained.weights), "No trained weights came back: the model has no parameters.")
    names = [name for name, tensor in trained.start.items() if tensor.is_floating_point()]
    require(bool(names), "The model has no floating-point weights before training.")
    same = [name for name in names if _equal(trained.start[name], trained.weights.get(name))]
    message = f"{len(same)} of {len(names)} weight tensors did not move during training ({listed(same, 5)})."
    require(len(same) <= len(names) / 2, message)
    other = _others(trained)
    require(not other, f"The model has other weights after training than before it ({', '.join(other[:5])}).")


def _others(trained: Trained) -> list[str]:
    """Names that only one of the two states has, or with another shape: room for what no step has learnt."""
    before, after = ({name: each.shape for name, each in state.items()} for state in (trained.start, trained.weights))
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def _equal(before: torch.Tensor, after: torch.Tensor | None) -> bool:
    return after is not None and before.shape == after.shape and torch.equal(before, after)


def state_is_whole(there: object, here: torch.Tensor) -> None:
    """What the model answered where it was trained (`there`) it answers with its weights alone as well."""
    message = (
        "Where it was trained your model answers otherwise than with its weights in a new process: its state is not "
        "all in its state_dict. Statistics belong in buffers (`register_buffer`), what is learnt in parameters."
    )
    require(isinstance(there, torch.Tensor) and there.shape == here.shape, message)
    assert isinstance(there, torch.Tensor)
    require(_apart(there.float(), here.float()) == 0, message)


def learned(untrained: Measure, trained: Measure) -> None:
    """The figure comes from training: the same model before its first step does not have it.

    Catches what answers from its source, with any weights. For classes give `metrics.best_relabelling` of the
    untrained model, since the names of classes are easily learnt by the last layer alone.
    """
    if not math.isfinite(trained.value) or trained.value == 0:
        return  # a matter for the threshold
    gap = abs(trained.value - untrained.value)
    shown = f"The figure is {untrained.value:.4g} before the first step of training and {trained.value:.4g} after it"
    require(gap > CLEARLY * abs(trained.value), f"{shown}: it was not learned here.")


def unlearned_below(last_layer: Measure, trained: Measure) -> str:
    """Why what lies below the last layer may not have been learned here, or nothing.

    `last_layer` is the figure of `Trained.last_layer_alone`: a layer that was trained on features which are gone again
    is worth nothing, but where the features stand in the source they are not gone. A wide network moves little in few
    steps and keeps such features too, so fail by this only where the sizes are the suite's own; else hand it to
    `measured` as a doubt.
    """
    if trained.value == 0 or trained.value - last_layer.value > CLEARLY * trained.value:
        return ""
    return (
        f"With the last layer alone, all weights below it as they began, the figure is {last_layer.value:.4g}, with "
        f"all that was trained {trained.value:.4g}: what the last layer sees was not learned here."
    )


def holds_up(whole: Measure, changed: Measure, how: str, allowed: float = 0.1) -> None:
    """The figure stays about the same when every example is changed a little, drawn anew: `how` says in which way.

    Catches answers that are looked up by what a text or an image looks like, whatever its words are called. `allowed`
    is absolute.
    """
    apart = abs(whole.value - changed.value)
    noise = 3 * math.hypot(whole.standard_error, changed.standard_error)
    message = f"The figure is {whole.value:.4g}, and {changed.value:.4g} {how}: the model knows these very examples."
    require(not apart > allowed + noise, message)


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

    def first(self, rows: int) -> Sample:
        """Some of its rows, with what was answered for them."""
        return Sample(
            *({name: _head(value, rows) for name, value in each.items()} for each in (self.batch, self.answer))
        )


def _head(value: object, rows: int) -> object:
    return value[:rows] if isinstance(value, torch.Tensor) and value.dim() else value


def answers(predict: Predictor, batches: Iterable[Mapping[str, object]]) -> tuple[list[Mapping[str, object]], Sample]:
    """The answers to all batches, at least one, and one of them drawn at random, to be examined."""
    return scored(predict, [(batch, None) for batch in batches], lambda answer, _: answer)


def scored(
    predict: Predictor,
    batches: Iterable[tuple[Mapping[str, object], T]],
    score: Callable[[Mapping[str, object], T], S],
) -> tuple[list[S], Sample]:
    """`answers` that are too large to be kept: of each (batch, what is expected) only the score, and one Sample."""
    asked = list(batches)
    # Not the first one of several: a process that has only begun might behave better than it does later.
    drawn = int(torch.randint(min(1, len(asked) - 1), len(asked), (1,), generator=predict.draw))
    scores, sample = [], None
    for number, (batch, expected) in enumerate(asked):
        answer = predict(batch)
        scores.append(score(answer, expected))
        sample = Sample(batch, answer) if number == drawn else sample
    assert sample is not None
    return scores, sample


def _examined(predict: Predictor, batch: Mapping[str, object] | Sample) -> Sample:
    return batch if isinstance(batch, Sample) else Sample(batch, predict(batch))


def batch_independent(
    predict: Predictor, batch: Mapping[str, object] | Sample, output: str = "logits", positions: int | None = None
) -> None:
    """The same rows give the same outputs in another order and alone, in a process that saw nothing else.

    Catches what leaks between rows or calls: batch statistics in evaluation, dropout that stays on, state that is
    kept, a model that goes on learning from what it is shown. Rows are the first dimension of every tensor.
    `positions`: of outputs (N, T, ...) only so many of T are compared, as of greedy translations, where two words that
    score alike may change places when rounding differs, and all after them.
    """
    sample = _examined(predict, batch)
    before, batch = _output(sample.answer, output, 1), sample.batch
    rows = len(before)
    order = torch.arange(rows - 1, -1, -1)

    def compare(expected: torch.Tensor, asked: torch.Tensor, how: str) -> None:
        found = _output(predict.fresh()(_rows(batch, asked, rows)), output, 1)
        if positions is not None:
            expected, found = expected[:, :positions], found[:, :positions]
        _require_same(expected, found, how, ALONE)

    compare(before[order], order, "in a batch of another order and a new process")
    compare(before[:1], order[-1:], "alone and in a batch")


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


def same_function(sample: Sample, counterparts: Iterable[Counterpart], output: str = "logits") -> None:
    """With the trained weights the reference gives the answer that counted: there is no `doubt`."""
    found = doubt(sample, counterparts, output)
    require(not found, found)


def doubt(sample: Sample, counterparts: Iterable[Counterpart], output: str = "logits") -> str:
    """Why the answer that counted may not be the handout's model's, or nothing; of several readings one is enough.

    For models whose layers and names the handout fixes: with the trained weights the reference must give that answer.
    Whatever else a submission computes, from a rule or a table that stands in its source, is found out here; and so is
    a mistake that another item has judged, so where points hang on it a person decides.
    """
    mine = _output(sample.answer, output, 1)
    answers = [counterpart(sample.batch) for counterpart in counterparts]
    shares = [_share_apart(mine, _output(theirs, output, 1)) for theirs in answers if theirs is not None]
    if not shares:
        return "The trained weights have other names or shapes than the handout's layers."
    if min(shares) <= ROWS_APART:
        return ""
    return f"With these weights the handout's model gives other answers, for {min(shares):.0%} of the examples."


def _share_apart(mine: torch.Tensor, theirs: torch.Tensor) -> float:
    """The share of rows that differ by more than rounding."""
    if mine.shape != theirs.shape:
        return 1.0
    return sum(_apart(a, b) > 0 for a, b in zip(mine, theirs, strict=True)) / len(mine)


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
