"""What the judge draws: sizes that are pairwise different where they occur in shapes, batch and time that include 1,
and random weights for every role, normalisation layers included."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from grader.suite import Case, Draw, cases, one_of, sizes

PAD, START = 1, 2

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
    return cases(
        LSTMCase, distinct={"batch": (1, 6), "input_size": (2, 8), "hidden_size": (2, 8)}, time=sizes(1, 6)
    )


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
            "tokens": draw.integers(self.batch, self.time, high=self.vocabulary),
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
    """One call of the decoder. With attention both hidden sizes are equal, as the handout's form of it needs."""

    model: str
    attention: bool
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
        source = hidden if self.attention else self.encoder_hidden
        return {
            "tokens": draw.integers(self.batch, 1, high=self.vocabulary),
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


def decoder_cases(model: str = "RNN", attention: bool = False, smallest: int = 2):
    """`smallest` batch: a batch of one is graded once, where the output of a step is."""
    return cases(
        DecoderCase,
        distinct={"emb_size": (2, 8), "encoder_hidden": (2, 8), "decoder_hidden": (2, 8)},
        model=model,
        attention=attention,
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
        table = draw.normal(self.words, self.emb_size, std=1.5)
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
                "recurrent": recurrent(draw, self.model, emb, hidden, std=1.2),
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
                "step": draw.normal(emb, hidden, std=1.2),
                "keep": draw.normal(hidden, hidden, std=0.8),
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
        time=sizes(1, 5) if attention else one_of(1, 5, 6, 7, 8),
    )


# --- one-layer Transformer -------------------------------------------------------------------------------------------


def layer_norm(draw: Draw, width: int) -> dict[str, Tensor]:
    return {"weight": draw.normal(width, std=0.6), "bias": draw.normal(width, std=0.6)}


@dataclass(frozen=True)
class LayerCase(Case):
    """Sentences for the one-layer Transformer, as long as its position table."""

    batch: int
    time: int
    input_size: int
    output_size: int
    hidden: int
    feedforward: int
    dim_k: int
    dim_v: int
    seed: int

    def inputs(self):
        draw = self.draw()
        hidden, shape = self.hidden, (self.batch, self.time)
        return {
            "tokens": draw.integers(*shape, high=self.input_size),
            "x": draw.normal(*shape, hidden),
            "sizes": {
                "input_size": self.input_size,
                "output_size": self.output_size,
                "hidden_dim": hidden,
                "dim_feedforward": self.feedforward,
                "dim_k": self.dim_k,
                "dim_v": self.dim_v,
                "dim_q": self.dim_k,
                "max_length": self.time,
            },
            "weights": {
                "words": embedding(draw, self.input_size, hidden),
                "positions": embedding(draw, self.time, hidden),
                "widen": linear(draw, hidden, self.feedforward),
                "narrow": linear(draw, self.feedforward, hidden, std=0.5),
                "norm_ff": layer_norm(draw, hidden),
                "to_words": linear(draw, hidden, self.output_size),
            },
            "named": self._heads(draw),
            "stand_in": {
                "table": draw.normal(self.input_size, hidden),
                "mix": draw.normal(hidden, hidden, std=0.7),
                "bend": draw.normal(hidden, hidden, std=0.7),
                "score": draw.normal(hidden, self.output_size, std=0.7),
            },
            "upstream": {"hidden": draw.normal(*shape, hidden), "scores": draw.normal(*shape, self.output_size)},
        }

    def _heads(self, draw: Draw) -> dict[str, Tensor]:
        layers = {
            f"{kind}{head}": linear(draw, self.hidden, self.dim_v if kind == "v" else self.dim_k)
            for head in (1, 2)
            for kind in "kvq"
        }
        layers["attention_head_projection"] = linear(draw, 2 * self.dim_v, self.hidden, std=0.5)
        layers["norm_mh"] = layer_norm(draw, self.hidden)
        return {f"{name}.{leaf}": tensor for name, layer in layers.items() for leaf, tensor in layer.items()}


def layer_cases():
    return cases(
        LayerCase,
        distinct={"dim_k": (2, 5), "dim_v": (2, 5)},
        batch=sizes(1, 4),
        time=sizes(1, 6),
        input_size=sizes(21, 24),
        output_size=sizes(16, 19),
        hidden=one_of(6, 8, 10),
        feedforward=sizes(11, 15),
    )


# --- full Transformer ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FullCase(Case):
    """Sentences for the full Transformer; `padded` ends rows with <pad>; `at` is the target position that is changed.

    Step 0 always predicts <sos> and no step predicts <pad>: on such weights the two conventions for the target buffer
    in greedy decoding (prediction t stands at t, or behind a copied <sos> at t + 1) give the same scores.
    """

    padded: bool
    batch: int
    time: int
    input_size: int
    output_size: int
    hidden: int
    feedforward: int
    at: int
    seed: int

    def inputs(self):
        draw = self.draw()
        return {
            "src": self._sentences(draw, self.input_size),
            "tgt": self._sentences(draw, self.output_size),
            "at": self.at,
            "sizes": {
                "input_size": self.input_size,
                "output_size": self.output_size,
                "hidden_dim": self.hidden,
                "dim_feedforward": self.feedforward,
                "num_layers_enc": 2,
                "num_layers_dec": 2,
                "max_length": self.time,
            },
            "weights": self._outer(draw),
            "inner": self._inner(draw),
            "stand_in": {
                "words": draw.normal(self.output_size, self.hidden, std=1.5),
                "positions": draw.normal(self.time, self.hidden, std=1.5),
                "score": draw.normal(self.hidden, self.output_size, std=1.5),
            },
            "upstream": draw.normal(self.batch, self.time, self.output_size),
        }

    def _sentences(self, draw: Draw, words: int) -> Tensor:
        tokens = draw.integers(self.batch, self.time, low=4, high=words)
        tokens[:, 0] = START
        if self.padded:
            lengths = draw.integers(self.batch, low=2, high=self.time)
            tokens[torch.arange(self.time) >= lengths[:, None]] = PAD
        return tokens

    def _outer(self, draw: Draw) -> dict[str, dict[str, Tensor]]:
        weights = {
            "srcembeddingL": embedding(draw, self.input_size, self.hidden),
            "tgtembeddingL": embedding(draw, self.output_size, self.hidden),
            "srcposembeddingL": embedding(draw, self.time, self.hidden),
            "tgtposembeddingL": embedding(draw, self.time, self.hidden, std=2.0),
            "to_words": linear(draw, self.hidden, self.output_size, std=0.9),
        }
        # Feature 0 of the decoder says "first position" and nothing else: see `_inner`.
        weights["tgtembeddingL"]["weight"][:, 0] = 0
        weights["tgtposembeddingL"]["weight"][:, 0] = -4
        weights["tgtposembeddingL"]["weight"][0, 0] = 4
        score = weights["to_words"]
        score["weight"][:, 0] = 0
        score["weight"][START] = 0
        score["weight"][START, 0] = 20
        score["bias"] *= 0.3
        score["bias"][PAD] = -30
        return weights

    def _inner(self, draw: Draw) -> dict[str, Tensor]:
        """Weights of nn.Transformer by name. No sub-layer of the decoder writes feature 0, and its norms keep the sign.

        Sub-layers add little to the residual stream, so that the scores go on to depend on word and position.
        """
        shapes = nn.Transformer(self.hidden, 2, 2, 2, self.feedforward, batch_first=True).named_parameters()
        weights = {}
        for name, parameter in shapes:
            written = name.startswith("decoder.") and any(part in name for part in ("out_proj", "linear2"))
            is_scale = "norm" in name and name.endswith("weight")
            tensor = draw.normal(*parameter.shape, std=0.08 if written else 0.1 if "norm" in name else 0.5)
            tensor = tensor + 1 if is_scale else tensor
            if written or name.startswith("decoder.") and "norm" in name:
                tensor[0] = 1.6 if is_scale else 0
            weights[name] = tensor
        return weights


def full_cases(padded: bool = False):
    return cases(
        FullCase,
        padded=padded,
        batch=sizes(1, 4),
        time=sizes(4, 8),
        input_size=sizes(21, 24),
        output_size=sizes(14, 17),
        hidden=one_of(8, 10),
        feedforward=sizes(11, 13),
        at=sizes(1, 2),
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
            return draw.normal(*shape, std=0.7).double()

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
