"""What the judge draws: sizes that are pairwise different where they occur in shapes, batch and time that include 1,
and random weights for every role, normalisation layers included."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from grader.suite import Case, Draw, cases, one_of, sizes

START = 2  # the index of <sos>

# --- RNN and LSTM ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StepCase(Case):
    """One step of the vanilla RNN."""

    batch: int
    input_size: int
    hidden_size: int
    output_size: int
    seed: int

    def inputs(self):
        draw = self.draw()
        weights = {}
        for part, size in (("hidden", self.hidden_size), ("output", self.output_size)):
            weights[f"{part}_x"] = draw.normal(self.input_size, size, std=0.6)
            weights[f"{part}_h"] = draw.normal(self.hidden_size, size, std=0.6)
            weights[f"{part}_b1"] = draw.normal(size, std=0.5)
            weights[f"{part}_b2"] = draw.normal(size, std=0.5)
        return {
            "x": draw.normal(self.batch, self.input_size),
            "h": draw.normal(self.batch, self.hidden_size),
            "output_size": self.output_size,
            "weights": weights,
            "upstream": {
                "output": draw.normal(self.batch, self.output_size),
                "hidden": draw.normal(self.batch, self.hidden_size),
            },
        }


def step_cases():
    return cases(
        StepCase, distinct={"input_size": (2, 8), "hidden_size": (2, 8), "output_size": (2, 8)}, batch=sizes(1, 6)
    )


@dataclass(frozen=True)
class LSTMCase(Case):
    """A batch of sequences for the LSTM."""

    batch: int
    time: int
    input_size: int
    hidden_size: int
    seed: int

    def inputs(self):
        draw = self.draw()
        weights = {}
        for gate in "ifgo":
            weights["w_" + gate] = draw.normal(self.input_size, self.hidden_size, std=0.6)
            weights["bw_" + gate] = draw.normal(self.hidden_size, std=0.5)
            weights["u_" + gate] = draw.normal(self.hidden_size, self.hidden_size, std=0.6)
            weights["bu_" + gate] = draw.normal(self.hidden_size, std=0.5)
        return {
            "x": draw.normal(self.batch, self.time, self.input_size),
            "hidden_size": self.hidden_size,
            "weights": weights,
            "upstream": {name: draw.normal(self.batch, self.hidden_size) for name in ("hidden", "cell")},
        }


def lstm_cases():
    return cases(LSTMCase, distinct={"batch": (1, 6), "input_size": (2, 8), "hidden_size": (2, 8)}, time=sizes(1, 6))


@dataclass(frozen=True)
class RepeatCase(Case):
    """Two batches for one LSTM. Batch equals hidden size: another check looks at batches of other sizes."""

    time: int
    input_size: int
    hidden_size: int
    seed: int

    def inputs(self):
        draw = self.draw()
        shape = (self.hidden_size, self.time, self.input_size)
        return {"x": draw.normal(*shape), "other": draw.normal(*shape, std=2.0), "hidden_size": self.hidden_size}


def repeat_cases():
    return cases(RepeatCase, distinct={"input_size": (2, 6), "hidden_size": (2, 6)}, time=sizes(1, 5))


# --- encoder and decoder ---------------------------------------------------------------------------------------------


def embedding(draw: Draw, words: int, width: int, std: float = 1.0) -> dict[str, Tensor]:
    return {"weight": draw.normal(words, width, std=std)}


def linear(draw: Draw, columns: int, rows: int, std: float = 0.6) -> dict[str, Tensor]:
    return {"weight": draw.normal(rows, columns, std=std), "bias": draw.normal(rows, std=0.5)}


def recurrent(draw: Draw, model: str, inputs: int, hidden: int, std: float = 0.6) -> dict[str, Tensor]:
    rows = hidden * (4 if model == "LSTM" else 1)
    return {
        "weight_ih_l0": draw.normal(rows, inputs, std=std),
        "weight_hh_l0": draw.normal(rows, hidden, std=std),
        "bias_ih_l0": draw.normal(rows, std=0.4),
        "bias_hh_l0": draw.normal(rows, std=0.4),
    }


@dataclass(frozen=True)
class EncoderCase(Case):
    """Source sentences for the encoder. Only where its bridge is graded the two hidden sizes differ."""

    model: str
    bridge: bool
    batch: int
    time: int
    vocabulary: int
    emb_size: int
    encoder_hidden: int
    decoder_hidden: int
    seed: int

    def inputs(self):
        draw = self.draw()
        following = self.decoder_hidden if self.bridge else self.encoder_hidden
        return {
            "tokens": draw.integers(self.batch, self.time, low=2, high=self.vocabulary),
            "sizes": [self.vocabulary, self.emb_size, self.encoder_hidden, following],
            "weights": {
                "embedding": embedding(draw, self.vocabulary, self.emb_size),
                "recurrent": recurrent(draw, self.model, self.emb_size, self.encoder_hidden),
                "bridge_in": linear(draw, self.encoder_hidden, self.encoder_hidden),
                "bridge_out": linear(draw, self.encoder_hidden, following),
            },
            "upstream": {
                "output": draw.normal(self.batch, self.time, self.encoder_hidden),
                "hidden": draw.normal(1, self.batch, following),
                "cell": draw.normal(1, self.batch, self.encoder_hidden),
            },
        }


def encoder_cases(model: str = "RNN", bridge: bool = False):
    smallest = 1 if model == "RNN" else 2  # batch and time of one are graded in RNN mode
    return cases(
        EncoderCase,
        distinct={"emb_size": (2, 8), "encoder_hidden": (2, 8), "decoder_hidden": (2, 8)},
        model=model,
        bridge=bridge,
        vocabulary=sizes(9, 12),
        batch=sizes(smallest, 5),
        time=sizes(smallest, 6),
    )


@dataclass(frozen=True)
class DecoderCase(Case):
    """One call of the decoder. The hidden sizes differ only in one check: the handout's attention needs equal ones."""

    model: str
    equal: bool
    batch: int
    time: int
    vocabulary: int
    emb_size: int
    encoder_hidden: int
    decoder_hidden: int
    seed: int

    def inputs(self):
        draw = self.draw()
        hidden, emb = self.decoder_hidden, self.emb_size
        source = hidden if self.equal else self.encoder_hidden
        return {
            "tokens": draw.integers(self.batch, 1, low=2, high=self.vocabulary),
            "state": {"hidden": draw.normal(1, self.batch, hidden), "cell": draw.normal(1, self.batch, hidden)},
            "encoder_outputs": draw.normal(self.batch, self.time, source),
            "sizes": [emb, source, hidden, self.vocabulary],
            "weights": {
                "embedding": embedding(draw, self.vocabulary, emb),
                "recurrent": recurrent(draw, self.model, emb, hidden),
                "to_words": linear(draw, hidden, self.vocabulary),
            },
            "mix": {
                "mix_context": draw.normal(source, emb, std=0.6),
                "mix_embedded": draw.normal(emb, emb, std=0.6),
                "mix_bias": draw.normal(emb, std=0.5),
            },
            "upstream": {
                "output": draw.normal(self.batch, self.vocabulary),
                "hidden": draw.normal(1, self.batch, hidden),
                "cell": draw.normal(1, self.batch, hidden),
                "attention": draw.normal(self.batch, 1, self.time),
            },
        }


def decoder_cases(model: str = "RNN", equal: bool = True, smallest: int = 2):
    """`smallest` batch: one sentence, and hidden sizes that differ, are graded once, with the output of a step."""
    return cases(
        DecoderCase,
        distinct={"emb_size": (2, 8), "encoder_hidden": (2, 8), "decoder_hidden": (2, 8)},
        model=model,
        equal=equal,
        vocabulary=sizes(9, 12),
        batch=sizes(smallest, 5),
        time=sizes(1, 6),
    )


@dataclass(frozen=True)
class TranslateCase(Case):
    """Source sentences for Seq2Seq. Without attention the steps feed back words that change over time.

    With attention every target word has the same embedding, so that only the attention is looked at.
    """

    model: str
    attention: bool
    batch: int
    time: int
    vocabulary: int
    words: int
    emb_size: int
    hidden: int
    seed: int

    def inputs(self):
        draw = self.draw()
        tokens = draw.integers(self.batch, self.time, low=3, high=self.vocabulary)
        tokens[:, 0] = START
        return {
            "model": self.model,
            "attention": self.attention,
            "tokens": tokens,
            "sizes": [self.vocabulary, self.emb_size, self.hidden, self.words],
            "weights": self._real(draw),
            "stand_in": self._stand_in(draw),
            "upstream": draw.normal(self.batch, self.time, self.words),
        }

    def _words(self, draw: Draw) -> dict[str, Tensor]:
        table = draw.normal(self.words, self.emb_size, std=1.2)
        return {"weight": table[:1].repeat(self.words, 1) if self.attention else table}

    def _real(self, draw: Draw) -> dict[str, dict[str, dict[str, Tensor]]]:
        emb, hidden = self.emb_size, self.hidden
        # Both layers of the bridge have one shape, so they get one weight: their order is graded with the encoder.
        bridge = linear(draw, hidden, hidden)
        return {
            "encoder": {
                "embedding": embedding(draw, self.vocabulary, emb),
                "recurrent": recurrent(draw, self.model, emb, hidden),
                "bridge_in": bridge,
                "bridge_out": {name: tensor.clone() for name, tensor in bridge.items()},
            },
            "decoder": {
                "embedding": self._words(draw),
                "recurrent": recurrent(draw, self.model, emb, hidden, std=0.7),
                "to_words": linear(draw, hidden, self.words, std=1.5),
            },
        }

    def _stand_in(self, draw: Draw) -> dict[str, dict[str, Tensor]]:
        emb, hidden = self.emb_size, self.hidden
        return {
            "encoder": {
                "embedding.weight": draw.normal(self.vocabulary, emb),
                "wave": draw.normal(emb, hidden),
                "state": draw.normal(hidden, hidden),
            },
            "decoder": {
                "embedding.weight": self._words(draw)["weight"],
                "step": draw.normal(emb, hidden, std=0.7),
                "keep": draw.normal(hidden, hidden, std=0.4),
                "score": draw.normal(hidden, self.words, std=1.5),
            },
        }


def translate_cases(attention: bool):
    return cases(
        TranslateCase,
        distinct={"emb_size": (4, 8), "hidden": (4, 8)},
        attention=attention,
        model=one_of("RNN", "LSTM"),
        vocabulary=sizes(10, 12),
        words=sizes(13, 15),
        batch=sizes(2 if attention else 1, 4),
        time=sizes(1, 4) if attention else one_of(1, 5, 6),
    )


# --- theory ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TheoryCase(Case):
    """The recurrent network of the theory question, four steps."""

    inputs_size: int
    hidden: int
    classes: int
    seed: int

    def inputs(self):
        draw = self.draw()
        hidden = self.hidden

        def normal(*shape: int) -> Tensor:
            return draw.normal(*shape, std=0.7)

        return {
            "U": normal(hidden, self.inputs_size),
            "W": normal(hidden, hidden),
            "V": normal(self.classes, hidden),
            "b": normal(hidden),
            "c": normal(self.classes),
            "x": normal(4, self.inputs_size),
            "h0": normal(hidden),
            "y": draw.integers(4, high=self.classes),
        }


def theory_cases():
    return cases(TheoryCase, distinct={"inputs_size": (2, 6), "hidden": (2, 6), "classes": (2, 6)})
