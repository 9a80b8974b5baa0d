"""What the judge draws for Transformer.py: every weight, normalisation layers included."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from cases import embedding, linear
from torch import Tensor, nn

from grader.suite import Case, Draw, cases, one_of, sizes

PAD, START = 1, 2

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
            "tokens": draw.integers(*shape, low=2, high=self.input_size),
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
                "mix": draw.normal(hidden, hidden, std=0.5),
                "bend": draw.normal(hidden, hidden, std=0.5),
                "score": draw.normal(hidden, self.output_size, std=0.7),
            },
            "upstream": {"hidden": draw.normal(*shape, hidden), "scores": draw.normal(*shape, self.output_size)},
        }

    def _heads(self, draw: Draw) -> dict[str, Tensor]:
        layers = {
            f"{kind}{head}": linear(draw, self.hidden, self.dim_v if kind == "v" else self.dim_k, std=0.4)
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
        hidden=one_of(8, 10),
        feedforward=sizes(11, 15),
    )


# --- full Transformer ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FullCase(Case):
    """Sentences for the full Transformer; `padded` ends rows with <pad>; `at` is the target position that is changed.

    Step 0 always predicts <sos> and no step predicts <pad>: on such weights the two conventions for the target buffer
    in greedy decoding (prediction t stands at t, or behind a copied <sos> at t + 1) give the same scores.

    Encoder and decoder have different numbers of layers, so that none stands for the other, and few: they are most of
    what a submission costs.
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
                "num_layers_dec": 1,
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
        shapes = nn.Transformer(self.hidden, 2, 2, 1, self.feedforward, batch_first=True).named_parameters()
        weights = {}
        for name, parameter in shapes:
            written = name.startswith("decoder.") and any(part in name for part in ("out_proj", "linear2"))
            is_scale = "norm" in name and name.endswith("weight")
            tensor = draw.normal(*parameter.shape, std=0.08 if written else 0.1 if "norm" in name else 0.5)
            tensor = tensor + 1 if is_scale else tensor
            if written or (name.startswith("decoder.") and "norm" in name):
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
