"""Data of the training items as tensors. Judge only: what is held out never leaves here with its labels.

Ordinary words and classes are numbered by a secret permutation drawn for each run, so that weights or tables hidden in
a submission know nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from pixels import PATCH, whitening
from torch import Tensor

from grader.datasets.images import cifar10
from grader.datasets.pairs import sentence_pairs
from grader.datasets.source import DataSource
from grader.datasets.texts import ag_news
from grader.datasets.vocabulary import Vocabulary, basic_english

SEEN_IN_NEWS = 2  # words that the training texts hold less often are <unk>
LONGEST_NEWS = 30
SUBSTITUTE_WORDS = 13
SEEN_IN_SUBSTITUTE = 80
SOS, EOS = 0, 1


@dataclass(frozen=True)
class News:
    """Texts of four classes: the training split in one row, the test split padded with zeros."""

    name: str
    train: dict[str, Tensor]
    vocabulary: int
    classes: int
    texts: Tensor  # (N, L)
    lengths: Tensor  # (N,)
    test_labels: Tensor  # (N,)

    def test_batches(self, size: int = 400) -> Iterator[dict[str, object]]:
        """Inputs without labels, padded to their longest text."""
        for texts, lengths in zip(self.texts.split(size), self.lengths.split(size), strict=True):
            yield {"texts": texts[:, : int(lengths.max())].contiguous(), "lengths": lengths}


def news_task(source: DataSource, draw: torch.Generator) -> News:
    """AG_NEWS by basic_english; texts are cut after 30 tokens. Raises MissingData, DamagedData."""
    data = ag_news(source)
    train = [basic_english(text) for _, text in data.train]
    words = Vocabulary.build(train, min_count=SEEN_IN_NEWS).relabelled(draw)
    classes = torch.randperm(len(data.classes), generator=draw)
    numbers = [words.ids(tokens[:LONGEST_NEWS]) for tokens in train]
    held_out = [torch.tensor(words.ids(basic_english(text)[:LONGEST_NEWS]) or [0]) for _, text in data.test]
    return News(
        name=data.name,
        train={
            "tokens": torch.tensor([number for row in numbers for number in row]),
            "offsets": torch.tensor([0, *accumulate(map(len, numbers))]),
            "labels": classes[torch.tensor([label for label, _ in data.train])],
        },
        vocabulary=len(words),
        classes=len(data.classes),
        texts=torch.nn.utils.rnn.pad_sequence(held_out, batch_first=True),
        lengths=torch.tensor([len(row) for row in held_out]),
        test_labels=classes[torch.tensor([label for label, _ in data.test])],
    )


@dataclass(frozen=True)
class Translation:
    """Sentences as the notebook's dataset gives them: SOS, words, EOS, then PAD, cut to one length."""

    name: str
    train: dict[str, Tensor]
    inputs: int
    outputs: int
    length: int
    src: Tensor  # (N, L)
    trg: Tensor  # (N, L)
    substitute: bool

    @property
    def pad(self) -> int:
        """PAD of the target language, its last word."""
        return self.outputs - 1

    def test_batches(self, size: int = 200) -> Iterator[dict[str, object]]:
        """Sources with the targets after SOS, which teacher forcing feeds; that no more is read is checked."""
        for src, trg in zip(self.src.split(size), self.trg.split(size), strict=True):
            yield {"src": src, "words": trg[:, 1:].contiguous()}


def translation_task(source: DataSource, draw: torch.Generator) -> Translation:
    """The notebook's pairs with all their words; of a substitute the words that training holds 80 times.

    Raises MissingData, DamagedData.
    """
    data = sentence_pairs(source)
    length = 10
    count, known = 1, (*data.train, *data.valid, *data.test)
    if "substitute" in data.name:
        data = sentence_pairs(source, words=SUBSTITUTE_WORDS)
        length, count, known = SUBSTITUTE_WORDS + 1, SEEN_IN_SUBSTITUTE, data.train
    sides = [_language([row[side].split() for row in known], count, draw) for side in (0, 1)]
    parts = {
        (part, side): _numbered([row[side].split() for row in rows], sides[side], length)
        for part, rows in (("train", data.train), ("test", data.test))
        for side in (0, 1)
    }
    return Translation(
        name=data.name,
        train={"src": parts["train", 0], "trg": parts["train", 1]},
        inputs=len(sides[0]) + 1,
        outputs=len(sides[1]) + 1,
        length=length,
        src=parts["test", 0],
        trg=parts["test", 1],
        substitute=length != 10,
    )


def _language(sentences: Sequence[Sequence[str]], count: int, draw: torch.Generator) -> Vocabulary:
    specials = ("SOS", "EOS", "<unk>") if count > 1 else ("SOS", "EOS")
    return Vocabulary.build(sentences, min_count=count, specials=specials).relabelled(draw)


def _numbered(sentences: Sequence[Sequence[str]], words: Vocabulary, length: int) -> Tensor:
    pad = len(words)  # PAD is added last, as in the notebook
    rows = [[SOS, *words.ids(sentence), EOS][:length] for sentence in sentences]
    return torch.tensor([row + [pad] * (length - len(row)) for row in rows])


@dataclass(frozen=True)
class Pictures:
    """Images of ten classes, (N, 3, height, width) uint8; all but `plain` are disguised."""

    name: str
    train: dict[str, Tensor]
    classes: int
    images: Tensor
    test_labels: Tensor
    whiten: dict[str, Tensor]
    # As the data set has its images and classes: for a checkpoint that was trained elsewhere.
    plain: Tensor
    plain_labels: Tensor

    def test_batches(self) -> Iterator[dict[str, object]]:
        """Images without labels."""
        return _in_batches(self.images)

    def plain_batches(self) -> Iterator[dict[str, object]]:
        """The same images without a disguise."""
        return _in_batches(self.plain)


def _in_batches(images: Tensor, size: int = 500) -> Iterator[dict[str, object]]:
    return ({"images": some} for some in images.split(size))


def pictures_task(source: DataSource, draw: torch.Generator) -> Pictures:
    """CIFAR-10. Raises MissingData, DamagedData."""
    data = cifar10(source)
    order = torch.randperm(10, generator=draw)
    images = [
        torch.as_tensor(array).permute(0, 3, 1, 2).contiguous() for array in (data.train_images, data.test_images)
    ]
    labels = [torch.as_tensor(array).long() for array in (data.train_labels, data.test_labels)]
    train, test = disguised(images, draw)
    return Pictures(
        name=data.name,
        train={"images": train, "labels": order[labels[0]]},
        classes=10,
        images=test,
        test_labels=order[labels[1]],
        whiten=whitening(train),
        plain=images[1],
        plain_labels=labels[1],
    )


def disguised(images: Sequence[Tensor], draw: torch.Generator) -> list[Tensor]:
    """Images with rows of patches, the rows inside patches, and colours in a secret order, perhaps as negatives.

    A ViT learns them as well as before: it tells patches apart by what it has learnt of their places, and mixes a
    patch's numbers from the first. What was trained elsewhere is of no use. Columns stay: images can be mirrored.
    """
    bands = images[0].shape[2] // PATCH
    place, inside = torch.randperm(bands, generator=draw), torch.randperm(PATCH, generator=draw)
    rows = (place[:, None] * PATCH + inside).flatten()
    colours = torch.randperm(3, generator=draw)
    negative = bool(torch.randint(2, (1,), generator=draw))
    return [255 - each if negative else each for each in (every[:, colours][:, :, rows] for every in images)]
