"""Cases of hw4_seq2seq. Sizes that occur in parameter shapes are pairwise different."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from grader.suite import Case, Draw, cases

WEIGHT_STD = 0.6


def lstm_weights(draw: Draw, side: str, size: int, hidden: int) -> dict[str, Tensor]:
    """The weights of an LSTM with both biases."""
    return {
        f"{side}.weight_ih_l0": draw.normal(4 * hidden, size, std=WEIGHT_STD),
        f"{side}.weight_hh_l0": draw.normal(4 * hidden, hidden, std=WEIGHT_STD),
        f"{side}.bias_ih_l0": draw.normal(4 * hidden, std=WEIGHT_STD),
        f"{side}.bias_hh_l0": draw.normal(4 * hidden, std=WEIGHT_STD),
    }


def decoder_weights(draw: Draw, vocab: int, hidden: int) -> dict[str, Tensor]:
    """All weights of the decoder, whose embeddings are as large as its hidden state."""
    return {
        "decoder.embedding": draw.normal(vocab, hidden),
        **lstm_weights(draw, "decoder", hidden, hidden),
        "decoder.fc": draw.normal(hidden, 2 * hidden, std=WEIGHT_STD),
        "decoder.fc_bias": draw.normal(hidden, std=WEIGHT_STD),
        "decoder.classifier": draw.normal(vocab, hidden),
        "decoder.classifier_bias": draw.normal(vocab, std=WEIGHT_STD),
    }


@dataclass(frozen=True)
class Encoding(Case):
    """Sentences for the encoder."""

    batch: int
    length: int
    vocab: int
    embedding: int
    hidden: int
    seed: int

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        return {
            "tokens": draw.integers(self.batch, self.length, high=self.vocab - 1),
            "hidden": draw.normal(1, self.batch, self.hidden),
            "cell": draw.normal(1, self.batch, self.hidden),
            "weights": {
                "encoder.embedding": draw.normal(self.vocab, self.embedding),
                **lstm_weights(draw, "encoder", self.embedding, self.hidden),
            },
            "upstream": draw.normal(self.batch, self.length, self.hidden),
        }


def encoding_cases() -> SearchStrategy[Encoding]:
    """From one sentence and one token on."""
    ranges = {"batch": (1, 5), "length": (1, 7), "hidden": (2, 9), "embedding": (2, 9), "vocab": (5, 14)}
    return cases(Encoding, distinct=ranges)


@dataclass(frozen=True)
class Decoding(Case):
    """One step of the decoder."""

    batch: int
    length: int
    vocab: int
    hidden: int
    seed: int

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        return {
            "tokens": draw.integers(self.batch, high=self.vocab - 1),
            "hidden": draw.normal(self.batch, self.hidden),
            "cell": draw.normal(1, self.batch, self.hidden),
            "states": draw.normal(self.batch, self.length, self.hidden),
        }


class WeightedDecoding(Decoding):
    """One step with drawn weights."""

    def inputs(self) -> Mapping[str, object]:
        draw = Draw(self.seed + 1)
        weights = decoder_weights(draw, self.vocab, self.hidden)
        return {**super().inputs(), "weights": weights, "upstream": draw.normal(self.batch, self.vocab)}


SENTENCES = {"batch": (1, 5), "length": (2, 7), "hidden": (3, 9), "vocab": (6, 14)}


def decoding_cases() -> SearchStrategy[WeightedDecoding]:
    """From one sentence on."""
    return cases(WeightedDecoding, distinct=SENTENCES)


class Dropping(Decoding):
    """One step, and sentences for the whole model."""

    def inputs(self) -> Mapping[str, object]:
        draw = Draw(self.seed + 2)
        sentences = {name: draw.integers(self.batch, self.length, high=self.vocab - 1) for name in ("src", "trg")}
        return {**super().inputs(), "tokens": torch.full((self.batch,), self.vocab - 3), **sentences}


def dropout_cases() -> SearchStrategy[Dropping]:
    """Larger states, so that dropping some entries always shows."""
    return cases(Dropping, distinct={"batch": (1, 5), "length": (2, 7), "hidden": (12, 16), "vocab": (6, 11)})


@dataclass(frozen=True)
class Translation(Case):
    """Sentences of one length. Neither holds PAD, so that masking it makes no difference; targets begin with SOS."""

    batch: int
    length: int
    vocab: int
    hidden: int
    seed: int

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        return {
            "src": self.sentences(draw),
            "trg": self.sentences(draw),
            "weights": self.weights(draw),
            "upstream": draw.normal(self.batch, self.vocab, self.length - 1),
        }

    def sentences(self, draw: Draw) -> Tensor:
        """(batch, length) tokens from 2 to the last but one; the first is 0, as SOS."""
        tokens = draw.integers(self.batch, self.length, low=2, high=self.vocab - 1)
        tokens[:, 0] = 0
        return tokens

    def weights(self, draw: Draw) -> dict[str, Tensor]:
        """Of encoder, decoder and the stand-ins."""
        return {
            "encoder.embedding": draw.normal(self.vocab, self.hidden),
            **lstm_weights(draw, "encoder", self.hidden, self.hidden),
            **decoder_weights(draw, self.vocab, self.hidden),
            "stand_in.table": draw.normal(self.vocab, self.hidden),
            "stand_in.mix": draw.normal(self.hidden, self.hidden, std=WEIGHT_STD),
            "stand_in.classifier": draw.normal(self.vocab, self.hidden),
        }


class Leaking(Translation):
    """The same with other sentences that differ everywhere but in the first token."""

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        src, trg, weights = self.sentences(draw), self.sentences(draw), self.weights(draw)
        return {
            "src": src,
            "other_src": self.different(src),
            "trg": trg,
            "other": self.different(trg),
            "weights": weights,
        }

    def different(self, tokens: Tensor) -> Tensor:
        """Another token at every place but the first."""
        moved = (tokens - 1) % (self.vocab - 3) + 2
        moved[:, 0] = 0
        return moved


def translation_cases() -> SearchStrategy[Translation]:
    """From one sentence on; long enough that a wrong token before shows."""
    return cases(Translation, distinct={**SENTENCES, "length": (4, 7)})


def leaking_cases() -> SearchStrategy[Leaking]:
    """From two tokens on."""
    return cases(Leaking, distinct=SENTENCES)
