"""Which files a student's work needs beside those that are asked for."""

import zipfile
from pathlib import Path

import pytest
from tiny_assignment import tiny

from grader.kit.opening import collect
from grader.kit.own_files import needed_by
from grader.model import Submission

PACKAGE = {"own/__init__.py": "", "own/code.py": "from .helper import pairs", "own/helper.py": "", "own/rest.py": ""}
NOTEBOOK = '{"cells": [{"cell_type": "code", "source": "%time 1\\nimport own.code"}], "metadata": {}, "nbformat": 4}'


def needed(root: Path, files: dict[str, str], start: str = "adapters.py") -> set[str]:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return set(needed_by([start], root))


@pytest.mark.parametrize(
    "text",
    [
        "from own.code import table",
        "import own.code",
        "from own import code",
        "from .own import code",
        "def f():\n    import own.code as c",
        "try:\n    from own.code import *\nexcept ImportError:\n    pass",
        "import importlib\ncode = importlib.import_module('own.code')",
        "from own.code import table\ndef broken(:\n",
    ],
)
def test_what_is_imported_is_needed_and_what_that_imports(text, tmp_path):
    assert needed(tmp_path, {**PACKAGE, "adapters.py": text}) == {"own/__init__.py", "own/code.py", "own/helper.py"}


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"adapters.py": "import helper", "helper.py": "import other", "other.py": "import helper"},
         {"helper.py", "other.py"}),
        # a folder that the code puts on the path, and one without __init__.py
        ({"adapters.py": "import sys\nsys.path.insert(0, 'src')\nfrom tk.bpe import T", "src/tk/bpe.py": "import re",
          "old/re.py": ""}, {"src/tk/bpe.py"}),
        # a bare name beside its importer, the parent's package, a package inside another
        ({"adapters.py": "import a.b.c", "a/b/__init__.py": "", "a/b/c.py": "import d\nfrom ..e import f",
          "a/b/d.py": "", "a/e.py": "", "d/x.txt": ""}, {"a/b/__init__.py", "a/b/c.py", "a/b/d.py", "a/e.py"}),
        # data in the folders of a package that is imported; elsewhere, only what is named
        ({"adapters.py": "import own.code\nWORDS = open('words.txt')", "own/code.py": "", "own/data/merges.txt": "",
          "words.txt": "", "notes.txt": "", "other/merges.txt": "", "own/notes.md": ""},
         {"own/code.py", "own/data/merges.txt", "own/notes.md", "words.txt"}),
        ({"adapters.py": "exec(open('more.py').read())", "more.py": "import own", "own.py": "", "x.py": ""},
         {"more.py", "own.py"}),
        # a computed name may be any file's
        ({"adapters.py": "import own", "own/__init__.py": "import importlib as i\ndef f(n): i.import_module(n)",
          "own/a.py": "", "b.py": ""}, {"own/__init__.py", "own/a.py"}),
        ({"adapters.py": "import torch, numpy", "x/numpy.py": "", "notes.txt": ""}, set()),
        ({"adapters.py": "def f(:\n    x = ???\n", "own/a.py": ""}, set()),
    ],
)  # fmt: skip
def test_own_files(files, expected, tmp_path):
    assert needed(tmp_path, files) == expected


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("from Layers import Gate\n", {"Layers.py", "model.py"}),  # by the name that it has here
        ("from layers import Gate\n", {"layers.py", "model.py"}),
        ("from layers import Gate\nimport own\n", {"Layers.py", "model.py", "own.py"}),
    ],
)
def test_files_are_renamed_only_where_no_import_breaks(model, names, tmp_path):
    work, (folders, assignment) = tmp_path / "work", tiny()
    needed(work, {"model.py": model, "Layers.py": "class Gate: pass\n", "own.py": ""}, "model.py")
    found = Submission(key="ada", root=work, digest="d", files={"layers": "Layers.py", "model": "model.py"})
    said = list(collect(assignment, found, folders.template, tmp_path / "out.zip"))
    with zipfile.ZipFile(tmp_path / "out.zip") as packed:
        assert set(packed.namelist()) == names | {"kit-receipt.json"}
    assert any(line.startswith("Left out") and "own.py" in line for line in said) == ("own.py" not in names)
    assert any(line.startswith("Not there: tiny.ipynb") for line in said)


def test_a_notebooks_cells_are_read(tmp_path):
    assert needed(tmp_path, {**PACKAGE, "a.ipynb": NOTEBOOK}, "a.ipynb") == set(PACKAGE) - {"own/rest.py"}
