"""From reviews to tensors, as the course's notebook prepares them. The judge's side only.

Pieces of words, [CLS] in front and [SEP] behind, cut and padded to one length. The course takes BERT's vocabulary;
where its file is not among the data, one of the same kind is made from the training reviews. The ids of ordinary
pieces and of the classes are those of this run only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from grader.datasets.source import DataSource, find
from grader.datasets.texts import yelp_polarity
from grader.datasets.vocabulary import WordPiece, wordpiece, wordpiece_from

LENGTH = 256  # the handout's
MADE_LENGTH = 28
TRAINING_ROWS = 20_000  # the budget of steps sees fewer
PART = 300  # cut from the training split to choose the best iteration
HELD_OUT = 1_000  # as many as the course evaluates on
BERT = (("bert-base-uncased", "bert_base_uncased", "bert"), ("vocab.txt", "bert-base-uncased-vocab.txt"))
OWN_VOCABULARY = 8_000

Texts = Sequence[tuple[int, str]]


@dataclass(frozen=True)
class Reviews:
    """`train` is what a worker is sent; `seen` are some of its rows and `held_out` reviews of the test split of `name`.

    Each is tokens (N, T) int32, lengths (N,) int64 and labels (N,) int64, the first two being a model's input.
    """

    name: str
    train: dict[str, Tensor]
    seen: dict[str, Tensor]
    held_out: dict[str, Tensor]
    vocabulary: int
    classes: int


def batches(rows: Mapping[str, Tensor], size: int = 100) -> Iterator[dict[str, Tensor]]:
    """The inputs of some rows after another, without labels."""
    for first in range(0, len(rows["labels"]), size):
        yield {name: rows[name][first : first + size] for name in ("tokens", "lengths")}


def reviews_task(source: DataSource, draw: torch.Generator) -> Reviews:
    """Yelp polarity in the ids of this run. Raises MissingData, DamagedData."""
    texts = yelp_polarity(source)
    learnt = _some(texts.train, TRAINING_ROWS, draw)
    tokeniser = _tokeniser(source, [text for _, text in learnt])
    relabelled = WordPiece(tokeniser.vocabulary.relabelled(draw), tokeniser.longest)
    classes = torch.randperm(len(texts.classes), generator=draw)
    length = MADE_LENGTH if source.made else LENGTH

    def rows(chosen: Texts) -> dict[str, Tensor]:
        return _encoded(chosen, relabelled, classes, length)

    part, rest = rows(learnt[:PART]), rows(learnt[PART:])
    seen = {name: tensor[:HELD_OUT] for name, tensor in rest.items()}
    held_out = rows(_some(texts.test, HELD_OUT, draw))
    train = rest | {f"part_{name}": tensor for name, tensor in part.items()}
    return Reviews(texts.name, train, seen, held_out, len(relabelled.vocabulary), len(texts.classes))


def _some(texts: Texts, most: int, draw: torch.Generator) -> list[tuple[int, str]]:
    """At most so many rows, in an order of their own."""
    order = torch.randperm(len(texts), generator=draw)[:most]
    return [texts[row] for row in order.tolist()]


def _tokeniser(source: DataSource, texts: Sequence[str]) -> WordPiece:
    """BERT's, where its vocabulary lies beside the data sets."""
    for folder in BERT[0] if source.root is not None and not source.made else ():
        path = find(source.root / folder, BERT[1])
        if path is not None:
            return wordpiece(path)
    return wordpiece_from(texts, max_size=OWN_VOCABULARY)


def _encoded(texts: Texts, tokeniser: WordPiece, classes: Tensor, length: int) -> dict[str, Tensor]:
    pairs = [tokeniser.encode(text, length) for _, text in texts]
    return {
        "tokens": torch.tensor([ids for ids, _ in pairs], dtype=torch.int32),
        "lengths": torch.tensor([sum(mask) for _, mask in pairs]),
        "labels": classes[torch.tensor([label for label, _ in texts])],
    }
