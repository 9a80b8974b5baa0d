"""Explanations of mutants that are correct answers: what may stand in the file, and what is stale."""

import pytest

from grader.errors import AuthorError
from grader.proof.changes.explained import Explained, read_explained, stale
from grader.proof.changes.kinds import MUTANT, REWRITING
from grader.proof.changes.making import Change

GOOD = "- {id: 3f2a9c01d7, mutant: 'x.view(-1) → x.reshape(-1)', why: the tensor is contiguous}\n"


def read(folder, text, kind=MUTANT):
    (folder / kind.file).write_text(text, encoding="utf-8")
    return read_explained(folder, kind)


def change(id):
    return Change(id=id, file="net.py", line=1, scope="f", operator="loop", before="", after="", text="")


def test_refusals_are_by_id_or_by_operator(tmp_path):
    text = "- {operator: loop, by: [runs], why: w}\n- {operator: loop, within: 'net.py:f', by: [runs], why: w}\n"
    (every, within, one) = read(tmp_path, text + "- {id: a, rewriting: r, by: [runs], why: w}\n", REWRITING)
    assert (every.operator, every.within, within.within, one.id) == ("loop", "", "net.py:f", "a")


def test_what_takes_the_points_is_a_list(tmp_path):
    with pytest.raises(AuthorError, match="`by` should be a list"):
        read(tmp_path, "- {operator: loop, by: runs, why: w}\n", REWRITING)


@pytest.mark.parametrize("text", ["- {operator: loop, why: w}\n", "- {id: a, mutant: m, why: w}\n"])
def test_a_refusal_says_what_takes_the_points(tmp_path, text):
    with pytest.raises(
        AuthorError, match="entry 1: expected exactly id, rewriting, by and why, or operator, by and why"
    ):
        read(tmp_path, text, REWRITING)


def test_entries_are_read(tmp_path):
    (entry,) = read(tmp_path, GOOD)
    assert entry == Explained(id="3f2a9c01d7", text="x.view(-1) → x.reshape(-1)", why="the tensor is contiguous")


def test_no_file_and_an_empty_file_explain_nothing(tmp_path):
    assert read_explained(tmp_path, MUTANT) == ()
    assert read(tmp_path, "# nothing yet\n") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {id: a", "not readable as YAML"),
        ("a: b", "expected a list of entries"),
        (GOOD + "- {id: b, mutant: m}\n", "entry 2: expected exactly id, mutant and why"),
        ("- {id: b, mutant: m, why: w, more: x}\n", "entry 1: expected exactly"),
        ("- just text\n", "entry 1: expected exactly"),
        ("- {id: b, mutant: m, why: ' '}\n", "entry 1: id, mutant and why must not be empty"),
        ("- {id: b, mutant: m, why: }\n", "must not be empty"),
        (GOOD + GOOD, "3f2a9c01d7 is explained twice"),
    ],
)
def test_what_an_author_may_get_wrong(tmp_path, text, message):
    with pytest.raises(AuthorError, match=message) as caught:
        read(tmp_path, text)
    assert MUTANT.file in str(caught.value)


def test_an_explanation_of_no_mutant_is_stale(tmp_path):
    explained = read(tmp_path, GOOD)
    assert stale(explained, [change("3f2a9c01d7")], MUTANT) == []
    (problem,) = stale(explained, [change("other")], MUTANT)
    assert "3f2a9c01d7 (x.view(-1) → x.reshape(-1)) is no mutant" in problem
