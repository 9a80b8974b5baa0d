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


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"a": 3}', "{}", "[" * 60000])
def test_a_receipt_that_is_none_says_nothing(one, tmp_path, text):
    found = one(put(tmp_path / "ada", {**GOOD, NAME: text}))
    assert dict(found.files) == GOOD_FILES
    assert not [note for note in found.notes if "receipt" in note]
