"""Question 3: the seven configurations of the handout that use the student's own code, trained here and measured.

Their points are the report's, which a person grades; what is measured here is the table that the report has to show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from tasks import batches, reviews_task
from training_probes import predict_classifier, train_classifier

from grader.suite import honesty, item
from grader.suite.changes import without_a_token
from grader.suite.metrics import Measure, accuracy, best_relabelling

CHANGED = 300  # reviews that are asked about again without one of their words
SEEN = 300  # training reviews whose accuracy is shown beside that of held-out ones
WIDTH = {True: 32, False: 64}  # of embeddings and hidden layers, on made and on real data
BATCH = 32
RATE = {True: 5e-3, False: 2e-3}


@item("training.encoder")
def test_encoder(training):
    """Configuration 1, the encoder alone without dropout, learns to tell praise from blame."""
    measure(training, network="recurrent", decoder=False, attention=False, dropout=0.0)


@item("training.encoder_dropout")
def test_encoder_dropout(training):
    """Configuration 2, the encoder alone with dropout 0.3, learns to tell praise from blame."""
    measure(training, network="recurrent", decoder=False, attention=False, dropout=0.3)


@item("training.decoder")
def test_decoder(training):
    """Configuration 3, encoder and decoder without attention, learns to tell praise from blame."""
    measure(training, network="recurrent", decoder=True, attention=False, dropout=0.3)


@item("training.attention")
def test_attention(training):
    """Configuration 4, encoder and decoder with your own attention, learns to tell praise from blame."""
    measure(training, network="recurrent", decoder=True, attention=True, dropout=0.3)


@item("training.prenorm")
def test_prenorm(training):
    """Configuration 5, a Transformer of two pre-norm blocks, learns to tell praise from blame."""
    measure(training, network="transformer", layers=2, block="prenorm", dropout=0.3)


@item("training.prenorm_deep")
def test_prenorm_deep(training):
    """Configuration 6, a Transformer of four pre-norm blocks, learns to tell praise from blame."""
    measure(training, network="transformer", layers=4, block="prenorm", dropout=0.3)


@item("training.postnorm")
def test_postnorm(training):
    """Configuration 7, a Transformer of two post-norm blocks, learns to tell praise from blame."""
    measure(training, network="transformer", layers=2, block="postnorm", dropout=0.3)


def measure(training: Any, **configuration: object) -> None:
    """Train one configuration; its accuracy on held-out reviews counts, that on training reviews is shown beside it."""
    task, made = training.data(reviews_task), training.source.made
    sizes = {"vocabulary": task.vocabulary, "classes": task.classes, "width": WIDTH[made], **configuration}
    run = training.train(
        train_classifier, given=task.train, steps=training.steps, batch=BATCH, rate=RATE[made], **sizes
    )
    honesty.curve_is_plausible(run, training.steps)
    honesty.weights_moved(run)
    classify = training.predictor(predict_classifier, run, **sizes)
    found, sample = honesty.answers(classify, batches(task.held_out))
    honesty.batch_independent(classify, sample)
    reached = accuracy(joined(found), task.held_out["labels"])
    start = training.predictor(predict_classifier, run.untrained(), **sizes)
    examine(training, (start, classify), task.held_out, reached)
    seen = {name: tensor[:SEEN] for name, tensor in task.seen.items()}
    parameters = sum(tensor.numel() for tensor in run.weights.values() if tensor.is_floating_point())
    training.measured(
        reached,
        data=task.name,
        beside={"accuracy on training reviews": on_training(classify, seen), "parameters": parameters},
    )


def examine(training: Any, predictors: tuple[Any, Any], rows: Mapping[str, torch.Tensor], reached: Measure) -> None:
    """The model, before its first step and after its last, learned to tell reviews apart and does not know these."""
    start, classify = predictors
    some = {name: tensor[:CHANGED] for name, tensor in rows.items()}
    honesty.learned(best_relabelling(joined(map(start, batches(some))), some["labels"]), reached)
    tokens, lengths = without_a_token(some["tokens"], some["lengths"], training.draw, first=1, last=1)
    changed = joined(map(classify, batches({**some, "tokens": tokens, "lengths": lengths})))
    honesty.holds_up(reached, accuracy(changed, some["labels"]), "when every review lacks a word")


def joined(answers: Iterable[Mapping[str, Any]]) -> torch.Tensor:
    return torch.cat([answer["logits"] for answer in answers])


def on_training(classify: Any, rows: Mapping[str, torch.Tensor]) -> float:
    """The accuracy of a predictor on rows that it was trained on."""
    return accuracy(joined(map(classify, batches(rows))), rows["labels"]).value
