"""What the models reach when they are trained here: the judge holds the test split and measures by itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from saved_logs import figures, log_lines, of
from tasks import news_task, pictures_task, translation_task
from training_probes import (
    predict_checkpoint,
    predict_rnn,
    predict_seq2seq,
    predict_vit,
    train_rnn,
    train_seq2seq,
    train_vit,
)

from grader.datasets.source import MissingData
from grader.suite import honesty, item, require
from grader.suite.changes import without_a_token
from grader.suite.metrics import Measure, accuracy, best_relabelling, log_probabilities, perplexity_of
from grader.suite.training import Trained

REACHED = 0.65  # a checkpoint that misses this leaves the item to a training here
COMPARED = 16  # rows that tell whether the targets are read at all
CHANGED = 500  # examples that are asked about again with a small change
NOISE = 2  # of 255
HANDOUT_SIZES = {"patch_size": [4, 4], "dim": 128, "depth": 8, "num_heads": 8, "mlp_dim": 256}
SIZE = re.compile(
    r"^(patch_size|dim|depth|num_heads|mlp_dim) *= *"
    r"(?:([1-9][0-9]{0,3})|\( *([1-9][0-9]?), *([1-9][0-9]?) *\)) *(?:#.*)?$",
    re.MULTILINE | re.ASCII,
)
PICTURE = {"image_shape": [3, 32, 32], "num_classes": 10}


def _first(batch: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tensor[:COMPARED] for name, tensor in batch.items()}


@item("rnn.learns")
def test_rnn_learns(training):
    """Trained here by your own train, the classifier reaches the handout's 70 % on news that it has not seen."""
    task = training.data(news_task)
    made = training.source.made
    options = {"vocabulary": task.vocabulary, "classes": task.classes, "size": 64, "hidden": 64 if made else 128}
    rate = 3e-3 if made else 2e-3
    run = training.train(train_rnn, given=task.train, steps=training.steps, batch=64, rate=rate, **options)
    honesty.curve_is_plausible(run, training.steps)
    honesty.weights_moved(run)
    classify = training.predictor(predict_rnn, run, **options)
    batches = list(task.test_batches())
    found, sample = honesty.answers(classify, batches)
    honesty.batch_independent(classify, sample)
    measure = accuracy(_joined(found), task.test_labels)
    start = training.predictor(predict_rnn, run.untrained(), **options)
    _learned(start, batches[0], task.test_labels, measure)
    some = accuracy(_joined(found)[:CHANGED], task.test_labels[:CHANGED])
    texts, lengths = without_a_token(task.texts[:CHANGED], task.lengths[:CHANGED], training.draw)
    changed = _joined(map(classify, replace(task, texts=texts, lengths=lengths).test_batches()))
    honesty.holds_up(some, accuracy(changed, task.test_labels[:CHANGED]), "when every text lacks a word")
    training.measured(measure, data=task.name, beside={"chance": 1 / task.classes})


def _joined(answers: Iterable[Mapping[str, Any]]) -> torch.Tensor:
    return torch.cat([answer["logits"] for answer in answers])


def _learned(start: Any, batch: Mapping[str, Any], labels: torch.Tensor, measure: Measure) -> None:
    """`labels` begin with those of the batch."""
    logits = start(batch)["logits"]
    honesty.learned(best_relabelling(logits, labels[: len(logits)]), measure)


@item("seq2seq.learns")
def test_seq2seq_learns(training):
    """Trained here, your encoder, decoder and LSTMSeq2Seq reach the perplexity on sentences that they have not seen."""
    task = training.data(translation_task)
    hidden = 64 if training.source.made else 128
    options = {"inputs": task.inputs, "outputs": task.outputs, "length": task.length, "hidden": hidden, "dropout": 0.1}
    run = training.train(train_seq2seq, given=task.train, steps=training.steps, batch=64, rate=3e-3, **options)
    honesty.curve_is_plausible(run, training.steps)
    honesty.weights_moved(run)
    translate = training.predictor(predict_seq2seq, run, **options)
    # Position t is scored by what was written before it; at position 0 stands SOS, which counts in the notebook.
    score = partial(_scores, pad=task.pad)
    scored, sample = honesty.scored(translate, _with_targets(task), score)
    honesty.causal(translate, sample, field="words", sees=0, vocabulary=task.outputs)
    honesty.batch_independent(translate, sample)
    if task.substitute and _feeds_itself(translate, _first(sample.batch), training.draw, task.outputs):
        raise MissingData(
            "your model feeds its own words to the decoder in evaluation mode, so its perplexity can be compared with "
            "the handout's on the notebook's own sentences (eng-fra.txt) only, which are not at hand"
        )
    without = torch.cat([later for _, later in scored])
    figure = perplexity_of(torch.cat([*(first for first, _ in scored), without]))
    batch, words = _with_targets(task)[0]
    start = training.predictor(predict_seq2seq, run.untrained(), **options)(batch)
    honesty.learned(perplexity_of(torch.cat(_scores(start, words, task.pad))), figure)
    training.measured(figure, data=task.name, beside={"perplexity without position 0": perplexity_of(without).value})


def _with_targets(task: Any) -> list[tuple[Mapping[str, Any], torch.Tensor]]:
    """(what the model is shown, its words with SOS in front)"""
    batches = list(task.test_batches())
    return list(zip(batches, task.trg.split([len(batch["src"]) for batch in batches]), strict=True))


def _scores(answer: Mapping[str, Any], words: torch.Tensor, pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of the words at position 0, and of all that follow."""
    first, later = answer.get("first"), answer.get("logits")
    return log_probabilities(first, words[:, :1], pad), log_probabilities(later, words[:, 1:], pad)  # type: ignore[arg-type]


def _feeds_itself(translate: Any, batch: Mapping[str, Any], draw: torch.Generator, vocabulary: int) -> bool:
    """Whether the targets do not matter at all. Greedy decoding is an honest reading of the handout."""
    words = batch["words"]
    others = torch.randint(0, vocabulary, words.shape, generator=draw)
    first, second = translate(batch)["logits"], translate({**batch, "words": others})["logits"]
    return bool((first - second).abs().max() < 1e-4)


@item("vit.learns")
def test_vit_learns(training, submission):
    """With the log in the saved output, the ViT reaches 65 % on unseen images: trained here, or as handed in."""
    task = training.data(pictures_task)
    note = _handed_in(training, submission, task) if "vit_checkpoint" in submission else ""
    if note is None:
        return
    small = {"dim": 64, "depth": 1, "num_heads": 2, "mlp_dim": 128}
    large = {"dim": 96, "depth": 3, "num_heads": 3, "mlp_dim": 192}
    made = training.source.made
    options = {"sizes": {**PICTURE, "patch_size": [4, 4], **(small if made else large)}, "whiten": task.whiten}
    # Some made classes are mirror images of others.
    more = {"batch": 64, "rate": 4e-3 if made else 2e-3, "mirror": not made}
    run = training.train(train_vit, given=task.train, steps=training.steps, **more, **options)
    _require_a_log(submission)  # after the training, so that a template's hole shows as such
    honesty.curve_is_plausible(run, training.steps)
    honesty.weights_moved(run)
    classify = training.predictor(predict_vit, run, **options)
    batches = list(task.test_batches())
    found, sample = honesty.answers(classify, batches)
    honesty.batch_independent(classify, sample)
    measure = accuracy(_joined(found), task.test_labels)
    _learned(training.predictor(predict_vit, run.untrained(), **options), batches[0], task.test_labels, measure)
    last = training.predictor(predict_vit, run.last_layer_alone(task.classes), **options)(batches[0])["logits"]
    trouble = honesty.unlearned_below(accuracy(last, task.test_labels[: len(last)]), measure)
    require(not trouble, trouble)
    _known(classify, task.images[:CHANGED], _joined(found), task.test_labels, training.draw)
    training.measured(measure, data=task.name, beside={"chance": 1 / task.classes}, note=note)


def _known(classify: Any, images: torch.Tensor, logits: torch.Tensor, labels: torch.Tensor, draw: Any) -> None:
    """Images are not looked up: a little noise, which a table of them does not survive, changes next to nothing."""
    noise = torch.randint(-NOISE, NOISE + 1, images.shape, generator=draw)
    changed = (images.int() + noise).clamp(0, 255).to(torch.uint8)
    before, after = logits[: len(images)], classify({"images": changed})["logits"]
    measures = (accuracy(each, labels[: len(images)]) for each in (before, after))
    honesty.holds_up(*measures, "with a little noise on every image")


def _require_a_log(submission: Any) -> None:
    saved = figures(submission.notebook("vit"))
    shown = log_lines(saved) >= 2 and bool(of(saved, "accuracy", "train", "valid", "test", ""))
    require(shown, "The saved output shows no training log with an accuracy; the handout gives no points without.")


def _handed_in(training: Any, submission: Any, task: Any) -> str | None:
    """Measure the checkpoint. None when it reached what is asked for; else the remark for the training that follows."""
    name = submission.name("vit_checkpoint")
    sizes = {**PICTURE, **_sizes_of(submission.notebook("vit"))}
    classify = training.predictor(predict_checkpoint, Trained(weights={}, start={}), path=name, sizes=sizes)
    batches = list(task.plain_batches())
    trouble = classify(_first(batches[0])).get("trouble")
    if trouble:
        return f"The checkpoint was not used: {str(trouble)[:600]}. The model was trained here instead."
    _require_a_log(submission)
    found, sample = honesty.answers(classify, batches)
    honesty.batch_independent(classify, sample)
    _known(classify, task.plain[:CHANGED], _joined(found), task.plain_labels, training.draw)
    reached = accuracy(_joined(found), task.plain_labels)
    if reached.value < REACHED:
        return f"The checkpoint {name} reaches {reached.value:.1%}; the model was trained here instead."
    text = f"Measured with the weights of {name}, which were handed in; what they were trained on is not known."
    training.measured(reached, data=task.name, beside={"chance": 1 / task.classes}, way="checkpoint", note=text)
    return None


def _sizes_of(notebook: Any) -> dict[str, Any]:
    """The sizes of the ViT as the notebook assigns them in numbers; the handout's where it does not."""
    found: dict[str, Any] = dict(HANDOUT_SIZES)
    for cell in notebook.cells:
        for match in SIZE.finditer(cell.source) if cell.kind == "code" else ():
            name, one, high, wide = match.groups()
            if isinstance(found[name], list) == bool(high):
                found[name] = [int(high), int(wide)] if high else int(one)
    return found
