"""Task 4, measured: the language model is trained here, and its perplexity is computed on text that it has not seen."""

import torch
from demands import chosen, model_cells, not_attempted, notebook_of, require_none, sources
from ranges import wrong_sizes, wrong_training
from tasks import language_task
from training_probes import predict_next_words, train_language_model

from grader.suite import honesty, item
from grader.suite.metrics import log_probabilities, perplexity_of

WORDS = 37
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
    measure = _examined(training.predictor(predict_next_words, run, **options), task)
    note = "" if measure.value < task.frequencies else LEARNT_NOTHING
    training.measured(measure, data=task.name, beside={"word frequencies alone": task.frequencies}, note=note)


def _examined(predict, task):
    """The perplexity over all pieces, once one batch of the counted answers was found to be honest."""
    batches = task.batches()
    # Not the first one of several: a process that has only begun might behave better than it does later.
    looked_at = int(torch.randint(min(1, len(batches) - 1), len(batches), (1,), generator=predict.draw))
    found, answer = [], None
    for number, (batch, targets) in enumerate(batches):
        given = predict(batch)
        found.append(log_probabilities(given.get("logits"), targets).reshape(-1))
        answer = given if number == looked_at else answer
    sample = honesty.Sample(batches[looked_at][0], answer)
    honesty.causal(predict, sample, field="tokens", sees=1, vocabulary=task.vocabulary)
    honesty.batch_independent(predict, sample)
    return perplexity_of(torch.cat(found))
