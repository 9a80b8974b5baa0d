"""What the models learn: trained as the course's notebook trains them, measured on sentences that they have not seen.

The perplexity is the course's: target word t is scored at position t, <sos> counts and <pad> does not. Seq2Seq and the
encoder see the source alone; the full Transformer is given the earlier target words.
"""

import torch
from tasks import END, PAD, translation_task
from training_probes import predict_translator, train_translator

from grader.suite import honesty, item
from grader.suite.metrics import log_probabilities, perplexity_of

# The notebook's sizes; the made sentences know some sixty words.
REAL = {"width": 128, "feedforward": 2048, "batch": 128, "rate": 1e-3}
MADE = {"width": 48, "feedforward": 96, "batch": 32, "rate": 5e-3}
# Attention in the place of the state learns slowly: after 300 steps at the notebook's rate it had a perplexity of 126,
# and who knows nothing but which words are frequent at which position has 114.
RATE_WITH_ATTENTION = 3e-3
TEST_ROWS = 64
FEW_ROWS = 16  # of the greedy translations of a batch
DECISIVE = 3  # words of a greedy translation that are compared twice


@item("training.seq2seq")
def test_seq2seq_learns(training):
    """The RNN translator, with the default hyper-parameters, translates new sentences better than the bar."""
    translates(training, "rnn", positions=DECISIVE)


@item("training.attention")
def test_attention_learns(training):
    """The LSTM translator with attention translates new sentences better than the bar."""
    translates(training, "lstm_attention", positions=DECISIVE, real_rate=RATE_WITH_ATTENTION)


@item("training.encoder")
def test_encoder_learns(training):
    """The Transformer encoder, with the default hyper-parameters, has a better perplexity than the RNN translator."""
    translates(training, "encoder")


@item("training.full")
def test_full_learns(training):
    """The full Transformer predicts the next word of new translations, and from the words before it alone."""
    translates(training, "full")


def translates(training, kind, positions=None, real_rate=REAL["rate"]):
    """Train and measure one translator.

    `positions`: how many of a translation's first words are compared twice, all if None; `real_rate`: of learning on
    real data.
    """
    task = training.data(translation_task)
    setting = dict(MADE) if training.source.made else {**REAL, "rate": real_rate}
    learning = {name: setting.pop(name) for name in ("batch", "rate")}
    model = {
        "kind": kind,
        "source_words": task.source_words,
        "target_words": task.target_words,
        "length": task.length,
        **setting,
    }
    run = training.train(train_translator, given=task.train, steps=training.steps, **learning, **model)
    honesty.weights_moved(run)
    honesty.curve_is_plausible(run, training.steps)
    predict, start = (training.predictor(predict_translator, each, **model) for each in (run, run.untrained()))
    batches = [(inputs(kind, source, target), target) for source, target in task.test_batches(TEST_ROWS)]
    found, sample = honesty.scored(predict, batches, scores)
    examined = sample if positions is None else sample.first(FEW_ROWS)
    honesty.batch_independent(predict, examined, positions=positions)
    if kind == "full":
        honesty.causal(predict, sample, field="target", sees=0, vocabulary=task.target_words, lowest=END + 1)
    counted, words = (torch.cat(part) for part in zip(*found, strict=True))
    measure = perplexity_of(counted)
    batch, target = batches[0]
    honesty.learned(perplexity_of(scores(start(batch), target)[0]), measure)
    parameters = sum(tensor.numel() for tensor in run.weights.values())
    beside = {"perplexity without <sos>": perplexity_of(words).value, "parameters": parameters}
    training.measured(measure, data=task.name, beside=beside)


def inputs(kind, source, target):
    return {"source": source, "target": target} if kind == "full" else {"source": source}


def scores(answer, target):
    """Log-probabilities of the target words, and of those after <sos>."""
    logits = answer["logits"]
    return log_probabilities(logits, target, ignore=PAD), log_probabilities(logits[:, 1:], target[:, 1:], ignore=PAD)
