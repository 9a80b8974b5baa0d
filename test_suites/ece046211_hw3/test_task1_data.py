"""Task 1: the three batchified tensors, and what was printed of them."""

import re

import torch
from cases import BATCH, EVAL_BATCH, data_cases
from demands import not_attempted, notebook_of, require_run, sources, text_of
from hypothesis import given
from printed import known_texts, shows_words
from probes import data_tensors

from grader.suite import assert_agrees, item, require

_SHAPE = re.compile(r"[\[(]\s*(\d+)\s*,\s*(\d+)\s*[\])]")


def _columns(flat, count):
    """(N,) -> (N // count, count): column b is the b-th stretch of the text."""
    rows = len(flat) // count
    return torch.stack([flat[column * rows : (column + 1) * rows] for column in range(count)], dim=1)


@item("data.tensors")
@given(case=data_cases())
def test_tensors(student, submission, case):
    """`train_data`, `val_data` and `test_data` are batchified, with 20, 10 and 10 columns."""
    saved = notebook_of(submission)
    cells = saved.calling("batchify")
    if not cells:
        not_attempted(student, "a call of batchify")
    flat = case.inputs()
    expected = {
        "train_data": _columns(flat["train"], BATCH),
        "val_data": _columns(flat["val"], EVAL_BATCH),
        "test_data": _columns(flat["test"], EVAL_BATCH),
    }
    assert_agrees(student.run(data_tensors, case, cells=sources(cells)), expected)
    require_run(saved, cells)


@item("data.shape")
def test_shape(student, submission):
    """The shape of `train_data` is printed: rows of text by 20 columns."""
    saved = notebook_of(submission)
    cells = [cell for cell in saved.cells if "train_data" in cell.reads and cell.reads & {"shape", "size"}]
    if not cells:
        not_attempted(student, "the shape of train_data")
    require_run(saved, cells)
    shapes = [(int(rows), int(columns)) for rows, columns in _SHAPE.findall(text_of(saved, cells))]
    require(bool(shapes), "The shape of train_data does not stand in the saved output of the cell that looks at it.")
    rows = {text.shape[0] for text in known_texts()}
    require(
        any(count in rows and columns == BATCH for count, columns in shapes),
        f"The printed shape is {shapes[0]}; WikiText-2 batchified with {BATCH} columns has (102499, {BATCH}).",
    )


@item("data.words")
def test_words(student, submission):
    """The first 20 words of one training sample are printed, and a sample is a column of `train_data`."""
    saved = notebook_of(submission)
    cells = [cell for cell in saved.cells if "train_data" in cell.reads and "train" not in cell.calls]
    text = text_of(saved, cells)
    if not any(shows_words(text, known.heads) for known in known_texts()):
        require_run(saved, [cell for cell in cells if cell.shows])
        if not text.strip():
            not_attempted(student, "words of train_data")
        rows = any(shows_words(text, frozenset([known.row])) for known in known_texts())
        require(
            False,
            "The 20 words are the first row of train_data: the first word of each of 20 samples. A sample is a column."
            if rows
            else "The saved output does not show the first 20 words of a column of train_data, in their order.",
        )
