"""The kit's receipt: what was checked at home, held against what was handed in; it earns and costs nothing."""

import pytest
from intake_examples import GOOD, GOOD_FILES, pack, put

from grader.intake.receipt import NAME, receipt_of

RECEIPT = receipt_of({name: content.encode() for name, content in GOOD.items()})


@pytest.mark.parametrize("prefix", ["", "my work/"])
def test_equal_files_are_no_news(one, tmp_path, prefix):
    found = one(
        pack(tmp_path / "ada.zip", {prefix + name: content for name, content in {**GOOD, NAME: RECEIPT}.items()})
    )
    assert dict(found.files) == GOOD_FILES
    assert not [note for note in found.notes if "receipt" in note]
    assert not list(found.root.rglob(NAME)), "the receipt is no file of the work"


def test_other_files_are_named(one, tmp_path):
    changed = {**GOOD, "models/naive/LSTM.py": "class LSTM:\n    x = 1\n", NAME: RECEIPT}
    [note] = [note for note in one(put(tmp_path / "ada", changed)).notes if "receipt" in note]
    assert "did not check what was handed in: models/naive/LSTM.py differ" in note


def test_lines_as_windows_ends_them_are_compared_as_they_were(one, tmp_path):
    text = "class LSTM:\r\n    pass\r\n"
    mine = {**GOOD, "models/naive/LSTM.py": text}
    receipt = receipt_of({name: content.encode() for name, content in mine.items()})
    found = one(put(tmp_path / "ada", {**{name: c.encode() for name, c in mine.items()}, NAME: receipt.encode()}))
    assert not [note for note in found.notes if "receipt" in note]


def test_what_lies_beside_the_work_is_compared_as_well(one, tmp_path):
    mine = {**GOOD, "own/core.py": "x = 1\n", "own/words.txt": "a"}
    receipt = receipt_of({name: content.encode() for name, content in mine.items()})
    assert not [note for note in one(put(tmp_path / "ada", {**mine, NAME: receipt})).notes if "receipt" in note]
    changed = {**mine, "own/core.py": "x = 2\n", NAME: receipt}
    [note] = [note for note in one(put(tmp_path / "bob", changed)).notes if "receipt" in note]
    assert "handed in: own/core.py differ" in note


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": 3}', "{}", "[" * 60000])
def test_a_receipt_that_is_none_says_nothing(one, tmp_path, text):
    found = one(put(tmp_path / "ada", {**GOOD, NAME: text}))
    assert dict(found.files) == GOOD_FILES
    assert not [note for note in found.notes if "receipt" in note]
