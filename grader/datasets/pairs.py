"""Pairs of sentences: Multi30k, the tab-separated file of the seq2seq notebook, and pig Latin."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grader.datasets import made_pairs, pig
from grader.datasets.source import (
    Content,
    DamagedData,
    DataSource,
    Identity,
    Place,
    digest_of_made,
    identify,
    look,
    missing,
    read,
    require,
)
from grader.datasets.vocabulary import normalised

Rows = tuple[tuple[str, str], ...]

SPLITS = {"train": ("train",), "valid": ("val", "valid"), "test": ("test_2016_flickr", "test2016", "test")}
MULTI30K_FILES = {
    f"{split}.{language}": tuple(f"{name}.{language}" for name in names)
    for split, names in SPLITS.items()
    for language in ("de", "en")
}
MULTI30K = Place(
    "Multi30k",
    ("multi30k", "Multi30k", "multi30k/data/task1/raw", "multi30k/raw", "datasets/Multi30k"),
    "train.de, train.en, val.de, val.en, test_2016_flickr.de and test_2016_flickr.en",
    "the multi30k/dataset repository, data/task1/raw",
)
SENTENCE_FILES = {"pairs": ("eng-fra.txt", "fra-eng.txt", "fra.txt", "pairs.txt")}
SENTENCES = Place(
    "the English-French sentence pairs",
    ("sentence_pairs", "eng-fra", "fra-eng", "data", "."),
    "eng-fra.txt",
    'the data of the PyTorch tutorial "Translation with a sequence to sequence network and attention" (from Tatoeba)',
    instead="Multi30k's short sentences",
)
PIG_FILES = {
    "pairs": ("piglatin-mt-train.json", "piglatin.csv", "piglatin.tsv", "piglatin.txt", "train.csv", "train.tsv"),
}
PIG_LATIN = Place(
    "the pig-Latin pairs",
    ("piglatin", "pig_latin", "piglatin-mt"),
    "piglatin-mt-train.json (or a piglatin.csv, .tsv of two columns, or rows english[SEP]piglatin[END] in a .txt)",
    "the Hugging Face data set cdleong/piglatin-mt",
    instead="phrases of Multi30k, rewritten by the rule",
)
SPLIT_SEED = 1234
MAX_LENGTH = 10
# What the English side of a pair of the notebook begins with.
BEGINNINGS = tuple(
    beginning
    for pronoun, be, short in (
        ("i", "am", "m"),
        ("he", "is", "s"),
        ("she", "is", "s"),
        ("you", "are", "re"),
        ("we", "are", "re"),
        ("they", "are", "re"),
    )
    for beginning in (f"{pronoun} {be}" + (" " if pronoun == "i" else ""), f"{pronoun} {short} ")
)


@dataclass(frozen=True)
class Pairs:
    """Pairs of (source, target) text.

    `nats` is known for made sets only: what cannot be foreseen of a test target, in nats a sentence on average. The
    lowest perplexity that an honest model can reach is about exp(nats / mean number of counted positions).
    """

    name: str
    made: bool
    train: Rows
    valid: Rows
    test: Rows
    digest: str
    notes: tuple[str, ...] = ()
    nats: float | None = None


def multi30k(source: DataSource) -> Pairs:
    """Multi30k, (German, English), raw sentences: 29,000, 1,014 and 1,000. Raises MissingData, DamagedData."""
    if source.made:
        return _made("made German-English sentences", made_pairs.german_english())
    contents = {role: read(path) for role, path in require(source, MULTI30K, MULTI30K_FILES).items()}
    parts = [_parallel(contents[f"{split}.de"], contents[f"{split}.en"]) for split in SPLITS]
    return _named(identify("Multi30k", contents), parts)


def sentence_pairs(source: DataSource, *, words: int = MAX_LENGTH) -> Pairs:
    """(French, English) as the seq2seq notebook takes them: normalised, under `words` words a side, English beginning
    with "i am", "he is" and the like; split 70 / 10 / 20 by a fixed permutation.

    Where the file is not there: the short sentences of Multi30k, (German, English), and `name` says so. The stand-in
    has under ten words a side whatever `words` says. Raises MissingData, DamagedData.
    """
    if source.made:
        return _made("made French-English sentences", made_pairs.french_english())
    files = look(source, SENTENCES, SENTENCE_FILES)
    if files is None:
        return _short_sentences(source, words)
    content = read(files["pairs"])
    kept = tuple((french, english) for english, french in _tab_separated(content) if _wanted(english, french, words))
    if len(kept) < 10:
        raise DamagedData(content.path, f"{len(kept)} usable pairs", "English, a tab, French in thousands of lines")
    return _named(identify("English-French sentence pairs", {"pairs": content}), _split(kept, (0.7, 0.1)))


def pig_latin(source: DataSource) -> Pairs:
    """(English, pig Latin). The course's set in the course's order: its first 30,000 pairs, of which the last thirtieth
    is `valid`, then 10,000 for `test`; a smaller set in the same proportions.

    Where the file is not there: short phrases of Multi30k's English side, rewritten by the rule, and `name` says so.
    Raises MissingData, DamagedData.
    """
    if source.made:
        return _made("made pig Latin", made_pairs.pig_latin())
    files = look(source, PIG_LATIN, PIG_FILES)
    if files is None:
        return _rewritten_phrases(source)
    content = read(files["pairs"])
    rows = _pig_rows(content)
    # Hugging Face's shuffle(seed=3047) is this permutation.
    order = np.random.default_rng(3047).permutation(len(rows))[:40_000]
    return _named(identify("pig Latin", {"pairs": content}), _ranges([rows[place] for place in order]))


def _made(name: str, made: made_pairs.MadePairs) -> Pairs:
    digest = digest_of_made((made.train, made.valid, made.test))
    return Pairs(
        name, True, made.train, made.valid, made.test, digest, ("made by code from a fixed seed",), nats=made.nats
    )


def _named(identity: Identity, parts: Sequence[Rows]) -> Pairs:
    train, valid, test = parts
    return Pairs(identity.name, False, train, valid, test, identity.digest, identity.notes)


def _parallel(first: Content, second: Content) -> Rows:
    """Line n of one file with line n of the other."""
    ours, theirs = first.lines(), second.lines()
    if len(ours) != len(theirs):
        shorter, longer = (first, second) if len(ours) < len(theirs) else (second, first)
        found = f"{min(len(ours), len(theirs)):,} lines"
        expected = f"as many as {longer.path.name} has: {max(len(ours), len(theirs)):,}"
        raise DamagedData(shorter.path, found, expected, "fetch both files again")
    return tuple(zip(ours, theirs, strict=True))


def _tab_separated(content: Content) -> list[tuple[str, str]]:
    """The first two columns of every line, normalised."""
    pairs = []
    for number, line in enumerate(content.lines(), start=1):
        columns = line.split("\t")
        if len(columns) < 2:
            if not line.strip():
                continue
            raise DamagedData(content.path, f"line {number} has no tab", "English, a tab, French on every line")
        pairs.append((normalised(columns[0]), normalised(columns[1])))
    return pairs


def _wanted(english: str, french: str, words: int) -> bool:
    return all(len(side.split()) < words for side in (english, french)) and english.startswith(BEGINNINGS)


def _split(rows: Sequence[tuple[str, str]], shares: tuple[float, float]) -> tuple[Rows, Rows, Rows]:
    """Shuffled by a fixed seed and cut at the two shares of training and validation; equal rows stay in one part."""
    unique = list(dict.fromkeys(rows))
    np.random.RandomState(SPLIT_SEED).shuffle(unique)
    first = int(len(unique) * shares[0])
    second = first + int(len(unique) * shares[1])
    return tuple(unique[:first]), tuple(unique[first:second]), tuple(unique[second:])


def _short_sentences(source: DataSource, words: int) -> Pairs:
    """Multi30k's short sentences in the place of the notebook's file."""
    if look(source, MULTI30K, MULTI30K_FILES) is None:
        raise missing(source, SENTENCES, SENTENCE_FILES)
    whole = multi30k(source)
    rows = ((normalised(german), normalised(english)) for german, english in (*whole.train, *whole.valid, *whole.test))
    kept = [row for row in rows if all(row) and all(len(side.split()) < words for side in row)]
    note = f"stands in for {SENTENCES.title}: German and English, under {words} words a side"
    name = f"{whole.name}, short sentences (substitute)"
    return _named(Identity(name, whole.digest, (*whole.notes, note)), _split(kept, (0.7, 0.1)))


def _rewritten_phrases(source: DataSource) -> Pairs:
    """Phrases of Multi30k's English side in the place of the pig-Latin set."""
    if look(source, MULTI30K, MULTI30K_FILES) is None:
        raise missing(source, PIG_LATIN, PIG_FILES)
    whole = multi30k(source)
    phrases = pig.phrases(english for _, english in whole.train)
    rows = list(dict.fromkeys((phrase, pig.rewritten(phrase)) for phrase in phrases))
    np.random.RandomState(SPLIT_SEED).shuffle(rows)
    note = f"stands in for {PIG_LATIN.title}: phrases of up to {pig.LONGEST} words, rewritten by the rule"
    name = f"pig Latin from the English of {whole.name} (substitute)"
    return _named(Identity(name, whole.digest, (*whole.notes, note)), _ranges(rows[:40_000]))


def _ranges(rows: Sequence[tuple[str, str]]) -> tuple[Rows, Rows, Rows]:
    """Three quarters for training, of them the last thirtieth to validate, a quarter for the test."""
    training = len(rows) * 3 // 4
    cut = training - max(1, training // 30)
    return tuple(rows[:cut]), tuple(rows[cut:training]), tuple(rows[training:])


def _pig_rows(content: Content) -> list[tuple[str, str]]:
    name = content.path.name.removesuffix(".gz")
    if name.endswith(".json"):
        rows = [_from_record(content, record) for record in _records(content)]
    elif name.endswith(".txt"):
        rows = [_from_marked(content, number, line) for number, line in enumerate(content.lines(), start=1) if line]
    else:
        rows = _from_columns(content, "\t" if name.endswith(".tsv") else ",")
    if len(rows) < 8:
        raise DamagedData(content.path, f"{len(rows)} pairs", "English and pig Latin in thousands of rows")
    return rows


def _records(content: Content) -> list[object]:
    """The records of a JSON list or of JSON lines."""
    text = content.text()
    try:
        if text.lstrip().startswith("["):
            return list(json.loads(text))
        return [json.loads(line) for line in text.split("\n") if line.strip()]
    except json.JSONDecodeError as error:
        raise DamagedData(content.path, f"no JSON ({error})", "a list or lines of JSON records") from None


def _from_record(content: Content, record: object) -> tuple[str, str]:
    pair = record.get("translation", record) if isinstance(record, dict) else None
    if isinstance(pair, dict) and isinstance(pair.get("eng"), str) and isinstance(pair.get("engyay"), str):
        return pair["eng"], pair["engyay"]
    rule = 'records {"translation": {"eng": …, "engyay": …}}'
    raise DamagedData(content.path, f"a record reads {str(record)[:60]}", rule)


def _from_marked(content: Content, number: int, line: str) -> tuple[str, str]:
    english, mark, rest = line.partition("[SEP]")
    if not mark or not rest.endswith("[END]"):
        raise DamagedData(content.path, f"line {number} reads {line[:60]!r}", "english[SEP]piglatin[END] on every line")
    return english, rest.removesuffix("[END]")


def _from_columns(content: Content, delimiter: str) -> list[tuple[str, str]]:
    reader = csv.reader(io.StringIO(content.text(), newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[str, str]] = []
    try:
        for row in reader:
            if len(row) == 2:
                rows.append((row[0], row[1]))
            elif row:
                raise DamagedData(content.path, f"line {reader.line_num} has {len(row)} columns", "two columns")
    except csv.Error as error:
        raise DamagedData(content.path, f"line {reader.line_num} is no complete row ({error})", "two columns") from None
    return rows[1:] if rows and rows[0] == ("eng", "engyay") else rows
