"""Whole trainings in one call each, with the honesty checks that fit their kind: classes of pictures, next words.

    @item("digits")
    def test_digits(training):
        task = training.data(standard.mnist)
        standard.classification(training, train_digits, predict_digits, task)

The training probe finds `inputs` and `labels` in `modules.given` and gets `steps`; the predicting one gets `inputs` and
returns `logits`. `grader.fitting` has both for a model that is a plain module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from grader.datasets.corpora import wikitext2 as wikitext2_of
from grader.datasets.images import Images
from grader.datasets.images import cifar10 as cifar10_of
from grader.datasets.images import mnist as mnist_of
from grader.datasets.source import DataSource
from grader.datasets.vocabulary import Vocabulary
from grader.suite import honesty
from grader.suite.agreement import require_close
from grader.suite.metrics import accuracy, best_relabelling, log_probabilities, perplexity_of
from grader.suite.training import Predictor, Trained, Training
from grader.worker.loading import Probe

MOST_TRAINED, MOST_ASKED = 10_000, 2_000
NOISE = 2  # of 255
CHANGED = 500
LENGTH, MOST_WORDS, PIECES = 32, 2_000, 300


@dataclass(frozen=True)
class Task:
    """Inputs (N, …) with labels (N, …) to learn from, and others of the same kind that the judge keeps.

    `classes`: of the labels; for words the size of the vocabulary.
    """

    name: str
    train: Mapping[str, Tensor]
    inputs: Tensor
    labels: Tensor
    classes: int

    def batches(self, size: int = 200) -> Iterator[dict[str, object]]:
        """Held-out inputs without labels."""
        return ({"inputs": part.contiguous()} for part in torch.split(self.inputs, size))


def mnist(source: DataSource, draw: torch.Generator) -> Task:
    """Pictures (N, 1, 28, 28) uint8 of ten digits. Raises MissingData, DamagedData."""
    return _pictures(mnist_of(source), draw)


def cifar10(source: DataSource, draw: torch.Generator) -> Task:
    """Pictures (N, 3, 32, 32) uint8 of ten classes. Raises MissingData, DamagedData."""
    return _pictures(cifar10_of(source), draw)


def wikitext2(source: DataSource, draw: torch.Generator) -> Task:
    """Stretches (N, 32) int64 of text with the word after each word. Raises MissingData, DamagedData."""
    corpus = wikitext2_of(source)
    words = Vocabulary.build([corpus.train], max_size=MOST_WORDS).relabelled(draw)
    train, test = (
        torch.tensor(words.ids(part)).unfold(0, LENGTH + 1, LENGTH)[:, : LENGTH + 1]
        for part in (corpus.train, corpus.test)
    )
    held_out = test[torch.randperm(len(test), generator=draw)[:PIECES]].contiguous()
    return Task(
        corpus.name,
        {"inputs": train[:, :-1].contiguous(), "labels": train[:, 1:].contiguous()},
        held_out[:, :-1].contiguous(),
        held_out[:, 1:].contiguous(),
        len(words),
    )


def _pictures(data: Images, draw: torch.Generator) -> Task:
    """Turned, perhaps as negatives, colours and classes in a secret order: weights made elsewhere know nothing."""
    turns, negative = int(torch.randint(4, (1,), generator=draw)), bool(torch.randint(2, (1,), generator=draw))
    colours, names = torch.randperm(data.train_images.shape[-1], generator=draw), torch.randperm(10, generator=draw)

    def disguised(images: Tensor, most: int) -> Tensor:
        turned = images[:most].permute(0, 3, 1, 2)[:, colours].rot90(turns, (2, 3))
        return (255 - turned if negative else turned).contiguous()

    labels = names[data.train_labels[:MOST_TRAINED].long()]
    return Task(
        data.name,
        {"inputs": disguised(data.train_images, MOST_TRAINED), "labels": labels},
        disguised(data.test_images, MOST_ASKED),
        names[data.test_labels[:MOST_ASKED].long()],
        10,
    )


def classification(training: Training, train: Probe, predict: Probe, task: Task, **options: object) -> None:
    """Train, and measure the share of held-out rows that are named rightly. Raises Disagreement."""
    run, ask = _trained(training, train, predict, task, options)
    found, sample = honesty.answers(ask, task.batches())
    honesty.batch_independent(ask, sample)
    logits = torch.cat([_logits(answer) for answer in found])
    measure = accuracy(logits, task.labels)
    first = next(task.batches())
    start = _logits(training.predictor(predict, run.untrained(), **options)(first))
    honesty.learned(best_relabelling(start, task.labels[: len(start)]), measure)
    noise = torch.randint(-NOISE, NOISE + 1, task.inputs[:CHANGED].shape, generator=training.draw)
    changed = replace(task, inputs=(task.inputs[:CHANGED] + noise).clamp(0, 255).to(task.inputs.dtype))
    again = torch.cat([_logits(ask(batch)) for batch in changed.batches()])
    some = accuracy(logits[:CHANGED], task.labels[:CHANGED])
    honesty.holds_up(some, accuracy(again, task.labels[:CHANGED]), "when every picture has a little noise")
    doubt = ""
    if any(task.classes not in tensor.shape for tensor in run.weights.values()):  # there is something below
        last = _logits(training.predictor(predict, run.last_layer_alone(task.classes), **options)(first))
        doubt = honesty.unlearned_below(accuracy(last, task.labels[: len(last)]), measure)
    training.measured(measure, data=task.name, beside={"chance": 1 / task.classes}, doubt=doubt)


def language_model(training: Training, train: Probe, predict: Probe, task: Task, **options: object) -> None:
    """Train, and measure the perplexity of the next word on held-out text. Raises Disagreement."""
    run, ask = _trained(training, train, predict, task, options)
    pairs = list(zip(task.batches(50), torch.split(task.labels, 50), strict=True))
    scores, sample = honesty.scored(ask, pairs, lambda answer, labels: log_probabilities(_logits(answer), labels))
    honesty.causal(ask, sample, field="inputs", sees=1, vocabulary=task.classes)
    honesty.batch_independent(ask, sample)
    measure = perplexity_of(torch.cat(scores))
    batch, labels = pairs[0]
    start = _logits(training.predictor(predict, run.untrained(), **options)(batch))
    honesty.learned(perplexity_of(log_probabilities(start, labels)), measure)
    training.measured(measure, data=task.name)


def _trained(
    training: Training, train: Probe, predict: Probe, task: Task, options: Mapping[str, object]
) -> tuple[Trained, Predictor]:
    run = training.train(train, given=task.train, steps=training.steps, **options)
    honesty.curve_is_plausible(run, training.steps)
    honesty.weights_moved(run)
    ask = training.predictor(predict, run, **options)
    if {"inputs", "logits"} <= run.values.keys():
        honesty.state_is_whole(run.values["logits"], _logits(ask({"inputs": run.values["inputs"]})))
    return run, ask


def _logits(answer: Mapping[str, object]) -> Tensor:
    logits = answer["logits"]
    require_close(isinstance(logits, Tensor), True, "whether the model returns a tensor")
    assert isinstance(logits, Tensor)
    return logits
