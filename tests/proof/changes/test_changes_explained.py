"""Explanations of mutants that are correct answers: what may stand in the file, and what is stale."""

import pytest

from grader.errors import AuthorError
from grader.proof.changes.explained import FILE, Explained, read_explained, stale

GOOD = "- {id: 3f2a9c01d7, mutant: 'x.view(-1) → x.reshape(-1)', why: the tensor is contiguous}\n"


def read(folder, text):
    (folder / FILE).write_text(text, encoding="utf-8")
    return read_explained(folder)


def test_entries_are_read(tmp_path):
    (entry,) = read(tmp_path, GOOD)
    assert entry == Explained(id="3f2a9c01d7", mutant="x.view(-1) → x.reshape(-1)", why="the tensor is contiguous")


def test_no_file_and_an_empty_file_explain_nothing(tmp_path):
    assert read_explained(tmp_path) == ()
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
    assert FILE in str(caught.value)


def test_an_explanation_of_no_mutant_is_stale(tmp_path):
    explained = read(tmp_path, GOOD)
    assert stale(explained, {"3f2a9c01d7"}) == []
    (problem,) = stale(explained, {"other"})
    assert "3f2a9c01d7 (x.view(-1) → x.reshape(-1)) is no mutant" in problem
