"""Pairs of similar code: what is taken away, who is held against whom, and a page that runs nothing."""

import json
import sys

import pytest

from grader.errors import UsageError
from grader.reports.similar import code_of, page, rows, similar_pairs

GIVEN = "\n".join(
    f"def given_{n}(a, b):\n    return [a * {n} + b for a in range(b) if a % 2 == {n}]\n" for n in range(9)
)
LOOP = (
    "def mine_{n}(x):\n    total = 0\n    while x > {n}:\n        total += x // {n}\n        x -= 1\n    return total\n"
)
KIND = "class K{n}:\n    def go(self, *words):\n        return {{w: len(w) for w in words}} | dict(z={n})\n"
WORK, OTHER = ("\n".join(text.format(n=n) for n in range(1, 10)) for text in (LOOP, KIND))


def never(one, other):
    return False


def pairs(texts, former=(), same=never, least=0.5):
    pytest.importorskip("copydetect")
    return similar_pairs(texts, dict(former), GIVEN, least, same)


def test_renamed_copies_are_found_and_what_was_given_is_not():
    copied = WORK.replace("total", "sum_").replace("mine", "my_own") + "\n# <script>alert(1)</script>\n"
    found = pairs({"ada": GIVEN + WORK, "bob": GIVEN + copied, "cy": GIVEN + OTHER})
    assert [{pair.first, pair.second} for pair in found] == [{"ada", "bob"}]
    assert found[0].share > 0.8
    text = page("Homework <1>", found)
    assert "<script>" not in text
    assert "Homework &lt;1&gt;" in text
    assert "highlight" in text
    assert len(rows(found)) == 2


def test_former_years_are_held_against_this_one_and_not_among_themselves():
    found = pairs({"ada": WORK, "cy": OTHER}, {"2024/x": WORK, "2024/y": WORK})
    assert {(pair.first, pair.second) for pair in found} == {("ada", "2024/x"), ("ada", "2024/y")}


def test_attempts_of_one_person_are_no_pair():
    assert pairs({"ada": WORK, "ada~2": WORK}, same=lambda one, other: one[:3] == other[:3]) == []


def test_notebooks_are_read_by_their_code(tmp_path):
    cells = [
        {"cell_type": "code", "source": ["%matplotlib inline\n", "x = 1"]},
        {"cell_type": "markdown", "source": "words"},
    ]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    (tmp_path / "b.ipynb").write_text("no notebook")
    (tmp_path / "c.py").write_text("z = 3\n")
    text = code_of(sorted(tmp_path.iterdir()))
    assert "x = 1" in text
    assert "z = 3" in text
    assert "words" not in text


def test_without_copydetect_its_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "copydetect", None)
    with pytest.raises(UsageError, match=r"dl-grader\[similarity\]"):
        similar_pairs({"a": WORK}, {}, "", 0.5, never)
