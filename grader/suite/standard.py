"""Whole trainings in one call each, with the honesty checks that fit their kind.

Classes of pictures, next words, translations, noise in pictures:

    @item("digits")
    def test_digits(training):
        task = training.data(standard.mnist)
        standard.classification(training, train_digits, predict_digits, task)

The training probe finds `inputs` and `labels` in `modules.given` and gets `steps`; the predicting one gets `inputs` and
returns `logits`. `grader.fitting` has both for a model that is a plain module. Options are for both probes, `learning`
for the training one alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch
from torch import Tensor

from grader.datasets.corpora import wikitext2 as wikitext2_of
from grader.datasets.images import Images
from grader.datasets.images import cifar10 as cifar10_of
from grader.datasets.images import mnist as mnist_of
from grader.datasets.source import DataSource
from grader.datasets.vocabulary import Vocabulary
from grader.suite import honesty
from grader.suite.agreement import require, require_close
from grader.suite.metrics import Measure, accuracy, best_relabelling, log_probabilities, mean_loss, perplexity_of
from grader.suite.training import Predictor, Trained, Training
from grader.worker.loading import Probe

MOST_TRAINED, MOST_ASKED = 10_000, 2_000
NOISE = 2  # of 255
CHANGED = 500
LENGTH, MOST_WORDS, PIECES = 32, 2_000, 300
ROWS, SENTENCES, FEW = 200, 64, 16  # the scores of 64 rows with 6,000 words each are 31 MB
NOTHING: Mapping[str, object] = MappingProxyType({})


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

    def batches(self, size: int = ROWS) -> Iterator[dict[str, object]]:
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


def translation(
    training: Training,
    train: Probe,
    predict: Probe,
    task: Task,
    *,
    pad: int,
    start: str = "<sos>",
    forced: bool = False,
    lowest: int = 0,
    positions: int | None = None,
    learning: Mapping[str, object] = NOTHING,
    **options: object,
) -> None:
    """Train, and measure the perplexity of held-out translations, word t at position t. Raises Disagreement.

    The probes know `source` and `target` (N, T): the predicting one is given the source, and with `forced` the target
    as well, of which position t may not see word t. `pad` is not counted, the word at position 0 (`start`) is. Where a
    model writes greedily, only so many `positions` are compared twice; words from `lowest` on are ordinary ones.
    """
    run, ask = _trained(training, train, predict, task, options, learning)
    rows = zip(*(torch.split(side, SENTENCES) for side in (task.inputs, task.labels)), strict=True)
    pairs = [({"source": source, **({"target": target} if forced else {})}, target) for source, target in rows]

    def scores(answer: Mapping[str, object], target: Tensor) -> tuple[Tensor, Tensor]:
        logits = _logits(answer)
        return log_probabilities(logits, target, pad), log_probabilities(logits[:, 1:], target[:, 1:], pad)

    found, sample = honesty.scored(ask, pairs, scores)
    honesty.batch_independent(ask, sample if positions is None else sample.first(FEW), positions=positions)
    if forced:
        honesty.causal(ask, sample, field="target", sees=0, vocabulary=task.classes, lowest=lowest)
    measure, without = (perplexity_of(torch.cat(part)) for part in zip(*found, strict=True))
    batch, target = pairs[0]
    before = scores(training.predictor(predict, run.untrained(), **options)(batch), target)[0]
    honesty.learned(perplexity_of(before), measure)
    parameters = sum(tensor.numel() for tensor in run.weights.values())
    beside = {f"perplexity without {start}": without.value, "parameters": parameters}
    training.measured(measure, data=task.name, beside=beside)


def noised(images: Tensor, kept: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """(pictures (N, …) at a drawn time step each, the steps (N,), the noise in them); `kept` (T,) as in `denoising`."""
    t = torch.randint(len(kept), (len(images),), generator=draw)
    noise = torch.randn(images.shape, generator=draw)
    share = kept[t].float().view(-1, *(1,) * (images.dim() - 1))
    return share.sqrt() * images + (1.0 - share).sqrt() * noise, t, noise


def denoising(
    training: Training,
    train: Probe,
    predict: Probe,
    task: Task,
    *,
    kept: Tensor,
    given: bool = False,
    doubt: Callable[[Trained], str] | None = None,
    learning: Mapping[str, object] = NOTHING,
    **options: object,
) -> None:
    """Train, and measure the mean squared error of the noise that is seen in held-out pictures. Raises Disagreement.

    `kept` (T,) is the product of 1 - beta up to each time step. The predicting probe gets `x_t`, `t` and the labels as
    `cond`, and returns `noise`. `given`: the network is the suite's own; the judge itself asks it with the weights that
    were trained, and no line of the submission is run. `doubt` says of them why a person should look, or nothing.
    """
    run = _run(training, train, task, options, learning)
    x_t, t, noise = noised(task.inputs, kept, training.draw)
    parts = zip(*(torch.split(each, ROWS) for each in (x_t, t, task.labels)), strict=True)
    batches = [dict(zip(("x_t", "t", "cond"), (each.contiguous() for each in part), strict=True)) for part in parts]
    asks = training.counterpart if given else training.predictor
    start, ask = (asks(predict, each, **options) for each in (run.untrained(), run))
    first, measure = (_loss_of_noise([who(batch) for batch in batches], noise) for who in (start, ask))
    honesty.learned(first, measure)
    if not given:
        honesty.batch_independent(training.predictor(predict, run, **options), batches[-1], output="noise")
    training.measured(measure, data=task.name, doubt=doubt(run) if doubt else "")


def _loss_of_noise(answers: Sequence[Mapping[str, object] | None], noise: Tensor) -> Measure:
    fits = all(answer is not None for answer in answers)
    require(fits, "The trained weights have other names or shapes than the network that was given.")
    seen = [answer["noise"] for answer in answers if answer is not None]
    require(all(isinstance(each, Tensor) for each in seen), "The network should return a tensor.")
    found = torch.cat([each for each in seen if isinstance(each, Tensor)])
    require(found.shape == noise.shape, f"The noise should have the pictures' shape, it has {tuple(found.shape[1:])}.")
    return mean_loss((found - noise).pow(2).flatten(1).mean(dim=1))


def _run(
    training: Training, train: Probe, task: Task, options: Mapping[str, object], learning: Mapping[str, object]
) -> Trained:
    run = training.train(train, given=task.train, steps=training.steps, **learning, **options)
    honesty.curve_is_plausible(run, training.steps)
    honesty.weights_moved(run)
    return run


def _trained(
    training: Training,
    train: Probe,
    predict: Probe,
    task: Task,
    options: Mapping[str, object],
    learning: Mapping[str, object] = NOTHING,
) -> tuple[Trained, Predictor]:
    run = _run(training, train, task, options, learning)
    ask = training.predictor(predict, run, **options)
    if {"inputs", "logits"} <= run.values.keys():
        honesty.state_is_whole(run.values["logits"], _logits(ask({"inputs": run.values["inputs"]})))
    return run, ask


def _logits(answer: Mapping[str, object]) -> Tensor:
    logits = answer["logits"]
    require_close(isinstance(logits, Tensor), True, "whether the model returns a tensor")
    assert isinstance(logits, Tensor)
    return logits
