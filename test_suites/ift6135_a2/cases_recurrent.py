"""What the checks of question 1 are run on: sizes that shapes can tell apart, every parameter drawn at random.

B is `batch`, T is `time`; both are 1 in some cases. Masks are (B, T) with 1 for a token and 0 for padding, and the
rows of one batch have different lengths.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st
from torch import Tensor

from grader.suite import Case, Draw, cases, flags, sizes

STD = 0.6
GATES = ("i", "f", "g", "o")


def masks(draw: Draw, batch: int, time: int) -> Tensor:
    """int64 (batch, time), 1 for tokens and 0 for padding."""
    return draw.mask_lengths(batch, time).long()


def lstm_weights(draw: Draw, inputs: int, hidden: int, suffix: str = "") -> dict[str, Tensor]:
    """The four parameters of one direction of an `nn.LSTM` layer, by their names there."""
    shapes = {
        "weight_ih_l0": (4 * hidden, inputs),
        "weight_hh_l0": (4 * hidden, hidden),
        "bias_ih_l0": (4 * hidden,),
        "bias_hh_l0": (4 * hidden,),
    }
    return {name + suffix: draw.normal(*shape, std=STD) for name, shape in shapes.items()}


@dataclass(frozen=True)
class LSTMCase(Case):
    """The hand-written layer: the sixteen parameters by name."""

    batch: int
    time: int
    input_size: int
    hidden: int
    seed: int

    def inputs(self) -> dict[str, object]:
        """Inputs, random first states, weights, and upstream gradients of the outputs and of the last states."""
        draw, state = self.draw(), (1, self.batch, self.hidden)
        weights = {}
        for source, width in (("i", self.input_size), ("h", self.hidden)):
            for gate in GATES:
                weights[f"w_{source}{gate}"] = draw.normal(self.hidden, width, std=STD)
                weights[f"b_{source}{gate}"] = draw.normal(self.hidden, std=STD)
        return {
            "x": draw.normal(self.batch, self.time, self.input_size),
            "states": [draw.normal(*state), draw.normal(*state)],
            "weights": weights,
            "upstream": draw.normal(self.batch, self.time, self.hidden),
            "upstream_states": [draw.normal(*state), draw.normal(*state)],
        }


@dataclass(frozen=True)
class EncoderCase(Case):
    """The bidirectional encoder: the embedding and both directions of its `nn.LSTM`."""

    batch: int
    time: int
    vocabulary: int
    embedding: int
    hidden: int
    seed: int

    def inputs(self) -> dict[str, object]:
        """Token indices with padding among them, random first states, weights and an upstream gradient."""
        draw, state = self.draw(), (2, self.batch, self.hidden)
        return {
            "tokens": draw.integers(self.batch, self.time, high=self.vocabulary),
            "states": [draw.normal(*state), draw.normal(*state)],
            "weights": {
                "embedding.weight": draw.normal(self.vocabulary, self.embedding),
                **lstm_weights(draw, self.embedding, self.hidden),
                **lstm_weights(draw, self.embedding, self.hidden, "_reverse"),
            },
            "upstream": draw.normal(self.batch, self.time, 2 * self.hidden),
        }


@dataclass(frozen=True)
class DecoderCase(Case):
    """The decoder: its `nn.LSTM`, and the matrix of the module that stands in for the attention."""

    batch: int
    time: int
    input_size: int
    hidden: int
    seed: int

    def inputs(self) -> dict[str, object]:
        """Features, random first states, weights, a padding mask and an upstream gradient."""
        draw, state = self.draw(), (1, self.batch, self.hidden)
        return {
            "x": draw.normal(self.batch, self.time, self.input_size),
            "states": [draw.normal(*state), draw.normal(*state)],
            "weights": lstm_weights(draw, self.input_size, self.hidden),
            "matrix": draw.normal(self.input_size, self.input_size, std=STD),
            "mask": masks(draw, self.batch, self.time),
            "upstream": draw.normal(self.batch, self.time, self.hidden),
        }


@dataclass(frozen=True)
class TogetherCase(Case):
    """Encoder, decoder and the student's own attention, joined by the given class."""

    batch: int
    time: int
    vocabulary: int
    embedding: int
    hidden: int
    encoder_only: bool
    attention: bool
    seed: int

    def inputs(self) -> dict[str, object]:
        """Sizes, token indices and a padding mask; the weights are whatever the student's classes start with."""
        draw = self.draw()
        return {
            "tokens": draw.integers(self.batch, self.time, high=self.vocabulary),
            "mask": masks(draw, self.batch, self.time),
            "vocabulary": self.vocabulary,
            "embedding": self.embedding,
            "hidden": self.hidden,
            "encoder_only": self.encoder_only,
            "attention": self.attention,
        }


def lstm_cases() -> st.SearchStrategy[LSTMCase]:
    """Input and hidden size differ."""
    return cases(LSTMCase, distinct={"input_size": (2, 8), "hidden": (2, 8)}, batch=sizes(1, 5), time=sizes(1, 6))


def encoder_cases() -> st.SearchStrategy[EncoderCase]:
    """Vocabulary, embedding and hidden size differ."""
    distinct = {"vocabulary": (5, 12), "embedding": (2, 8), "hidden": (2, 8)}
    return cases(EncoderCase, distinct=distinct, batch=sizes(1, 5), time=sizes(1, 6))


def dropout_cases() -> st.SearchStrategy[EncoderCase]:
    """Enough entries that no dropout leaves them all alone."""
    distinct = {"vocabulary": (5, 12), "embedding": (4, 8), "hidden": (2, 8)}
    return cases(EncoderCase, distinct=distinct, batch=sizes(2, 5), time=sizes(4, 6))


def decoder_cases() -> st.SearchStrategy[DecoderCase]:
    """Input and hidden size differ."""
    return cases(DecoderCase, distinct={"input_size": (2, 8), "hidden": (2, 8)}, batch=sizes(1, 5), time=sizes(1, 6))


def decoder_mask_cases() -> st.SearchStrategy[DecoderCase]:
    """At least two rows, so that some row can be padded."""
    return cases(DecoderCase, distinct={"input_size": (2, 8), "hidden": (2, 8)}, batch=sizes(2, 5), time=sizes(3, 6))


def together_cases() -> st.SearchStrategy[TogetherCase]:
    """All four ways to build the network."""
    distinct = {"vocabulary": (5, 12), "embedding": (2, 8), "hidden": (2, 8)}
    switches = {"encoder_only": flags(), "attention": flags()}
    return cases(TogetherCase, distinct=distinct, batch=sizes(1, 4), time=sizes(1, 5), **switches)
