"""What the models learn: trained as the course's notebook trains them, measured on sentences that they have not seen.

The perplexity is the course's: target word t is scored at position t, <sos> counts and <pad> does not. Seq2Seq and the
encoder see the source alone; the full Transformer is given the earlier target words.
"""

from tasks import END, PAD, translation_task
from training_probes import predict_translator, train_translator

from grader.suite import item, standard

# The notebook's sizes; the made sentences know some sixty words.
REAL = {"width": 128, "feedforward": 2048, "batch": 128, "rate": 1e-3}
MADE = {"width": 48, "feedforward": 96, "batch": 32, "rate": 5e-3}
# Attention in the place of the state learns slowly: after 300 steps at the notebook's rate it had a perplexity of 126,
# and who knows nothing but which words are frequent at which position has 114.
RATE_WITH_ATTENTION = 3e-3
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
    translates(training, "full", forced=True, lowest=END + 1)


def translates(training, kind, real_rate=REAL["rate"], **checks):
    """Train and measure one translator. `real_rate`: of learning on real data."""
    task = training.data(translation_task)
    setting = dict(MADE) if training.source.made else {**REAL, "rate": real_rate}
    checks["learning"] = {name: setting.pop(name) for name in ("batch", "rate")}
    words = {"source_words": task.source_words, "target_words": task.classes, "length": task.length}
    probes = train_translator, predict_translator
    standard.translation(training, *probes, task, pad=PAD, kind=kind, **words, **setting, **checks)
