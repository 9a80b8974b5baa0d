"""Labelled texts: AG_NEWS and Yelp polarity, as the CSV files in which they are distributed."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from grader.datasets import made_texts
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
)

Rows = tuple[tuple[int, str], ...]

FILES = {"train": ("train.csv",), "test": ("test.csv",)}
AG_NEWS = Place(
    "AG_NEWS",
    ("ag_news", "ag_news_csv", "AG_NEWS", "AG_NEWS/ag_news_csv", "datasets/AG_NEWS"),
    "train.csv and test.csv",
    "the \"AG's news topic classification dataset\" of Zhang, Zhao and LeCun (torchtext's AG_NEWS)",
)
YELP = Place(
    "Yelp polarity",
    (
        "yelp_polarity",
        "yelp_review_polarity_csv",
        "YelpReviewPolarity/yelp_review_polarity_csv",
        "yelp_polarity/yelp_review_polarity_csv",
        "datasets/YelpReviewPolarity/yelp_review_polarity_csv",
    ),
    "train.csv and test.csv",
    "\"Yelp Review Polarity\" of Zhang, Zhao and LeCun (torchtext's YelpReviewPolarity, Hugging Face's yelp_polarity)",
    instead="other Yelp texts in the same format, in yelp_reviews or yelp_sentences",
)
# The published files have no header; widely copied ones of AG_NEWS begin with this column.
COPIED_HEADER = "Class Index"
# How many training and test rows the sets have as they were published.
AG_NEWS_ROWS = (120_000, 7_600)
YELP_ROWS = (560_000, 38_000)
# Looked for in this order where the course's set is not there.
YELP_SUBSTITUTES = tuple(
    (Place(title, (folder,), YELP.files, YELP.obtained), f"{title} (substitute)")
    for folder, title in (("yelp_reviews", "Yelp reviews"), ("yelp_sentences", "Yelp sentences"))
)


@dataclass(frozen=True)
class LabelledTexts:
    """Texts with their classes. `train` and `test` hold (class from 0, text)."""

    name: str
    made: bool
    classes: tuple[str, ...]
    train: Rows
    test: Rows
    digest: str
    notes: tuple[str, ...] = ()


def ag_news(source: DataSource) -> LabelledTexts:
    """AG_NEWS: title and description joined by a blank. Raises MissingData, DamagedData."""
    classes = ("World", "Sports", "Business", "Sci/Tech")
    if source.made:
        return _made("made news", classes, made_texts.news())
    contents = _contents(source, AG_NEWS)
    if contents is None:
        raise missing(source, AG_NEWS, FILES)
    train, test = (_rows(content, len(classes), columns=3) for content in contents.values())
    identity = _counted(identify("AG_NEWS", contents), train, test, AG_NEWS_ROWS)
    return LabelledTexts(identity.name, False, classes, train, test, identity.digest, identity.notes)


def yelp_polarity(source: DataSource) -> LabelledTexts:
    """Yelp polarity, else a substitute that `name` tells. Raises MissingData, DamagedData."""
    classes = ("negative", "positive")
    if source.made:
        return _made("made reviews", classes, made_texts.reviews())
    for place, title in ((YELP, "Yelp polarity"), *YELP_SUBSTITUTES):
        if contents := _contents(source, place):
            train, test = (_rows(content, len(classes), columns=2) for content in contents.values())
            identity = identify(title, contents)
            if place is YELP:
                identity = _counted(identity, train, test, YELP_ROWS)
            return LabelledTexts(identity.name, False, classes, train, test, identity.digest, identity.notes)
    raise missing(source, YELP, FILES)


def _made(name: str, classes: tuple[str, ...], parts: tuple[Rows, Rows]) -> LabelledTexts:
    return LabelledTexts(name, True, classes, *parts, digest_of_made(parts), ("made by code from a fixed seed",))


def _contents(source: DataSource, place: Place) -> dict[str, Content] | None:
    files = look(source, place, FILES)
    return None if files is None else {role: read(path) for role, path in files.items()}


def _counted(identity: Identity, train: Rows, test: Rows, usual: tuple[int, int]) -> Identity:
    """A set whose checksums are not known, with its numbers of rows beside the usual ones."""
    if "unknown origin" not in identity.name:
        return identity
    said = f"{len(train):,} and {len(test):,} rows; the published set has {usual[0]:,} and {usual[1]:,}"
    return Identity(identity.name, identity.digest, (*identity.notes, said))


def _rows(content: Content, classes: int, columns: int) -> Rows:
    """The rows of `"class","text", …`, a header left out; raises DamagedData with the line of what is wrong."""
    reader = csv.reader(io.StringIO(content.text(), newline=""), strict=True)
    rows: list[tuple[int, str]] = []
    try:
        for row in reader:
            if not row or (not rows and row[0] == COPIED_HEADER):
                continue
            if len(row) != columns or row[0] not in _LABELS[:classes]:
                raise DamagedData(
                    content.path, f"line {reader.line_num} reads {_short(row)}", _row_rule(classes, columns)
                )
            rows.append((int(row[0]) - 1, " ".join(row[1:])))
    except csv.Error as error:
        found = f"line {reader.line_num} is no complete row ({error})"
        raise DamagedData(content.path, found, _row_rule(classes, columns)) from None
    absent = sorted(set(range(classes)) - {label for label, _ in rows})
    if absent:
        raise DamagedData(content.path, f"no row of class {absent[0] + 1}", _row_rule(classes, columns))
    return tuple(rows)


_LABELS = tuple(str(number) for number in range(1, 10))


def _row_rule(classes: int, columns: int) -> str:
    return f"{columns} quoted columns, the first a class from 1 to {classes}"


def _short(row: list[str]) -> str:
    text = ",".join(row)
    return repr(text if len(text) <= 60 else text[:57] + "...")
