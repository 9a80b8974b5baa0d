"""Cases for the notebook's functions and cells, and for the computed theory answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from grader.suite import Case, cases, one_of, sizes

BATCH, EVAL_BATCH = 20, 10


@dataclass(frozen=True)
class DataCase(Case):
    """Three flat rows of word numbers, all different; `rest` words do not fill a row of the batchified data."""

    train_rows: int
    val_rows: int
    test_rows: int
    rest: int
    seed: int

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        lengths = (
            self.train_rows * BATCH + self.rest,
            self.val_rows * EVAL_BATCH + self.rest % EVAL_BATCH,
            self.test_rows * EVAL_BATCH + self.rest % EVAL_BATCH,
        )
        return dict(zip(("train", "val", "test"), map(draw.permutation, lengths), strict=True))


def data_cases():
    # At least 20 rows, because the same cell may print the first 20 words of a column.
    return cases(
        DataCase, distinct={"train_rows": (20, 26), "val_rows": (20, 26), "test_rows": (20, 26)}, rest=sizes(0, 19)
    )


@dataclass(frozen=True)
class BatchCase(Case):
    """A batchified text of different numbers, and a chunk at its beginning, in the middle or at its end."""

    rows: int
    batch: int
    bptt: int
    place: str
    seed: int

    def inputs(self) -> Mapping[str, object]:
        last = self.rows - 2
        start = {"first": 0, "middle": last // 2, "near the end": max(0, last - 1), "end": last}[self.place]
        source = self.draw().permutation(self.rows * self.batch).reshape(self.rows, self.batch)
        return {"source": source, "start": start, "bptt": self.bptt}


def batch_cases():
    return cases(
        BatchCase,
        distinct={"rows": (4, 11), "batch": (1, 7)},
        bptt=sizes(1, 6),
        place=one_of("first", "middle", "near the end", "end"),
    )


@dataclass(frozen=True)
class EpochCase(Case):
    """A text of `full` whole chunks and `rest` further rows, a model with drawn weights of deviation `spread` / 10."""

    words: int
    size: int
    batch: int
    bptt: int
    full: int
    rest: int
    spread: int
    seed: int

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        std = self.spread / 10
        rows = self.full * self.bptt + self.rest % self.bptt + 1
        return {
            "text": draw.integers(rows, self.batch, high=self.words),
            "weights": {
                "embedding": draw.normal(self.words, self.size, std=std),
                "weight": draw.normal(self.words, self.size, std=std),
                "bias": draw.normal(self.words, std=std),
            },
            "bptt": self.bptt,
        }


def epoch_cases(**fixed: object):
    fields = {"batch": sizes(1, 4), "bptt": sizes(2, 6), "full": sizes(1, 3), "rest": sizes(0, 5), "spread": 6}
    return cases(EpochCase, distinct={"words": (7, 13), "size": (3, 13)}, **{**fields, **fixed})


@dataclass(frozen=True)
class PatternCase(Case):
    """A text in which every word has one successor, so that a model of one word can learn it."""

    words: int
    size: int
    bptt: int
    seed: int

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        order = draw.permutation(self.words)
        return {
            "text": order.repeat(4)[:, None],
            "weights": {
                "embedding": draw.normal(self.words, self.size, std=0.6),
                "weight": draw.normal(self.words, self.size, std=0.2),
                "bias": draw.normal(self.words, std=0.1),
            },
            "bptt": self.bptt,
        }


def pattern_cases():
    return cases(PatternCase, distinct={"words": (5, 7), "size": (8, 12)}, bptt=sizes(3, 5))


@dataclass(frozen=True)
class AttentionCase(Case):
    """Queries, keys and values of different widths; with `T` = 1 there is only one key."""

    T: int
    D: int
    M: int
    row: int
    seed: int

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        return {
            "Q": draw.normal(self.T, self.D),
            "K": draw.normal(self.T, self.D),
            "V": draw.normal(self.T, self.M),
            "i": self.row % self.T,
        }


def attention_cases():
    return cases(AttentionCase, distinct={"T": (1, 6), "D": (2, 7), "M": (2, 7)}, row=sizes(0, 5))


@dataclass(frozen=True)
class RecurrentCase(Case):
    """A recurrent network of `d` leaky units with `n` inputs and `m` outputs over `t` steps."""

    d: int
    n: int
    m: int
    t: int
    slope: int
    seed: int

    def inputs(self) -> Mapping[str, object]:
        draw = self.draw()
        return {
            "W": draw.normal(self.d, self.d, std=0.5),
            "B": draw.normal(self.d, self.n, std=0.6),
            "C": draw.normal(self.m, self.d, std=0.6),
            "v0": draw.normal(self.d),
            "x": draw.normal(self.t, self.n),
            "p": self.slope / 10,
            "dloss": draw.normal(self.m),
        }


def recurrent_cases():
    return cases(RecurrentCase, distinct={"d": (2, 6), "n": (2, 6), "m": (2, 6)}, t=sizes(1, 6), slope=sizes(1, 4))
