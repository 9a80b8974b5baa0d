"""Cases of hw4_rnn. Sizes that occur in parameter shapes are pairwise different."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from hypothesis.strategies import SearchStrategy
from torch import Tensor

from grader.suite import Case, Draw, cases, one_of, sizes

WEIGHT_STD = 0.6
FORGETS = 2  # the token after which h_0 is forgotten; 0, 1 and the last are what some take for padding
# Its embedding, in one entry. The argument of tanh is then beyond ±12, whatever W_hh h_0 adds, where tanh is ±1 to the
# last bit; one that is written out with exponentials does not overflow.
FORGETTING = 60.0


@dataclass(frozen=True)
class Texts(Case):
    """A batch of texts as numbers, between one and `longest` tokens long."""

    batch: int
    longest: int
    seed: int

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        lengths = draw.integers(self.batch, low=1, high=self.longest + 1)
        lengths[draw.integer(0, self.batch)] = self.longest
        tokens = draw.integers(self.batch, self.longest, low=1, high=900)
        return {"tokens": tokens, "lengths": lengths, "labels": draw.integers(self.batch, low=1, high=5)}


def text_cases() -> SearchStrategy[Texts]:
    """Batches of one to six texts."""
    return cases(Texts, batch=sizes(1, 6), longest=sizes(2, 9))


@dataclass(frozen=True)
class Recurrence(Case):
    """A recurrent network and a batch of token numbers.

    How h_0 is drawn is left free. There is a token after which it is forgotten: every entry of the state becomes 1 or
    -1, to the last bit. Texts begin with it unless h_0 itself is looked at.
    """

    vocab: int
    input: int
    hidden: int
    classes: int
    batch: int
    steps: int
    seed: int

    def sizes(self) -> dict[str, int]:
        """The arguments of the constructor."""
        return {"vocab": self.vocab, "input": self.input, "hidden": self.hidden, "classes": self.classes}

    def weights(self, draw: Draw) -> dict[str, Tensor]:
        """All parameters as (outputs, inputs)."""
        embedding = draw.normal(self.vocab, self.input)
        w_xh = draw.normal(self.hidden, self.input, std=WEIGHT_STD)
        w_xh[:, 0] = w_xh[:, 0].sign() * draw.uniform(self.hidden, low=0.6, high=0.8)
        embedding[FORGETS] = FORGETTING * (torch.arange(self.input) == 0)
        return {
            "embedding": embedding,
            "W_hh": draw.normal(self.hidden, self.hidden, std=WEIGHT_STD),
            "W_xh": w_xh,
            "W_hy": draw.normal(self.classes, self.hidden, std=WEIGHT_STD),
            "b_hh": draw.normal(self.hidden, std=WEIGHT_STD),
            "b_xh": draw.normal(self.hidden, std=WEIGHT_STD),
            "b_hy": draw.normal(self.classes, std=WEIGHT_STD),
        }

    def numbers(self, draw: Draw, low: int = 0) -> Tensor:
        """(steps, batch) below the number of the other tokens"""
        return draw.integers(self.steps, self.batch, low=low, high=self.vocab - 1)

    def begun(self, tokens: Tensor) -> Tensor:
        """The tokens after a row that makes h_0 forgotten."""
        return torch.cat([torch.full((1, self.batch), FORGETS), tokens])


def others(numbers: Tensor) -> Tensor:
    """The tokens of these numbers: all but the one after which h_0 is forgotten."""
    return numbers + (numbers >= FORGETS)


class Forward(Recurrence):
    """Texts of one length and a further row of padding below."""

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        padding = torch.zeros(1, self.batch, dtype=torch.long)
        return {
            "tokens": self.begun(torch.cat([others(self.numbers(draw, low=1)), padding])),
            "sizes": self.sizes(),
            "weights": self.weights(draw),
            "upstream": draw.normal(self.batch, self.classes),
        }


class Whole(Recurrence):
    """Texts of one length without padding."""

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        return {"tokens": self.begun(others(self.numbers(draw))), "sizes": self.sizes(), "weights": self.weights(draw)}


class Start(Recurrence):
    """Texts in which h_0 shows."""

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        return {"tokens": others(self.numbers(draw)), "sizes": self.sizes(), "weights": self.weights(draw)}


class Padded(Recurrence):
    """Texts of different lengths, and other tokens for every place."""

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        numbers, shift = self.numbers(draw), self.numbers(draw, low=1)
        lengths = draw.integers(self.batch, low=1, high=self.steps + 1)
        lengths[0] = self.steps
        lengths[1] = 0  # nothing but its first token
        lengths[-1] = max(1, self.steps - 1)
        return {
            "tokens": self.begun(others(numbers)),
            "other": self.begun(others((numbers + shift) % (self.vocab - 1))),
            "lengths": lengths + 1,
            "sizes": self.sizes(),
            "weights": self.weights(draw),
        }


class Sizes(Recurrence):
    """The constructor's arguments alone."""

    def inputs(self) -> Mapping[str, object]:
        return {"sizes": self.sizes()}


DISTINCT = {"vocab": (9, 14), "input": (2, 8), "hidden": (2, 8), "classes": (2, 8)}


def forward_cases() -> SearchStrategy[Forward]:
    """At least two examples and two steps, so that other readings of the output can be told apart."""
    return cases(Forward, distinct=DISTINCT, batch=sizes(2, 5), steps=sizes(2, 6))


def whole_cases() -> SearchStrategy[Whole]:
    """From one example and one step on."""
    return cases(Whole, distinct=DISTINCT, batch=sizes(1, 5), steps=sizes(1, 6))


def start_cases() -> SearchStrategy[Start]:
    """Few steps, because the first state fades; two examples, because one alone is certain after a wrong softmax."""
    return cases(Start, distinct=DISTINCT, batch=sizes(2, 5), steps=sizes(1, 3))


def padded_cases() -> SearchStrategy[Padded]:
    """Three examples or more, of which the last one is padded."""
    return cases(Padded, distinct=DISTINCT, batch=sizes(3, 6), steps=sizes(2, 7))


def size_cases() -> SearchStrategy[Sizes]:
    """Constructors."""
    return cases(Sizes, distinct=DISTINCT, batch=1, steps=1)


@dataclass(frozen=True)
class Dropping(Case):
    """A dropout rate in per cent."""

    size: int
    percent: int
    seed: int

    def inputs(self) -> Mapping[str, object]:
        return {"size": self.size, "rate": self.percent / 100}


def dropping_cases() -> SearchStrategy[Dropping]:
    """Rates that differ from their counterparts (0.3 from 0.7)."""
    return cases(Dropping, size=sizes(2, 4), percent=one_of(10, 20, 30, 40, 65))


@dataclass(frozen=True)
class Predictions(Case):
    """Made probabilities and labels."""

    batch: int
    classes: int
    seed: int

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        prediction = torch.softmax(draw.normal(self.batch, self.classes, std=1.5), dim=1)
        label = torch.where(
            draw.uniform(self.batch) < 0.5, prediction.argmax(1), draw.integers(self.batch, high=self.classes)
        )
        return {"prediction": prediction, "label": label}


def prediction_cases() -> SearchStrategy[Predictions]:
    """From one example on."""
    return cases(Predictions, batch=sizes(1, 7), classes=sizes(2, 5))


@dataclass(frozen=True)
class Epoch(Case):
    """Batches of a tiny data set; the last one is smaller."""

    vocab: int
    classes: int
    batch: int
    batches: int
    seed: int

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        sizes = [self.batch] * (self.batches - 1) + [max(1, self.batch - 1)]
        batches = []
        for size in sizes:
            steps = draw.integer(2, 6)
            batches.append(
                {
                    "text": draw.integers(steps, size, high=self.vocab),
                    "label": draw.integers(size, high=self.classes),
                    "length": draw.integers(size, low=1, high=steps + 1),
                }
            )
        return {"table": draw.normal(self.vocab, self.classes, std=WEIGHT_STD), "batches": batches}


def epoch_cases() -> SearchStrategy[Epoch]:
    """Two to four batches."""
    return cases(Epoch, vocab=sizes(5, 9), classes=sizes(2, 4), batch=sizes(2, 5), batches=sizes(2, 4))
