"""Running text for language models: WikiText-2."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from grader.datasets import made_language
from grader.datasets.source import (
    DataSource,
    Place,
    digest_of_made,
    identify,
    read,
    require,
)

EOS = "<eos>"
SPLITS = ("train", "valid", "test")
ROLES = {split: (f"wiki.{split}.tokens", f"{split}.txt") for split in SPLITS}
WIKITEXT2 = Place(
    "WikiText-2",
    (
        "wikitext2",
        "wikitext-2",
        "WikiText2/wikitext-2",
        "WikiText2",
        "wikitext2/wikitext-2",
        "datasets/WikiText2/wikitext-2",
    ),
    "wiki.train.tokens, wiki.valid.tokens and wiki.test.tokens, or train.txt, valid.txt and test.txt,",
    'the word-level archive "wikitext-2-v1" of Merity and others, or the word language model of pytorch/examples',
)


@dataclass(frozen=True)
class Corpus:
    """Running text in tokens; every line of the files ends with one `<eos>`.

    `nats` is known for the made language only: what cannot be foreseen of a token, on average; exp(nats) is the lowest
    perplexity that an honest model can reach, about.
    """

    name: str
    made: bool
    train: tuple[str, ...]
    valid: tuple[str, ...]
    test: tuple[str, ...]
    digest: str
    notes: tuple[str, ...] = ()
    nats: float | None = None

    def lines(self, split: str) -> tuple[str, ...]:
        """The lines of "train", "valid" or "test" with single blanks, as a tokeniser of lines wants them."""
        lines: list[str] = []
        words: list[str] = []
        for token in {"train": self.train, "valid": self.valid, "test": self.test}[split]:
            if token == EOS:
                lines.append(" ".join(words))
                words = []
            else:
                words.append(token)
        return tuple(lines)


def wikitext2(source: DataSource) -> Corpus:
    """WikiText-2, already tokenised, rare words as `<unk>`. Raises MissingData, DamagedData."""
    if source.made:
        parts = made_language.corpus()
        notes = ("made by code from a fixed seed",)
        train, valid, test = map(_tokens, parts)
        return Corpus("made language", True, train, valid, test, digest_of_made(parts), notes, made_language.nats())
    contents = {role: read(path) for role, path in require(source, WIKITEXT2, ROLES).items()}
    identity = identify("WikiText-2", contents)
    train, valid, test = (_tokens(content.lines()) for content in contents.values())
    return Corpus(identity.name, False, train, valid, test, identity.digest, identity.notes)


def _tokens(lines: Iterable[str]) -> tuple[str, ...]:
    """Words and one `<eos>` a line; equal words are one object, which saves 100 MB."""
    one: dict[str, str] = {}
    tokens: list[str] = []
    for line in lines:
        tokens += [one.setdefault(word, word) for word in line.split()]
        tokens.append(EOS)
    return tuple(tokens)
