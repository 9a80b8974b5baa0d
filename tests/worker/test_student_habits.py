"""What students write around the classes that are graded, and what becomes of it here."""

import copy
import json
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import pytest
import torch

from grader.worker import absent, adapting
from grader.worker.capture import Capture
from grader.worker.loading import FileSpec, Modules
from grader.worker.ownership import StudentFiles
from grader.worker.running import Work, perform

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _as_in_a_worker():
    before = set(sys.modules)
    adapting.install()
    finder = absent.install(["nobody_has_this"])
    yield
    sys.meta_path.remove(finder)
    adapting.remove()
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.fixture
def asked(tmp_path):
    """asked(text or list of cells, call) -> the answer of one probe on that file."""

    def ask(source, call=lambda m: {"out": m["m"].f()}):
        name = "m.py" if isinstance(source, str) else "m.ipynb"
        cells = [{"cell_type": "code", "metadata": {}, "source": cell} for cell in source]
        text = source if isinstance(source, str) else json.dumps({"cells": cells, "metadata": {}, "nbformat": 4})
        (tmp_path / name).write_text(text)
        kind = "python" if isinstance(source, str) else "notebook"
        modules = Modules(tmp_path, [FileSpec(id="m", path=name, expected=name, kind=kind)])
        files = StudentFiles(str(tmp_path))
        return perform(Work(probe="p", arguments={}), {"p": call}, modules, Capture(files), files)

    return ask


F = "def f():\n    return float(act(torch.tensor(-1.0)))"


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        (
            ["import torch\ndevice = torch.device('cuda')\ndef f():\n    return str(torch.ones(1).to(device).device)"],
            "cpu",
        ),
        (["NEG = float('-inf')\ndef f():\n    return NEG"], float("-inf")),
        (["import torch\nfrom torch import nn", "act = nn.ReLU()", F], 0.0),
        (["import torch\nact = lambda t: t * 2", F], -2.0),
        (["size = 3\nname = f'net{size}'\ndef f():\n    return name"], "net3"),
        (["class My:\n    x = 1\nNet = My\ndef f():\n    return Net.x"], 1),
        (["class A:\n    pass\ndef g(self):\n    return 7\nA.g = g\ndef f():\n    return A().g()"], 7),
        (["class A:\n    pass\nsetattr(A, 'g', lambda self: 8)\ndef f():\n    return A().g()"], 8),
        (["if True:\n    class A:\n        x = 1\nelse:\n    class A:\n        x = 2\ndef f():\n    return A.x"], 1),
        (["try:\n    import nobody_ever\n    a = 1\nexcept ImportError:\n    a = 0\ndef f():\n    return a"], 0),
        (["with open('gone'):\n    def f():\n        return 5"], 5),
        (["if __name__ == '__main__':\n    def f():\n        return 6\n    train()"], 6),
        (["from __future__ import annotations", "def f(x: Unknown = 1):\n    return x"], 1),
        (["made = [i * 2 for i in range(3)]\nsizes = {'a': made[1]}\ndef f():\n    return sizes['a']"], 2),
        (["sizes = {}\nsizes['a'] = 4\nsizes.update(b=5)\ndef f():\n    return [sizes['a'], sizes['b']]"], [4, 5]),
    ],
)
def test_what_a_notebook_sets_around_its_classes_is_there(asked, cells, value):
    assert asked(cells)["values"] == {"out": value}


@pytest.mark.parametrize(
    ("cell", "why"),
    [
        ("vocab = build()", "cell 1, line 1 sets it and was left out: it raised NameError"),
        ("import time\nvocab = time.sleep(30)", "it takes longer than 1 s"),
        ("import nobody_has_this\nvocab = nobody_has_this.load()", "it needs nobody_has_this, which is not here"),
        (
            "for vocab in range(3):\n    train(vocab)\nif fits():\n    vocab = 1",
            "cannot tell whether this branch is taken",
        ),
    ],
)
def test_what_was_left_out_is_named_where_it_is_missed(asked, cell, why):
    answer = asked([cell, "def f():\n    return vocab"])
    assert answer["kind"] == "NameError"
    assert why in answer["message"]


def test_what_nothing_reads_is_not_run(asked):
    answer = asked(["losses = [1 / 0]\nhistory = print('trained')", "def f():\n    return 1"])
    assert answer["values"] == {"out": 1}
    assert answer["notes"]["prints"] == 0


@pytest.mark.parametrize(
    "line",
    [
        "import einops_nobody_has",
        "import os; os.chdir('/content/drive')",
        "open('/content/data.csv')",
        "import nobody_has_this as pd; n = len(pd.read_csv('x'))",
        "torch.cuda.get_device_properties(0)",
        "1 / 0",
        "torch.set_num_threads(63)",
        "import nobody_has_this as plt; fig, (a, b) = plt.subplots(1, 2); a[0].plot([1])",
    ],
)
def test_a_statement_of_a_file_costs_only_itself(asked, line):
    answer = asked(f"import torch\n{line}\nSIZE = 2 + 3\ndef f():\n    return SIZE\n")
    assert answer["values"] == {"out": 5}


@pytest.mark.parametrize(
    ("line", "breaks"),
    [
        ("1 / 0", True),
        ("import nobody_ever", True),
        ("open('/content/x')", False),
        ("torch.cuda.get_device_name()", False),
    ],
)
def test_only_what_is_the_students_own_is_a_failed_import(asked, line, breaks):
    notes = asked(f"import torch\n{line}\ndef f():\n    return 1\n")["notes"]["loading"]
    assert any("while it was imported" in note for note in notes) == breaks
    assert notes


def test_a_broken_file_keeps_what_can_be_read(asked):
    answer = asked("SIZE = 4\ndef f():\n    return SIZE\ndef g(:\n    pass\n")
    assert answer["values"] == {"out": 4}
    answer = asked("SIZE = 4\ndef g(:\n    pass\ndef f():\n    return SIZE\n", lambda m: {"out": m["m"].g()})
    assert (answer["status"], answer["kind"]) == ("raised", "SyntaxError")
    assert asked("def f():\n    x = ???\n    return x\n")["status"] == "not_implemented"


def test_magics_of_an_exported_notebook_are_comments(asked):
    text = "# -*- coding: utf-8 -*-\n!pip install einops\n%matplotlib inline\nimport math\n"
    text += "def f():\n    return math.floor(2.5)\n"
    assert asked(text)["values"] == {"out": 2}


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="this Python knows the syntax")
def test_syntax_of_a_newer_python_names_both_versions(asked):
    answer = asked("def f():\n    d = {'a': 1}\n    return f'{d['a']}'\n")
    assert "needs Python 3.12" in answer["message"]
    assert "graded with Python 3.11" in answer["message"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return [[0.0]], [1]", "`f` returned a tuple of 2 (a list of 1, a list of 1)"),
        ("import numpy; return numpy.zeros((1, 2)), 0", "a NumPy array of shape (1, 2)"),
        ("x = torch.ones(1); x + 1", "`f` returned None. Is a `return` missing?"),
    ],
)
def test_what_came_back_is_named(asked, body, said):
    def probe(modules):
        first, second = modules["m"].f()
        return {"out": first.reshape(-1) @ second}

    answer = asked(f"import torch\ndef f():\n    {body}\n", probe)
    assert said in answer["message"]
    assert "NoneType" not in answer["message"]


@pytest.mark.parametrize(
    "body",
    [
        "pass",
        "'''What it does.'''\n    return None",
        "...",
        "out = None\n    # TODO: fill this in\n    return out",
        "n = len('ab')\n    # ===== YOUR CODE HERE =====\n    scores = None\n    # ===== END =====\n    return scores",
        "# TODO\n    return scores",
        "rows = len('given')\n    pass",
        "rows = len('given')\n    pass\n    return rows, target",
    ],
)
def test_a_templates_function_is_not_attempted(asked, body):
    answer = asked(f"def f():\n    {body}\n")
    assert (answer["status"], answer["what"]) == ("not_implemented", "f is not filled in")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("self.size = size\n        pass", "not_implemented"),
        ("self.size = size\n        # YOUR CODE HERE", "not_implemented"),
        ("self.size = nn.Linear(size, 2)\n        pass", "raised"),
        ("self.size = size", "raised"),
    ],
    ids=["given lines and a hole", "a mark", "something is made", "nothing to be made"],
)
def test_a_constructor_is_a_hole_where_one_was_left_in_it(asked, body, status):
    text = (
        "from torch import nn\nclass C(nn.Module):\n    def __init__(self, size):\n        super().__init__()\n"
        f"        {body}\n"
    )

    def probe(modules):
        made = modules["m"].C(3)
        raise ValueError(f"no layer fits in {type(made).__name__}")

    assert asked(text, probe)["status"] == status


@pytest.mark.parametrize(
    "body", ["x = 1\n    x += 1", "# TODO\n    y = 2 * 3\n    return scores", "return undefined + 1"]
)
def test_code_that_was_written_is_attempted(asked, body):
    assert asked(f"def f():\n    {body}\n")["status"] != "not_implemented"


def test_an_error_in_a_layer_carries_the_shapes(asked):
    text = "import torch\ndef f():\n    return g(torch.ones(2, 3))\ndef g(x):\n    return torch.nn.Linear(4, 1)(x)\n"
    message = asked(text)["message"]
    assert "g was given x (2, 3)" in message
    assert "Linear in it input (2, 3)" in message


def test_surrogates_do_not_break_an_answer(asked):
    answer = asked("def f():\n    print('\\ud800', flush=True)\n    return 1\nraise ValueError('\\udfff')\n")
    assert answer["values"] == {"out": 1}
    json.dumps(answer["notes"]).encode()
    "".join(answer["notes"]["loading"]).encode()


@pytest.mark.parametrize(
    "line",
    [
        "torch.ones(2).cuda()",
        "torch.ones(2).to('cuda:0', torch.float64)",
        "torch.zeros(2, device=torch.device('mps'))",
        "torch.nn.Linear(2, 2, device='cuda').weight",
        "torch.nn.Linear(2, 2).cuda().weight",
        "torch.cuda.FloatTensor(2)",
        "torch.ones(2).type(torch.cuda.FloatTensor)",
        "torch.randn(2, generator=torch.Generator('cuda'), device='cuda')",
        "torch.compile(torch.nn.Linear(2, 2), mode='x').weight",
        "torch.compile()(torch.ones)(2)",
        "torch.jit.script(torch.nn.Linear(2, 2)).weight",
    ],
)
def test_another_machine_is_this_one(asked, line):
    answer = asked(f"import torch\ndef f():\n    return str(({line}).device)\n")
    assert answer["values"] == {"out": "cpu"}
    assert any("ignored" in note for note in answer["notes"]["loading"]) or "FloatTensor" in line


def test_schedulers_take_what_they_took():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=1.0)
    for kind in ("StepLR", "ReduceLROnPlateau"):
        extra = (1,) if kind == "StepLR" else ()
        assert getattr(torch.optim.lr_scheduler, kind)(optimizer, *extra, verbose=True) is not None
    with pytest.raises(TypeError):
        torch.optim.lr_scheduler.StepLR(optimizer, 1, loud=True)


def test_everything_is_put_back():
    adapting.remove()
    with pytest.raises((AssertionError, RuntimeError)):
        torch.ones(1).to("mps")
    with pytest.raises(TypeError):
        torch.optim.lr_scheduler.StepLR(torch.optim.SGD([torch.ones(1)], lr=1.0), 1, verbose=True)


def said_by_a_process(text):
    """What a process prints in which `install` was the first thing: these know what others have imported."""
    start = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import torch
from grader.worker import adapting
adapting.install()
"""
    done = subprocess.run([sys.executable, "-c", start + text], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_seed_keeps_no_stack_for_a_gpu_that_is_not_there():
    said = said_by_a_process("""
import traceback
def kept(*_):
    raise AssertionError("the caller's stack was taken")
traceback.format_stack = kept
for seed in (torch.manual_seed, torch.cuda.manual_seed, torch.cuda.manual_seed_all):
    seed(3)
print(float(torch.rand(())) == float(torch.rand((), generator=torch.Generator().manual_seed(3))))
""")
    assert said == ["True"]


def test_a_mask_of_padding_needs_no_library_of_algebra():
    said = said_by_a_process("""
layer = torch.nn.MultiheadAttention(4, 2)
x = torch.ones(3, 2, 4)
layer(x, x, x, key_padding_mask=torch.zeros(2, 3, dtype=bool))
try:
    layer(x, x, x, key_padding_mask=torch.zeros(2, 9, dtype=bool))
except AssertionError as error:
    print(error)
print("sympy" in sys.modules)
""")
    assert said == ["Expected key_padded_mask.shape[1] to be 3, but got 9", "False"]


def test_copies_in_fewer_steps_are_the_same_copies():
    hooks, members = OrderedDict(), OrderedDict(a=[1], b=set())
    members["all"] = members
    hooks.note = ["kept"]
    again = copy.deepcopy({"hooks": hooks, "members": members, "twice": [members["b"], members["b"]], "set": {(1, 2)}})
    assert type(again["hooks"]) is OrderedDict
    assert again["hooks"].note == ["kept"]
    assert again["hooks"].note is not hooks.note
    assert again["members"]["all"] is again["members"]
    assert again["members"]["a"] == [1]
    assert again["members"]["a"] is not members["a"]
    assert again["twice"][0] is again["twice"][1] is again["members"]["b"] is not members["b"]
    assert again["set"] == {(1, 2)}
