"""What students write reaches terminals, JSON, HTML and spreadsheets: nothing in it may act there."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.text import clean, one_line

ANY_TEXT = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)
NOISY_TEXT = st.lists(
    st.sampled_from(
        ["\x1b[31m", "\x1b]0;t\x07", "\x9b2J", "\x1b", "\u202e", "\r\n", "\r", "a", "é", "\ud800", "\0", "]"]
    ),
    max_size=60,
).map("".join)


@given(ANY_TEXT | NOISY_TEXT, st.integers(0, 400))
def test_whatever_comes_in_is_harmless_afterwards(text: str, limit: int) -> None:
    safe = clean(text, limit)
    assert len(safe) <= limit
    assert not [mark for mark in safe if unicodedata.category(mark) in ("Cc", "Cs") and mark not in "\n\t"]
    assert not set(safe) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\ufeff")
    json.dumps(safe).encode("utf-8")
    assert clean(safe, limit) == safe


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), max_size=200))
def test_ordinary_text_is_unchanged(text: str) -> None:
    assert clean(text) == text


@given(ANY_TEXT | NOISY_TEXT, st.integers(0, 100))
def test_one_line_is_one_short_line(text: str, limit: int) -> None:
    line = one_line(text, limit)
    assert len(line) <= limit
    assert line.splitlines() in ([], [line])
    assert "  " not in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[2K\x1b[32mPASSED\x1b[0m 100/100", "PASSED 100/100"),
        ("\x1b]8;;http://a.b\x1b\\here\x1b]8;;\x1b\\", "here"),
        ("\x1b]0;never closed, and not hidden", "0;never closed, and not hidden"),
        ("\x9b31mred", "red"),
        ("10%\r50%\r100%\r\ndone", "10%\n50%\n100%\ndone"),
        ("user\u202egnp.exe", "usergnp.exe"),
        ("half \ud83d pair", "half \ufffd pair"),
        ("שלום, 안녕, عربي, 👩🏽", "שלום, 안녕, عربي, 👩🏽"),
    ],
)
def test_known_tricks(text: str, expected: str) -> None:
    assert clean(text) == expected


def test_a_cut_says_how_much_is_missing() -> None:
    safe = clean("x" * 10_000, 100)
    assert len(safe) == 100
    shown = len(safe.split("\n")[0])
    assert safe.endswith(f"({10_000 - shown} more characters were cut)")


def test_a_very_long_text_costs_little() -> None:
    assert len(clean("\x1b]" * 5_000_000, 4000)) <= 4000
