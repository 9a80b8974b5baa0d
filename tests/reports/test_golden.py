"""What people read, word for word. After a change on purpose, read the difference and write the files anew:

WRITE_GOLDEN=1 python -m pytest tests/reports/test_golden.py && git diff tests/reports/golden
"""

from __future__ import annotations

import os
from html.parser import HTMLParser
from pathlib import Path

import crowd_examples
import pytest
from learning_examples import PERPLEXITY, trained
from report_examples import ASSIGNMENT, report, reports

from grader.model import Report
from grader.reports import difference, full, gradescope, html, overview_text, tables, terminal
from grader.reports.curve import spark, svg
from grader.reports.learning import learning_of
from grader.reports.overview import overview
from grader.scoring import score

GOLDEN = Path(__file__).with_name("golden")


class VisibleText(HTMLParser):
    """The text of a page as a reader sees it, one line per block; styles are left out."""

    BLOCKS = ("p", "h1", "h2", "h3", "li", "tr", "div", "pre", "dt", "summary", "article", "section")

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag, attributes):
        self.hidden += tag in ("style", "script")
        self.parts.append("\n" if tag in self.BLOCKS else " ")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("style", "script")

    def handle_data(self, data):
        if not self.hidden:
            self.parts.append(data)


def visible_text(page: str) -> str:
    parser = VisibleText()
    parser.feed(page)
    lines = (" ".join(line.split()) for line in "".join(parser.parts).splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def regraded() -> list[Report]:
    """The same class after a repaired check and without marks."""
    from report_examples import ADA, BOB, NEW, passed

    repaired = {**ADA.results, "attention.weights": passed("attention.weights")}
    ada = type(ADA)(**{**vars(ADA), "results": repaired, "violations": ()})
    return [score(graded, ASSIGNMENT) for graded in (ada, BOB, NEW)]


def training_text() -> str:
    """A training's facts and its curves in blocks."""
    learning = learning_of(trained(PERPLEXITY))
    return "".join(f"{line}\n" for line in (*map(": ".join, learning.facts), *map(spark, learning.series)))


def training_curve() -> str:
    """The picture of the metric, one element a line."""
    return svg(learning_of(trained(PERPLEXITY)).series[-1]).replace("><", ">\n<") + "\n"


CASES = {
    "overview.txt": lambda: overview_text.text(overview(crowd_examples.reports(), crowd_examples.PEOPLE)),
    "ada.results.json": lambda: gradescope.text(report("ada")),
    "bob.results.json": lambda: gradescope.text(report("bob")),
    "zoe.results.json": lambda: gradescope.text(report("zoe")),
    "eve.results.json": lambda: gradescope.text(report("=eve")),
    "ada.report.json": lambda: full.dump(report("ada")),
    "ada.student.txt": lambda: visible_text(html.page(report("ada"))),
    "ada.staff.txt": lambda: visible_text(html.page(report("ada"), staff=True)),
    "eve.student.txt": lambda: visible_text(html.page(report("=eve"))),
    "zoe.student.txt": lambda: visible_text(html.page(report("zoe"))),
    "ada.check.txt": lambda: terminal.check_text(report("ada")),
    "ada.lenient.check.txt": lambda: terminal.check_text(report("ada", lenient=True)),
    "new.check.txt": lambda: terminal.check_text(report("new")),
    "class.txt": lambda: terminal.class_text(reports()),
    "summary.csv": lambda: tables.summary(reports()),
    "items.csv": lambda: tables.items(reports()),
    "attention.csv": lambda: tables.attention(reports()),
    "training.txt": training_text,
    "training.svg": training_curve,
    "difference.txt": lambda: difference.text(difference.compare(reports(), regraded())),
}


@pytest.mark.parametrize("name", CASES)
def test_word_for_word(name):
    path, text = GOLDEN / name, CASES[name]()
    if os.environ.get("WRITE_GOLDEN"):
        path.write_bytes(text.encode())
    assert text.encode() == path.read_bytes()


def test_no_golden_file_is_left_over():
    assert {path.name for path in GOLDEN.iterdir()} == set(CASES)
