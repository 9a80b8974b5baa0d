"""What an item asks of a submission by name, and what its text has."""

import json

import pytest

from grader.judge.defined import absent, asked_by, has


def one(modules, x):
    return {"out": modules["m"].Net(x), "again": modules["m"].provide(x=1)}


def two(modules, x):
    file = modules["m"]
    return {"out": file.Other(x) + modules["n"].f(x)}


def test_what_a_probe_asks_for():
    assert asked_by(one) == {("m", "Net")}, "what every file can do is not the student's"
    assert asked_by(two) == {("n", "f")}


BINDS = {
    "class": "class Net:\n    pass",
    "function": "async def Net():\n    pass",
    "alias": "class Own:\n    pass\nNet = Own",
    "import": "from own import Own as Net",
    "star": "from own import *",
    "branch": "try:\n    from a import Net\nexcept ImportError:\n    Net = None",
    "loop": "for Net in (1, 2):\n    pass",
    "module function": "def __getattr__(name):\n    return 1",
    "globals": "globals()['Net'] = 1",
    "behind what cannot be read": "x = (\n\nclass Net:\n    pass",
}


@pytest.mark.parametrize("text", BINDS.values(), ids=BINDS)
def test_a_name_that_is_bound_is_there(text, tmp_path):
    (tmp_path / "m.py").write_text(text)
    assert has(tmp_path / "m.py", "Net")
    assert absent(iter([one]), tmp_path, {"m": "m.py"}) == ""


@pytest.mark.parametrize("text", ["", "net = 1", "'Net'", "x.Net = 1", "print(Net)", "def f():\n    Net = 1"])
def test_a_name_that_is_bound_nowhere_is_absent(text, tmp_path):
    (tmp_path / "m.py").write_text(text)
    assert not has(tmp_path / "m.py", "Net")
    assert absent(iter([one]), tmp_path, {"m": "m.py"}) == "Net in m.py"


def test_cells_bind_names(tmp_path):
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "source": "x = 1\nNet = x"}
    (tmp_path / "m.ipynb").write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}))
    assert has(tmp_path / "m.ipynb", "Net")


def test_one_name_that_is_there_is_enough(tmp_path):
    """A test has several routes, and need not use all that its probes could ask for."""
    (tmp_path / "m.py").write_text("x = 1")
    (tmp_path / "n.py").write_text("def f():\n    pass")
    assert absent(iter([one, two]), tmp_path, {"m": "m.py", "n": "n.py"}) == ""
    assert absent(iter([one]), tmp_path, {}) == "", "what was not handed in is said elsewhere"
