"""Judge only: the sentence pairs as the course's notebook prepares them.

German to English, lower case, words seen twice or more, <unk> <pad> <sos> <eos> first; pairs of at most 18 words a
side; <sos> before, <eos> behind, <pad> to equal length. The tokeniser stands in for spaCy's, which is not at hand.
Ordinary words are renumbered by a permutation drawn for the run; the training pairs come in an order drawn for it.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from grader.datasets.pairs import multi30k
from grader.datasets.source import DataSource
from grader.datasets.vocabulary import Vocabulary, words_and_punctuation
from grader.suite.standard import Task

SPECIALS = ("<unk>", "<pad>", "<sos>", "<eos>")
UNKNOWN, PAD, START, END = range(4)
LONGEST = 18
SEEN = 2
# The made sentences: so many subjects, verbs, objects and adverbs, and so many sentences kept to measure on.
KINDS = {"subject": 8, "verb": 8, "object": 8, "adverb": 4}
UNSEEN = 200

Pair = tuple[list[str], list[str]]


@dataclass(frozen=True)
class Translation(Task):
    """`train` holds "source" and "target" (N, T) int64, `inputs` and `labels` are those of the test; T is `length`."""

    source_words: int

    @property
    def length(self) -> int:
        return self.inputs.shape[1]


def translation_task(source: DataSource, draw: torch.Generator) -> Translation:
    """Multi30k's training pairs, and its test pairs of 2016 to measure on. Raises MissingData, DamagedData."""
    pairs = None if source.made else multi30k(source)
    train, test = made_sentences() if pairs is None else (tokenised(pairs.train), tokenised(pairs.test))
    words = [
        Vocabulary.build((pair[side] for pair in train), min_count=SEEN, specials=SPECIALS).relabelled(draw)
        for side in (0, 1)
    ]
    kept = [[pair for pair in split if max(map(len, pair)) <= LONGEST] for split in (train, test)]
    length = 2 + max(len(side) for split in kept for pair in split for side in pair)
    learnt, unseen = ([rows([pair[side] for pair in split], words[side], length) for side in (0, 1)] for split in kept)
    order = torch.randperm(len(learnt[0]), generator=draw)
    return Translation(
        name="made sentences" if pairs is None else pairs.name,
        train={"source": learnt[0][order], "target": learnt[1][order]},
        inputs=unseen[0],
        labels=unseen[1],
        classes=len(words[1]),
        source_words=len(words[0]),
    )


def made_sentences() -> tuple[list[Pair], list[Pair]]:
    """(training, test) pairs of a language that even the translator with attention learns in seconds.

    Its decoder forgets what it has written but for the last word, so every kind of word has words of its own. The verb
    moves to the end, and the adverb, where there is one, before the object.
    """
    words = {kind: range(count) for kind, count in KINDS.items()}
    words["adverb"] = (*words["adverb"], None)
    pairs = []
    for subject, verb, object_, adverb in itertools.product(*words.values()):
        extra = [] if adverb is None else [adverb]
        pairs.append(
            (
                [f"subj{subject}", f"verb{verb}", f"obj{object_}", *(f"adv{each}" for each in extra)],
                [f"SUBJ{subject}", *(f"ADV{each}" for each in extra), f"OBJ{object_}", f"VERB{verb}"],
            )
        )
    random.Random(7643).shuffle(pairs)
    return pairs[UNSEEN:], pairs[:UNSEEN]


def tokenised(pairs: Sequence[tuple[str, str]]) -> list[Pair]:
    return [(words_and_punctuation(source), words_and_punctuation(target)) for source, target in pairs]


def rows(sentences: Sequence[Sequence[str]], words: Vocabulary, length: int) -> Tensor:
    """(N, length) int64: <sos>, the words, <eos>, and <pad> to the end."""
    table = torch.full((len(sentences), length), PAD)
    for row, sentence in zip(table, sentences, strict=True):
        row[: len(sentence) + 2] = torch.tensor([START, *words.ids(sentence), END])
    return table
