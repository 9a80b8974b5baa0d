"""WikiText-2 and the made language."""

import math
from collections import Counter

import pytest
from dataset_examples import put

from grader.datasets import made_language
from grader.datasets.corpora import Corpus, wikitext2
from grader.datasets.source import DamagedData, DataSource, MissingData

TEXT = " \n = A Heading = \n \n Words , <unk> and words . \n"
TOKENS = ("<eos>", "=", "A", "Heading", "=", "<eos>", "<eos>", "Words", ",", "<unk>", "and", "words", ".", "<eos>")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("wikitext2", "{}.txt"),
        ("wikitext-2", "wiki.{}.tokens"),
        ("WikiText2/wikitext-2", "wiki.{}.tokens"),
        ("datasets/WikiText2/wikitext-2", "wiki.{}.tokens"),
    ],
)
def test_every_line_ends_with_one_eos(tmp_path, folder, names, packed):
    for split in ("train", "valid", "test"):
        put(tmp_path / folder / names.format(split), TEXT + f" {split} \n", packed)
    corpus = wikitext2(DataSource(tmp_path))
    assert corpus.train == (*TOKENS, "train", "<eos>")
    assert corpus.test == (*TOKENS, "test", "<eos>")
    assert corpus.lines("valid") == ("", "= A Heading =", "", "Words , <unk> and words .", "valid")
    assert corpus.name == "WikiText-2 of unknown origin"
    assert corpus.nats is None


def test_two_of_three_files_are_not_the_set(tmp_path):
    for split in ("train", "valid"):
        put(tmp_path / "wikitext-2" / f"wiki.{split}.tokens", TEXT)
    with pytest.raises(MissingData, match=r"wikitext-2 lacks wiki\.test\.tokens"):
        wikitext2(DataSource(tmp_path))


def test_a_split_cut_short_is_named(tmp_path):
    for split in ("train", "valid", "test"):
        path = put(tmp_path / "wikitext2" / f"{split}.txt", TEXT * 50, packed=True)
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DamagedData, match=r"test\.txt\.gz"):
        wikitext2(DataSource(tmp_path))


def entropy(counts):
    total = sum(counts.values())
    return -sum(count * math.log(count / total) for count in counts.values()) / total


def conditional(pairs):
    """The mean entropy of the second given the first."""
    pairs = list(pairs)
    contexts = Counter(context for context, _ in pairs)
    return entropy(Counter(pairs)) - entropy(contexts)


def with_mood_and_place(lines):
    """((mood, word, whether the line may end here), next) for every token of the lines."""
    for line in lines:
        words = line.split()
        yield ("", 0), words[0]
        for place, (word, following) in enumerate(zip(words, [*words[1:], "<eos>"], strict=True)):
            yield (words[0], word, min(place, made_language.SHORTEST), place == made_language.LONGEST), following


def test_the_stated_entropy_is_that_of_the_language():
    lines = made_language.corpus(train=40_000, valid=1, test=1)[0]
    # Counting estimates a little low: many contexts are rare.
    assert conditional(with_mood_and_place(lines)) == pytest.approx(made_language.nats(), rel=0.02)


def test_the_last_word_alone_leaves_much_open_and_no_word_nearly_all():
    corpus = wikitext2(DataSource(made=True))
    assert corpus.nats == made_language.nats()
    lowest = math.exp(corpus.nats)
    assert math.exp(conditional(zip(corpus.train, corpus.train[1:], strict=False))) > 1.3 * lowest
    assert math.exp(entropy(Counter(corpus.train))) > 20 * lowest


def test_lines_give_back_what_was_made():
    parts = made_language.corpus()
    corpus = wikitext2(DataSource(made=True))
    assert isinstance(corpus, Corpus)
    assert tuple(corpus.lines(split) for split in ("train", "valid", "test")) == parts
