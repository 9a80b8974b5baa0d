"""The class at a glance: what it counts, whom it names, and a page that needs nothing and hides nothing."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from crowd_examples import MISTAKE, PEOPLE, ROSTER, reports

from grader.model import Person
from grader.reports import overview_page, overview_text
from grader.reports.overview import overview


@pytest.fixture(scope="module")
def found():
    return overview(reports(), PEOPLE, ROSTER)


def test_an_item_that_most_fail_alike_comes_first(found):
    assert found.first[0].startswith("rnn.forward: 9 of 11 who tried it fail in the very same way (out: 40 of")
    assert [item.item for item in found.items if item.is_suspect] == ["rnn.forward"]
    assert found.items[0].item == "rnn.forward"
    alone = overview([report for report in reports() if report.key in ("s00", "s01")])
    assert not any(item.is_suspect for item in alone.items)  # two say nothing


def test_what_the_grader_could_not_do_is_said_first_too(found):
    assert found.first[1:] == (
        "The grader could not judge attention.mask of 1 submission: Name 6.",
        "1 submission refused: Name 10.",
    )


def test_everybody_on_the_roster_has_a_row_and_so_has_everybody_else(found):
    rows = [(one.name, one.key, one.state) for one in found.students]
    assert rows[:7] == [
        ("Roster 0", "s00", "graded"),
        ("Roster 1", "s01", "graded"),
        ("Roster 3", "s03", "graded"),
        ("Roster 49", "", "no submission"),
        ("Roster 50", "s03", "graded"),
        ("Roster 98", "", "no submission"),
        ("Roster 99", "", "no submission"),
    ]
    assert [key for _, key, _ in rows[7:]] == ["s02", *(f"s{number:02}" for number in range(4, 12))]
    assert found.headline.startswith("12 submissions, 3 on the roster without one, 1 late, 1 refused, ")


def test_nobody_is_named_where_nobody_may_be(found):
    for page in (
        overview_page.page(overview(reports(), PEOPLE, ROSTER, anonymous=True), named=False),
        overview_text.text(overview(reports(), PEOPLE, ROSTER, anonymous=True)),
        overview_text.text(overview(reports())),
    ):
        assert not re.search(r"Name \d|Roster \d|Partner|90\d", page)
        assert "s03" in page
    assert overview(reports(), PEOPLE, ROSTER, anonymous=True).students[3].name == "roster, number 4"


def test_a_known_mistake_costs_what_its_items_lost(found):
    mistake = next(one for one in found.mistakes if one.hint == MISTAKE)
    assert (mistake.submissions, set(mistake.items)) == (6, {"rnn.gradient", "attention.weights"})
    assert (mistake.lost, mistake.median) == ("15.75", "3")  # 4 × 3 and 3 × 1.25; one has made both


def test_doubt_is_apart_from_breaches(found):
    assert [(case.what, case.who) for case in found.doubts] == [("attention.fast", "Name 5")]
    assert [(case.count, case.who, case.more) for case in found.breaches] == [(1, "Name 4", "took 1.5 points")]
    assert [(case.what, case.who) for case in found.late] == [
        ("By up to 24 hours: it costs 10 % of what was earned", "Name 2")
    ]
    assert ("theory.bptt", "Name 9, Name 11") in [(case.what, case.who) for case in found.waiting]


def test_an_item_that_the_strong_pass_tells_them_apart():
    """The point-biserial correlation with the rest of the points, by hand for five students."""
    few = [report for report in reports() if report.key in ("s00", "s01", "s02", "s03", "s05")]
    item = next(entry for entry in overview(few).items if entry.item == "attention.weights")
    passes = [0, 1, 1, 0, 1]
    rest = [float(report.would_be - line.earned) for report in few for line in report.lines if line.item == item.item]
    mean = sum(rest) / 5
    spread = (sum((value - mean) ** 2 for value in rest) / 5) ** 0.5
    ones = [value for value, passed in zip(rest, passes, strict=True) if passed]
    zeros = [value for value, passed in zip(rest, passes, strict=True) if not passed]
    by_hand = (sum(ones) / 3 - sum(zeros) / 2) / spread * (3 * 2) ** 0.5 / 5
    assert item.discrimination == pytest.approx(by_hand)


def test_curves_lie_over_one_another_with_the_threshold(found):
    [training] = found.trainings
    assert (len(training.passed), len(training.others), training.level) == (5, 5, 7.0)
    page = overview_page.page(found, named=True)
    assert 'aria-label="train.perplexity: 10 curves, 5 passed, wanted 7"' in page
    [passed] = re.findall(r'<path class="passed" d="([^"]+)"', page)
    assert passed.count("M") == 5
    assert passed.count("L") == 5 * 59  # of 199 points as many as can be seen
    assert 'class="level"' in page


def test_a_class_of_nobody_and_one_without_scores():
    assert "0 submissions" in overview_text.text(overview([]))
    waiting = [replace(report, unfinished=True) for report in reports()]
    assert "No submission has a score yet." in overview_text.text(overview(waiting))
    assert overview_page.page(overview([]), named=False)


def test_the_page_does_not_depend_on_the_order_of_the_reports(found):
    assert overview_page.page(overview(reports()[::-1], PEOPLE, ROSTER), named=True) == overview_page.page(
        found, named=True
    )


def test_a_large_class_stays_small_and_a_stranger_of_the_roster_is_found_by_address():
    many = [replace(report, key=f"k{number}-{report.key}") for number in range(40) for report in reports()]
    assert len(overview_page.page(overview(many), named=False).encode()) < 3 * 2**20 * len(many) / 400
    person = Person(key="s01", email="A@x.edu")
    roster = [Person(key="", email="a@X.edu", name="Ann")]
    assert overview(reports()[:2], [person], roster).students[0].key == "s01"


# --- the page ---------------------------------------------------------------------------------------------------------

VOID = {"meta", "br", "line", "circle", "path", "polyline"}


class Structure(HTMLParser):
    """Open elements, headings, tables, links; every element must be closed by its own end."""

    def __init__(self):
        super().__init__()
        self.stack, self.ids, self.links, self.headings, self.cells, self.tags = [], [], [], [], [], []

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.tags.append((tag, named))
        self.ids += [named["id"]] if "id" in named else []
        self.links += [named["href"]] if "href" in named else []
        self.headings += [int(tag[1])] if re.fullmatch("h[1-6]", tag) else []
        self.cells += [named.get("scope")] if tag == "th" else []
        if tag not in VOID:
            self.stack.append(tag)

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag


def test_the_page_is_whole_semantic_and_alone(found):
    text = overview_page.page(found, named=True)
    page = Structure()
    page.feed(text)
    assert page.stack == []
    assert len(page.ids) == len(set(page.ids))
    assert set(page.links) <= {f"#{name}" for name in page.ids}
    assert page.headings[0] == 1
    assert set(page.headings[1:]) == {2}
    assert set(page.cells) <= {"col", "row"}  # every heading of a table says of what
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe"}
    assert not [name for _, named in page.tags for name in named if name.startswith("on") or name == "src"]
    for tag, named in page.tags:
        assert tag != "svg" or (named["role"] == "img" and named["aria-label"])
        assert "wide" not in named.get("class", "").split() or (named["tabindex"] == "0" and named["aria-label"])
    assert {"main", "header", "nav", "section"} <= {tag for tag, _ in page.tags}
    assert 'lang="en"' in text
    assert "default-src 'none'" in text


def test_what_students_wrote_is_text(found):
    text = overview_page.page(found, named=True)
    assert "<script>" not in text
    assert "Partner &lt;b&gt;" not in text  # the roster's name is shown, and would be escaped
    assert "&lt;script&gt;" in text
    named = overview_page.page(overview(reports(), PEOPLE), named=True)
    assert "Partner &lt;b&gt;" in named


def luminance(colour):
    if len(colour) == 4:
        colour = "#" + "".join(2 * digit for digit in colour[1:])
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_text_has_enough_contrast(found, scheme):
    blocks = re.findall(r":root \{(.*?)\}", overview_page.page(found, named=True), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})", blocks[scheme]))
    pairs = [("ink", "paper"), ("soft", "paper"), ("soft", "ground"), ("ink", "ground"), ("half", "paper")]
    pairs += [(name, f"{name}-ground") for name in ("good", "half", "bad", "open")]
    for text, ground in pairs:
        light, dark = sorted((luminance(colours[text]), luminance(colours[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{text} on {ground}"
