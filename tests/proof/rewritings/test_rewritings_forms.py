"""Forms of files: Python and notebooks read them as the same code."""

import ast
import io
import json
import tokenize
from pathlib import Path

import pytest

from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.parsing.notebooks import read, to_notebook_text
from grader.proof.rewritings.forms import exported_text, forms_of, module_forms, notebook_forms, with_tabs
from grader.proof.rewritings.making import _with_torch, rewritings_of
from grader.proof.rewritings.operators import OPERATORS, PLAIN
from grader.short.expanding import expanded

ASSIGNMENTS = Path(__file__).parents[2] / "fixtures" / "assignments"
ROOT = Path(__file__).parents[3]
MODULE = 'import torch\n\n\nclass Net:\n    """größer"""\n\n    def forward(self, x):\n        return x\n'
FORMS = dict(module_forms("net.py", MODULE.encode()))
NOT_PYTHON = {"magics of an export", "as a notebook"}  # a grader has to read these all the same


@pytest.mark.parametrize("what", [what for what in FORMS if what not in NOT_PYTHON])
def test_python_reads_every_form_of_a_module(what):
    content = FORMS[what]["net.py"]
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    tree = ast.parse(content.decode(encoding))
    names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    assert names == ["Net"]


def test_tabs_stand_for_four_spaces_each():
    assert with_tabs("if x:\n    if y:\n        z = '    '\n") == "if x:\n\tif y:\n\t\tz = '    '\n"


PERCENT = "# %% [markdown]\n# # Title\n\n# %%\nimport math\nx = 1\n\n# %%\n# why\ny = math.pi\nprint(y)\n"
NOTEBOOK = to_notebook_text(PERCENT, {2: {}, 3: {"text": "3.14\n"}})
CELLS = {
    what: files["hw.ipynb"] for what, files in notebook_forms("hw.ipynb", NOTEBOOK.encode()) if "hw.ipynb" in files
}


def code_of(content):
    notebook = read(content.decode("utf-8-sig"), "hw.ipynb")
    return [cell.source.replace("\r", "") for cell in notebook.code_cells], [c.outputs for c in notebook.code_cells]


def test_a_cell_for_each_statement_keeps_what_was_printed_at_the_last():
    sources, outputs = code_of(CELLS["a cell for each statement"])
    assert sources == ["import math", "x = 1", "# why\ny = math.pi", "print(y)"]
    assert [bool(text.strip()) for text in outputs] == [False, False, False, True]


def test_joined_cells_keep_all_that_was_printed():
    sources, outputs = code_of(CELLS["cells joined"])
    assert len(sources) == 1
    assert "x = 1\n\n# why" in sources[0]
    assert "3.14" in outputs[0]


@pytest.mark.parametrize("what", [what for what, content in CELLS.items() if content is not None])
def test_every_form_of_a_notebook_holds_the_same_statements(what):
    assert "y = math.pi" in "\n".join(code_of(CELLS[what])[0])


def test_an_export_comments_magics_and_text():
    cells = json.loads(to_notebook_text("# %% [markdown]\n# hello\n\n# %%\n# %matplotlib inline\nx = 1\n"))["cells"]
    text = exported_text(cells)
    assert "# hello" in text
    assert "# In[2]:" in text
    compile(text, "export", "exec")


def test_the_files_that_students_write_have_forms_and_operators():
    assignment = load(folders_below(ASSIGNMENTS, "tiny"))
    forms = forms_of(assignment, {"layers.py", "tiny.py"})
    assert {change.file for change in forms} == {"layers.py", "tiny.py"}
    assert {change.after for change in forms} >= {"CRLF", "as a notebook", "cells joined", "exported to a module"}
    made = rewritings_of(assignment)
    assert len({change.id for change in made}) == len(made)
    assert {"form: CRLF", "super", "returned", "built-there"} <= {change.operator for change in made}


def test_a_file_without_torch_is_rewritten_in_pythons_words_alone():
    assignment = load(expanded(folders_below(ROOT, "numpy_backprop")))
    made = {change.operator for change in rewritings_of(assignment) if not change.operator.startswith("form")}
    assert "loop-shown" in made
    assert made <= PLAIN <= OPERATORS.keys()


def test_rewritings_that_speak_of_torch_find_it():
    text = '"""A net."""\n\nfrom torch import nn\nfrom torch.nn import functional\n'
    assert _with_torch(text).splitlines()[2:4] == ["import torch", "from torch import nn"]
    assert _with_torch("import torch.nn as nn\n") == "import torch\nimport torch.nn as nn\n"
    for whole in ("import torch\n" + text, "import torch, os\n", "import numpy as np\n"):
        assert _with_torch(whole) == whole
