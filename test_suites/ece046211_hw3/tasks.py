"""WikiText-2 as tensors: the text that is trained on, and pieces of the test split that the judge keeps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from grader.datasets.corpora import wikitext2
from grader.datasets.source import DataSource
from grader.datasets.vocabulary import Vocabulary, basic_english

LENGTH = 35
COLUMNS, VALIDATION_COLUMNS = 20, 10
VALIDATION_ROWS = 2 * LENGTH + 1
MOST_WORDS = 10_000
HELD_OUT = 600  # pieces of 35 tokens, 21,000 in all
ANSWER = 56 << 20  # bytes of logits that one answer may hold


@dataclass(frozen=True)
class LanguageTask:
    """`text` (S, 20) and `validation` (71, 10) come from the training split, `pieces` (N, 36) from the test split.

    `frequencies` is the perplexity of a model that knows how frequent each word is in the training split, and no more.
    """

    name: str
    text: Tensor
    validation: Tensor
    pieces: Tensor
    vocabulary: int
    frequencies: float

    def given(self, steps: int) -> dict[str, Tensor]:
        """The training split, cut so that an epoch has at most `steps` chunks of 35 rows."""
        return {"text": self.text[: steps * LENGTH + 1].contiguous(), "validation": self.validation}

    def batches(self) -> tuple[tuple[dict[str, Tensor], Tensor], ...]:
        """(the words that are read, the word after each of them), some rows at a time."""
        rows = max(1, ANSWER // (4 * LENGTH * self.vocabulary))
        return tuple(({"tokens": piece[:, :-1].contiguous()}, piece[:, 1:]) for piece in self.pieces.split(rows))


def language_task(source: DataSource, draw: torch.Generator) -> LanguageTask:
    """The 9,999 most frequent words and `<unk>`, numbered anew for every run."""
    corpus = wikitext2(source)
    lines = [basic_english(line) for line in corpus.lines("train")]
    vocabulary = Vocabulary.build(lines, max_size=MOST_WORDS).relabelled(draw)
    train, test = (_numbers(vocabulary, found) for found in (lines, map(basic_english, corpus.lines("test"))))
    kept = VALIDATION_COLUMNS * VALIDATION_ROWS
    pieces = _pieces(test, draw)
    return LanguageTask(
        name=corpus.name,
        text=_columns(train[:-kept], COLUMNS),
        validation=_columns(train[-kept:], VALIDATION_COLUMNS),
        pieces=pieces,
        vocabulary=len(vocabulary),
        frequencies=_by_frequency(train, pieces[:, 1:], len(vocabulary)),
    )


def _numbers(vocabulary: Vocabulary, lines) -> Tensor:
    return torch.tensor([number for line in lines for number in vocabulary.ids(line)])


def _columns(numbers: Tensor, columns: int) -> Tensor:
    """(N,) -> (N // columns, columns): every column is a stretch of the text."""
    rows = len(numbers) // columns
    return numbers[: rows * columns].reshape(columns, rows).t().contiguous()


def _pieces(numbers: Tensor, draw: torch.Generator) -> Tensor:
    """(N,) -> (pieces, 36), next to each other but for the word that one ends and the next begins with.

    Where the first begins is drawn, so that no table of pieces is right.
    """
    begin = int(torch.randint(LENGTH, (1,), generator=draw))
    every = numbers[begin:].unfold(0, LENGTH + 1, LENGTH)
    return every[torch.randperm(len(every), generator=draw)[:HELD_OUT]].contiguous()


def _by_frequency(train: Tensor, targets: Tensor, vocabulary: int) -> float:
    counts = torch.bincount(train, minlength=vocabulary).double() + 1
    return float(torch.exp(-(counts / counts.sum()).log()[targets].mean()))
