"""Notebooks are read whatever happened to them, and written so that equal input gives equal bytes."""

import json
import warnings

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nbformat import v4

from grader.errors import AuthorError, SubmissionError
from grader.parsing import notebooks

PERCENT = '''"""Header of the file."""
# %% [markdown]
# # Homework
# Fill the holes.
#
# - one

# %% setup
# !pip install torchtext
# %matplotlib inline
import torch
# %d is the format

# %%
x = 1 % 2

# %%   [markdown]
# The end
'''


def notebook(*cells: dict[str, object], **top: object) -> str:
    return json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5, **top})


def code(source: object, **fields: object) -> dict[str, object]:
    return {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None, **fields}


def test_cells_outputs_images_and_errors_are_read() -> None:
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": ["epoch 1\r", "\x1b[1mloss 2.0\x1b[0m\n"]},
        {"output_type": "execute_result", "data": {"text/plain": ["tensor(", "1.)"], "text/html": "<b>"}},
        {"output_type": "display_data", "data": {"image/png": "AAAA", "text/plain": "<Figure>"}},
        {"output_type": "error", "ename": "ValueError", "evalue": "no", "traceback": ["\x1b[0;31mTrace\x1b[0m"]},
    ]
    text = notebook(
        {"cell_type": "markdown", "source": ["# A\n", "b"]}, code(["a\r\n", "b"], outputs=outputs, execution_count=4)
    )
    first, second = notebooks.read(text, "hw.ipynb").cells
    assert (first.number, first.kind, first.source) == (1, "markdown", "# A\nb")
    assert (second.number, second.kind, second.source, second.execution_count) == (2, "code", "a\nb", 4)
    assert second.outputs == "epoch 1\nloss 2.0\ntensor(1.)\n<Figure>\nTrace\nValueError: no"
    assert second.has_image
    assert second.errors


def test_an_old_notebook_is_read_like_its_modern_form() -> None:
    cells = [
        v4.new_markdown_cell("## Title"),
        v4.new_code_cell(
            "x = 1\nx",
            execution_count=3,
            outputs=[
                v4.new_output("execute_result", {"text/plain": "1", "image/png": "AAAA"}, execution_count=3),
                v4.new_output("error", ename="E", evalue="v", traceback=["t"]),
                v4.new_output("stream", name="stdout", text="hi\n"),
            ],
        ),
    ]
    modern = v4.new_notebook(cells=cells)
    wanted = notebooks.read(nbformat.writes(modern), "a").cells
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        old = nbformat.writes(nbformat.convert(modern, 3), version=3)
    found = notebooks.read(old, "a")
    assert [(cell.kind, cell.outputs, cell.has_image, cell.errors, cell.execution_count) for cell in found.cells] == [
        (cell.kind, cell.outputs, cell.has_image, cell.errors, cell.execution_count) for cell in wanted
    ]
    assert found.cells[1].source == wanted[1].source
    assert "old notebook format" in found.notes[0]


def test_repairs_are_made_and_noted() -> None:
    text = json.dumps({"cells": [code("a", id="x"), "rubbish", code("b", id="x"), {"source": 3}]})
    found = notebooks.read(text, "hw.ipynb")
    assert [cell.source for cell in found.cells] == ["a", "b", ""]
    assert found.notes == (
        "hw.ipynb: 1 damaged cells were left out",
        "hw.ipynb: missing notebook metadata was filled in",
        "hw.ipynb: 1 cells had the id of another cell and got new ones",
    )


def test_the_language_is_known() -> None:
    assert notebooks.read(notebook(), "a").language == "python"
    assert notebooks.read(notebook(metadata={"kernelspec": {"language": "R"}}), "a").language == "r"
    assert notebooks.read(notebook(metadata={"language_info": {"name": "julia"}}), "a").language == "julia"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("import torch\n", "JSON is broken at line 1"),
        ("<!DOCTYPE html><p>", "web page"),
        ('{\n<<<<<<< HEAD\n"cells"\n=======\n>>>>>>> a\n}', "merge marks"),
        ("[]", "has no cells"),
        ('{"cells": ' + "[" * 100_000, "JSON is broken"),
        ('{"cells": ' + "9" * 10_000 + "}", "JSON is broken"),
        (notebook(*[code("")] * 5_001), "5,001 cells"),
        (notebook(code("x" * 1_000_001)), "1,000,001 characters of code"),
    ],
)
def test_what_is_no_notebook_is_refused_with_a_sentence(text: str, message: str) -> None:
    with pytest.raises(SubmissionError, match=message) as caught:
        notebooks.read(text, "hw.ipynb")
    assert str(caught.value).startswith("hw.ipynb")


def test_huge_outputs_are_cut_in_the_middle() -> None:
    log = "start\n" + "step\n" * 2_000_000 + "test perplexity 5.3\n"
    cell = notebooks.read(notebook(code("train()", outputs=[{"output_type": "stream", "text": log}])), "a").cells[0]
    assert len(cell.outputs) < notebooks.OUTPUT_LIMIT + 100
    assert cell.outputs.startswith("start")
    assert cell.outputs.endswith("test perplexity 5.3")
    assert "characters were cut here" in cell.outputs


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.sampled_from(["code", "markdown"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "cells",
                    "cell_type",
                    "source",
                    "outputs",
                    "text",
                    "data",
                    "metadata",
                    "id",
                    "worksheets",
                    "traceback",
                    "output_type",
                    "kernelspec",
                    "execution_count",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(st.fixed_dictionaries({"cells": json_values}, optional={"metadata": json_values, "worksheets": json_values}))
def test_any_json_is_read_or_refused(document: dict[str, object]) -> None:
    try:
        found = notebooks.read(json.dumps(document), "hw.ipynb")
    except SubmissionError:
        return
    assert [cell.number for cell in found.cells] == list(range(1, len(found.cells) + 1))
    assert all(isinstance(cell.source, str) and isinstance(cell.outputs, str) for cell in found.cells)


def test_stale_outputs_are_found() -> None:
    printed = [{"output_type": "stream", "text": "1"}]
    text = notebook(
        code("a", execution_count=5, outputs=printed),
        code("b", execution_count=3, outputs=printed),
        code("c", outputs=printed),
        code("d"),
        code("# only a remark"),
        code("e", execution_count=9),
    )
    found = notebooks.read(text, "a")
    assert [(stale.cell, stale.reason) for stale in notebooks.stale_outputs(found)] == [
        (2, "it was run as number 3, not after cell 1 above it (number 5)"),
        (3, "it has saved outputs but no execution count"),
    ]
    assert notebooks.not_run(found) == (4,)


def test_statements_take_magics_out() -> None:
    found = notebooks.Cell(number=1, kind="code", source="!pip install x\nimport torch\nlr = ???\n").statements
    assert [(piece.kind, piece.error_line) for piece in found] == [("import", None), (None, 3)]


def test_percent_cells() -> None:
    found = [(cell.kind, cell.source, cell.line) for cell in notebooks.percent_cells(PERCENT)]
    assert found == [
        ("code", '"""Header of the file."""', 1),
        ("markdown", "# Homework\nFill the holes.\n\n- one", 3),
        ("code", "!pip install torchtext\n%matplotlib inline\nimport torch\n# %d is the format", 9),
        ("code", "x = 1 % 2", 15),
        ("markdown", "The end", 18),
    ]


def test_a_forgotten_marker_is_an_author_error_with_its_line() -> None:
    with pytest.raises(AuthorError) as caught:
        notebooks.percent_cells("# %% [markdown]\n# text\nx = 1\n")
    assert caught.value.line == 3


def test_a_template_notebook_is_valid_repeatable_and_never_run() -> None:
    text = notebooks.to_notebook_text(PERCENT)
    assert text == notebooks.to_notebook_text(PERCENT)
    nbformat.validate(json.loads(text))
    cells = notebooks.read(text, "t.ipynb").cells
    assert [cell.source for cell in cells] == [cell.source for cell in notebooks.percent_cells(PERCENT)]
    assert not any(cell.outputs or cell.execution_count for cell in cells)


def test_saved_outputs_are_written_and_read_back() -> None:
    text = notebooks.to_notebook_text(PERCENT, {3: {"text": "loss 1.0\n", "image": True}, 4: None})
    found = notebooks.read(text, "t.ipynb")
    assert found.cells[2].outputs == "loss 1.0\n<Figure>"
    assert found.cells[2].has_image
    assert [cell.execution_count for cell in found.cells] == [1, None, 2, None, None]
    assert notebooks.not_run(found) == (4,)
    assert not notebooks.stale_outputs(found)
    with pytest.raises(AuthorError, match="cell 2"):
        notebooks.to_notebook_text(PERCENT, {2: {"text": "a"}})
