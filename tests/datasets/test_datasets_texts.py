"""AG_NEWS and Yelp polarity."""

import pytest
from dataset_examples import news_csv, polarity_csv, put

from grader.datasets.source import DamagedData, DataSource, MissingData
from grader.datasets.texts import ag_news, yelp_polarity

NEWS = [(1, "Talks", "Two sides  met."), (2, "Goal", 'He said ""yes""'), (3, "Shares", "Up"), (4, "Chips", r"a\b")]
REVIEWS = [(1, "never again"), (2, r"lovely\nplace")]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("folder", ["ag_news", "ag_news_csv", "AG_NEWS"])
def test_ag_news_is_read_as_torchtext_reads_it(tmp_path, folder, packed):
    put(tmp_path / folder / "train.csv", news_csv(NEWS), packed)
    put(tmp_path / folder / "test.csv", news_csv(NEWS[::-1]), packed)
    news = ag_news(DataSource(tmp_path))
    assert news.train == ((0, "Talks Two sides  met."), (1, 'Goal He said "yes"'), (2, "Shares Up"), (3, r"Chips a\b"))
    assert [label for label, _ in news.test] == [3, 2, 1, 0]
    assert news.classes[2] == "Business"
    assert not news.made
    assert news.name == "AG_NEWS of unknown origin"
    assert "4 and 4 rows; the published set has 120,000 and 7,600" in news.notes


def test_the_digest_does_not_depend_on_packing_but_on_content(tmp_path):
    for folder, packed, text in (("a", True, "Up"), ("b", False, "Up"), ("c", False, "Down")):
        rows = [(label, title, text) for label, title, _ in NEWS]
        put(tmp_path / folder / "ag_news" / "train.csv", news_csv(rows), packed)
        put(tmp_path / folder / "ag_news" / "test.csv", news_csv(rows), packed)
    first, second, third = (ag_news(DataSource(tmp_path / folder)).digest for folder in "abc")
    assert first == second != third


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (news_csv([*NEWS, (5, "Title", "text")]), r"line 5 reads '5,Title,text'"),
        (news_csv([*NEWS, ("World", "Title", "text")]), "line 5 reads"),
        (news_csv(NEWS) + '"1","only a title"\n', "line 5 reads"),
        (news_csv(NEWS)[:-5], "no complete row"),
        (news_csv(NEWS[:3]), "no row of class 4"),
        ("\n", "no row of class 1"),
    ],
)
def test_rows_that_do_not_fit_are_damaged(tmp_path, text, words):
    put(tmp_path / "ag_news" / "train.csv", news_csv(NEWS))
    path = put(tmp_path / "ag_news" / "test.csv", text)
    with pytest.raises(DamagedData, match=words) as caught:
        ag_news(DataSource(tmp_path))
    assert caught.value.path == path
    assert "3 quoted columns, the first a class from 1 to 4" in str(caught.value)


def test_the_courses_yelp_set_comes_before_its_substitutes(tmp_path):
    for number, folder in enumerate(("yelp_sentences", "yelp_reviews", "yelp_review_polarity_csv")):
        put(tmp_path / folder / "train.csv", polarity_csv([*REVIEWS, (1, f"row {number}")]))
        put(tmp_path / folder / "test.csv", polarity_csv(REVIEWS))
        reviews = yelp_polarity(DataSource(tmp_path))
        assert reviews.train[-1] == (0, f"row {number}")
        expected = ("Yelp sentences (substitute)", "Yelp reviews (substitute)", "Yelp polarity")[number]
        assert reviews.name == f"{expected} of unknown origin"
    assert reviews.train[1] == (1, r"lovely\nplace")
    assert "the published set has 560,000 and 38,000" in reviews.notes[-1]


@pytest.mark.parametrize(("load", "title"), [(ag_news, "AG_NEWS"), (yelp_polarity, "Yelp polarity")])
def test_missing_sets_are_named(tmp_path, load, title):
    with pytest.raises(MissingData, match=rf"Not found: {title}.*train\.csv and test\.csv"):
        load(DataSource(tmp_path))


# --- lines as they were published -----------------------------------------------------------------------------------

PUBLISHED_NEWS = (
    '"3","Wall St. Bears Claw Back Into the Black (Reuters)","Reuters - Short-sellers, Wall Street\'s dwindling'
    '\\band of ultra-cynics, are seeing green again."\n'
    '"1","Venezuelans Vote","&lt;b&gt;&#36;5&lt;/b&gt; said ""no"", \\ he ended with ""yes"""\n'
    '"2","","Olympics\\"\n'
    '"4","Caf\u00e9","\u201cquoted\u201d, and; more: #39;s"\n'
)
PUBLISHED_REVIEWS = (
    '"1","Unfortunately, the staff said \\""no\\"".\\n\\nNever again, he said \\""bye\\""."\n'
    '"2","Been going to Dr. Goldberg for over 10 years.\\nHe\'s ""great"""\n'
)


def test_published_news_are_read(tmp_path):
    for name in ("train.csv", "test.csv"):
        put(tmp_path / "datasets" / "AG_NEWS" / name, PUBLISHED_NEWS)
    news = ag_news(DataSource(tmp_path))
    assert news.train[0][1].endswith(r"Wall Street's dwindling\band of ultra-cynics, are seeing green again.")
    assert news.train[1][1] == 'Venezuelans Vote &lt;b&gt;&#36;5&lt;/b&gt; said "no", \\ he ended with "yes"'
    assert news.train[2] == (1, " Olympics\\")


def test_published_reviews_keep_their_line_breaks_in_letters(tmp_path):
    for name in ("train.csv", "test.csv"):
        put(tmp_path / "datasets/YelpReviewPolarity/yelp_review_polarity_csv" / name, PUBLISHED_REVIEWS, packed=True)
    reviews = yelp_polarity(DataSource(tmp_path))
    assert reviews.train[0] == (
        0, r'Unfortunately, the staff said \"no\".\n\nNever again, he said \"bye\".'
    )  # fmt: skip
    assert reviews.train[1] == (1, 'Been going to Dr. Goldberg for over 10 years.\\nHe\'s "great"')


def test_the_header_of_copies_is_no_row(tmp_path):
    for name in ("train.csv", "test.csv"):
        put(tmp_path / "ag_news" / name, "Class Index,Title,Description\r\n" + PUBLISHED_NEWS)
    assert len(ag_news(DataSource(tmp_path)).train) == 4
    put(tmp_path / "ag_news" / "test.csv", PUBLISHED_NEWS + "Class Index,Title,Description\n")
    with pytest.raises(DamagedData, match="line 5 reads 'Class Index"):
        ag_news(DataSource(tmp_path))
