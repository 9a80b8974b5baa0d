"""Task 4, measured: the language model is trained here, and its perplexity is computed on text that it has not seen."""

import torch
from demands import chosen, model_cells, not_attempted, notebook_of, require_none, sources
from ranges import other_sizes, wrong_sizes, wrong_training
from tasks import language_task
from training_probes import predict_next_words, train_language_model

from grader.suite import honesty, item
from grader.suite.changes import with_another_token
from grader.suite.metrics import log_probabilities, mean_loss, perplexity_of

WORDS = 37
CHANGED = 100  # pieces that are asked about again with one other word
FORGOTTEN = 3  # so many words later
LEARNT_NOTHING = (
    "A guess by the frequency of the words alone does better: the training diverged or stood still. Look at the loss "
    "over the steps, and at the learning rate."
)


@item("training.language_model")
def test_language_model(training, student, submission):
    """Trained with its own `train` and hyper-parameters, the model predicts text that it has not seen."""
    saved = notebook_of(submission)
    if saved.unfilled("train") or saved.unfilled("get_batch"):
        not_attempted(student, "complete train and get_batch")
    values = chosen(student, submission, WORDS)
    require_none(f"Not trained. {sentence}" for sentence in (*wrong_sizes(values), *wrong_training(values)))
    task = training.data(language_task)
    options = {"words": task.vocabulary, "cells": sources(model_cells(saved))}
    run = training.train(train_language_model, given=task.given(training.steps), steps=training.steps, **options)
    honesty.curve_is_plausible(run, training.steps)
    honesty.weights_moved(run)
    require_none(f"{sentence} Sizes may not depend on the vocabulary." for sentence in other_sizes(values, run.weights))
    trained, start = (training.predictor(predict_next_words, each, **options) for each in (run, run.untrained()))
    measure = _examined(trained, start, task)
    note = "" if measure.value < task.frequencies else LEARNT_NOTHING
    training.measured(measure, data=task.name, beside={"word frequencies alone": task.frequencies}, note=note)


def _examined(predict, start, task):
    """The perplexity over all pieces, once one batch of the counted answers was found to be honest."""
    batches = task.batches()
    found, sample = honesty.scored(predict, batches, _scores)
    honesty.causal(predict, sample, field="tokens", sees=1, vocabulary=task.vocabulary)
    honesty.batch_independent(predict, sample)
    measure = perplexity_of(torch.cat([scores.reshape(-1) for scores in found]))
    batch, targets = batches[0]
    honesty.learned(perplexity_of(_scores(start(batch), targets).reshape(-1)), measure)
    _not_known(predict, batch["tokens"][:CHANGED], targets[:CHANGED], task.vocabulary)
    return measure


def _scores(answer, targets):
    return log_probabilities(answer.get("logits"), targets).reshape(targets.shape)


def _not_known(predict, tokens, targets, vocabulary):
    """One word of each piece is another: what follows some words later is about as well predicted as before."""
    changed, places = with_another_token(tokens, vocabulary, predict.draw)
    later = torch.arange(tokens.shape[1]) > places[:, None] + FORGOTTEN
    before, after = (_scores(predict({"tokens": each}), targets)[later] for each in (tokens, changed))
    honesty.holds_up(mean_loss(-before), mean_loss(-after), "some words after an exchanged one", allowed=0.2)
