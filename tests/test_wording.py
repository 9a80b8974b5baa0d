"""Counts, points and lists read the same in every sentence."""

from decimal import Decimal

import pytest

from grader.wording import first_lines, listed, plural, points, points_word


@pytest.mark.parametrize(
    ("value", "short", "long"),
    [("1", "1", "1 point"), ("1.00", "1", "1 point"), ("0", "0", "0 points"), ("0.00", "0", "0 points"),
     ("2.50", "2.5", "2.5 points"), ("30", "30", "30 points"), ("-1", "-1", "-1 points")],
)  # fmt: skip
def test_points_have_no_idle_digits(value, short, long):
    assert (points(Decimal(value)), points_word(Decimal(value))) == (short, long)


def test_points_that_nobody_gave():
    assert points(None) == "–"


def test_counts():
    assert [plural(count, "late day") for count in (0, 1, 2)] == ["0 late days", "1 late day", "2 late days"]


@pytest.mark.parametrize(
    ("names", "said"),
    [("", ""), ("a", "a"), ("abc", "a, b, c"), ("abcd", "a, b, c and 1 more"), ("a" * 1204, "a, a, a and 1,201 more")],
)
def test_many_names_are_cut(names, said):
    assert listed(list(names), 3) == said


@pytest.mark.parametrize(("lines", "said"), [("ab", ["a", "b"]), ("abc", ["a", "b", "… and 1 more"])])
def test_many_lines_are_cut(lines, said):
    assert first_lines(list(lines), 2) == said
