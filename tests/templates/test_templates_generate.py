"""A whole template folder: made, proven, written, compared."""

import json
from dataclasses import replace
from decimal import Decimal

import nbformat
import pytest

from grader.assignment.assignment import Assignment, ExpectedFile
from grader.errors import AuthorError
from grader.templates import data_of, proofs_of, stale, template_notebook, templates_of, write
from grader.templates.generate import solutions_of
from grader.templates.proofs import leaked

LSTM = """import torch


def f(x):
    # BEGIN SOLUTION
    return x * 2 + 1 - x / 3
    # END SOLUTION


t = torch
"""
NOTEBOOK = """# %% [markdown]
# # Homework
# BEGIN SOLUTION
# The answer is that gradients of long sequences vanish.
# END SOLUTION
# %%
# %matplotlib inline
# !pip install portalocker
import math
# %%
def get_batch(source, i):
    # BEGIN SOLUTION
    return source[i : i + 35], source[i + 1 : i + 36].reshape(-1)
    # END SOLUTION
# %%
# BEGIN SOLUTION
# TEMPLATE: hidden = None  # 200 to 250
hidden = 220 + 0 * len("a") - 0
# END SOLUTION
"""


@pytest.fixture
def assignment(tmp_path):
    files = {
        "models/lstm.py": LSTM,
        "hw.py": NOTEBOOK,
        "hw.outputs.json": "{}",
        "README.md": "# Read me\n# BEGIN SOLUTION\nsecret\n# END SOLUTION\n",
        "config.json": '{"a": 1}\n',
        "answers.yaml": "q1: 3\n",
        "theory.yaml": "# BEGIN SOLUTION\n# TEMPLATE: q1:\nq1: 3\n# END SOLUTION\n",
        "optional.py": "def q1():\n    return 3\n",
        "optional_marked.py": "def q1():\n    # BEGIN SOLUTION\n    return 3\n    # END SOLUTION\n",
        "own/parts.py": "\n# BEGIN SOLUTION\ndef helper():\n    return 3\n# END SOLUTION\n",
        "__pycache__/x.pyc": "x",
    }
    for name, text in files.items():
        path = tmp_path / "reference" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
    (tmp_path / "reference" / "figure.png").write_bytes(b"\x89PNG\xff\x00")
    (tmp_path / "reference" / "weights.pt").write_bytes(b"\x80\xff\x00")
    return Assignment(
        slug="a",
        title="A",
        suite=tmp_path / "suite",
        reference=tmp_path / "reference",
        template=tmp_path / "template",
        total=Decimal(1),
        files=(
            ExpectedFile(id="lstm", path="models/lstm.py"),
            ExpectedFile(id="nb", path="hw.ipynb", kind="notebook"),
            ExpectedFile(id="answers", path="answers.yaml", kind="data", required=False),
            ExpectedFile(id="theory", path="theory.yaml", kind="data", required=False),
            ExpectedFile(id="optional", path="optional.py", required=False),
            ExpectedFile(id="marked", path="optional_marked.py", required=False),
            ExpectedFile(id="weights", path="weights.pt", kind="data", required=False),
        ),
        questions=(),
        parts=(),
        items=(),
    )


def test_every_file_of_the_reference_yields_its_template(assignment):
    made = templates_of(assignment)
    texts = ["README.md", "config.json", "hw.ipynb", "models/lstm.py", "optional_marked.py", "theory.yaml"]
    assert sorted(made) == texts
    assert made["models/lstm.py"] == 'import torch\n\n\ndef f(x):\n    raise NotImplementedError("f")\n\n\nt = torch\n'
    assert made["README.md"] == "# Read me\n"
    assert made["theory.yaml"] == "q1:\n"
    assert made["config.json"] == '{"a": 1}\n'


SECRET = "total = sum(word.count * len(word) for word in words)"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("own.py", f'# BEGIN SOLUTION\n"""A module."""\n{SECRET}\n# END SOLUTION\n'),
        ("optional.py", f"{SECRET}\n"),
    ],
)
def test_a_file_that_is_no_part_of_the_template_is_all_solution(assignment, name, text):
    (assignment.reference / name).write_text(text)
    assert name not in templates_of(assignment)
    assert [line for _, line in leaked(solutions_of(assignment)[name], f"# {SECRET}\n", name)] == [1]


def test_binary_files_are_copied_unless_students_hand_them_in(assignment):
    assert data_of(assignment) == {"figure.png": b"\x89PNG\xff\x00"}


def test_the_notebook_is_valid_cleared_and_the_same_each_time(assignment):
    text = templates_of(assignment)["hw.ipynb"]
    notebook = nbformat.reads(text, as_version=4)
    nbformat.validate(notebook)
    assert [cell.cell_type for cell in notebook.cells] == ["markdown", "code", "code", "code"]
    assert notebook.cells[0].source == "# Homework\n*Write your answer here.*"
    assert notebook.cells[1].source.startswith("%matplotlib inline\n!pip install portalocker")
    assert 'raise NotImplementedError("get_batch")' in notebook.cells[2].source
    assert notebook.cells[3].source == "hidden = None  # 200 to 250"
    assert all(not cell.get("outputs") and not cell.get("execution_count") for cell in notebook.cells)
    assert templates_of(assignment)["hw.ipynb"] == text
    assert "vanish" not in text


def test_a_region_lies_inside_one_cell():
    with pytest.raises(AuthorError, match=r"hw\.py:4: a cell begins inside the region of line 2"):
        template_notebook("# %%\n# BEGIN SOLUTION\nx = 1\n# %%\ny = 1\n# END SOLUTION\n", "hw.py")


def test_a_magic_inside_a_region_goes_with_the_solution():
    text = "# %%\n# BEGIN SOLUTION\n# TEMPLATE: x = None\n# !pip install secret\nx = 1\n# END SOLUTION\n"
    assert "secret" not in template_notebook(text, "hw.py")


def test_the_templates_are_proven(assignment):
    assert proofs_of(assignment) == []


def test_a_leak_in_a_markdown_cell_is_found(assignment):
    path = assignment.reference / "hw.py"
    path.write_text(NOTEBOOK + "# %% [markdown]\n# return source[i : i + 35], source[i + 1 : i + 36].reshape(-1)\n")
    problems = proofs_of(assignment)
    assert any(problem.startswith("hw.ipynb") for problem in problems)


def test_a_broken_file_stops_everything_before_anything_is_written(assignment):
    (assignment.reference / "zz.py").write_text("# BEGIN SOLUTION\n")
    with pytest.raises(AuthorError, match=r"zz\.py:1"):
        write(assignment)
    assert not assignment.template.exists()


def test_write_and_stale_agree(assignment):
    assert len(stale(assignment)) == 7
    written = write(assignment)
    assert "models/lstm.py" in written
    assert "figure.png" in written
    assert stale(assignment) == []
    assert write(assignment) == []


def test_stale_names_every_difference(assignment):
    write(assignment)
    (assignment.template / "models/lstm.py").write_text("import torch\nx = 1\n")
    (assignment.template / "README.md").unlink()
    (assignment.template / "notes.txt").write_text("left over")
    assert sorted(stale(assignment)) == [
        "README.md: missing",
        "models/lstm.py: differs from line 2",
        "notes.txt: nothing in the reference yields this file",
    ]
    assert write(assignment) == ["README.md", "models/lstm.py", "notes.txt"]
    assert stale(assignment) == []


def test_a_checkout_with_other_line_ends_is_not_stale(assignment):
    write(assignment)
    path = assignment.template / "models/lstm.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert stale(assignment) == []


def test_declared_encodings_survive(assignment):
    (assignment.reference / "old.py").write_bytes("# -*- coding: latin-1 -*-\nname = 'é'\n".encode("latin-1"))
    write(assignment)
    assert (assignment.template / "old.py").read_bytes() == "# -*- coding: latin-1 -*-\nname = 'é'\n".encode("latin-1")


def test_a_wrong_encoding_is_the_authors_error(assignment):
    (assignment.reference / "old.py").write_bytes(b"name = '\xe9'\n")
    with pytest.raises(AuthorError, match="is not utf-8 text"):
        templates_of(assignment)


def test_a_saved_notebook_in_the_reference_is_an_error(assignment):
    (assignment.reference / "extra.ipynb").write_text(json.dumps({"cells": []}))
    with pytest.raises(AuthorError, match="percent format"):
        templates_of(assignment)


def test_a_missing_reference_is_an_error(assignment, tmp_path):
    (tmp_path / "reference").rename(tmp_path / "elsewhere")
    with pytest.raises(AuthorError, match="reference solution"):
        templates_of(assignment)


def test_a_link_is_an_error(assignment):
    (assignment.reference / "link.py").symlink_to(assignment.reference / "hw.py")
    with pytest.raises(AuthorError, match="symbolic"):
        templates_of(assignment)


def test_the_template_folder_may_not_be_the_reference(assignment):
    for folder in (assignment.reference, assignment.reference.parent, assignment.reference / "sub"):
        with pytest.raises(AuthorError, match="apart"):
            write(replace(assignment, template=folder))
    assert (assignment.reference / "hw.py").read_text() == NOTEBOOK
