"""Which saved outputs of the notebook belong to task 3: all up to what the next task begins with."""

from types import SimpleNamespace

import nbformat.v4 as v4
import pytest
from suite_modules import modules_of

from grader.assignment.locate import assignment_folders
from grader.parsing.notebooks import read

BUILD = "model = TransformerModel(10, 200, 2, 200, 2)\noptimizer = SGD(model.parameters(), lr=2.5)"
PRINT = "print(values)"


def notebook(*cells):
    """A notebook of (source, printed text) cells, all of them run."""
    made = []
    for number, (source, printed) in enumerate(cells, start=1):
        outputs = [v4.new_output("stream", name="stdout", text=printed)] if printed else []
        made.append(v4.new_code_cell(source, execution_count=number, outputs=outputs))
    return v4.writes(v4.new_notebook(cells=made))


@pytest.mark.parametrize(
    ("rest", "found", "left_out"),
    [
        ([(PRINT, "drop 0.2"), ("train(model, 35)", "loss 7.5")], ["drop 0.2"], ["loss 7.5"]),
        ([(PRINT, "drop 0.2"), ("train(model,, 35)", "loss 7.5")], ["drop 0.2"], []),
        (
            [(PRINT, "drop 0.2"), ("def evaluate():\n    pass", ""), ("train(,)", "loss 7.5")],
            ["drop 0.2"],
            ["loss 7.5"],
        ),
        ([("def helper():\n    pass", ""), (PRINT, "drop 0.2"), ("x = 1", "rate 2.5")], ["drop 0.2", "rate 2.5"], []),
    ],
    ids=["train is called", "no call can be read", "the next task's functions", "to the end"],
)
def test_what_was_printed_after_the_model_was_built_is_read(monkeypatch, rest, found, left_out):
    with modules_of(assignment_folders("ece046211_hw3").suite, monkeypatch) as load:
        saved = load("saved").Saved(read(notebook((BUILD, "built"), *rest), "n.ipynb"))
        text = load("demands").task_3_text(saved)
    assert all(line in text for line in ("built", *found))
    assert not any(line in text for line in left_out)


@pytest.mark.parametrize(
    ("parameters", "roles"),
    [
        ("model, bptt", ["model", "bptt"]),
        ("model, bptt, num_epoch", ["model", "bptt", "epoch"]),
        ("net, bptt, text", ["model", "bptt", "train_data"]),
        ("model, bptt, verbose=False", ["model", "bptt"]),
    ],
)
def test_arguments_of_train_are_matched_by_role(monkeypatch, tmp_path, parameters, roles):
    path = tmp_path / "written.py"
    path.write_text(f"def train({parameters}):\n    data = get_batch(text, 0)\n")
    names = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    with modules_of(assignment_folders("ece046211_hw3").suite, monkeypatch) as load:
        module = load("roles")
        notebook = SimpleNamespace(names=lambda: ("train",), train=names["train"])
        known = {**module.own_names(notebook), **module.ROLE_OF}
        values = {role: role for role in module.SYNONYMS}
        assert list(module.arguments(names["train"], values, known).values()) == roles


MAKE = "def make(n, **sizes):\n    return TransformerModel(n, **sizes)"
TRAIN = "def train(model, bptt, rate): pass"


@pytest.mark.parametrize(
    ("cells", "calling"),
    [
        ([MAKE, "model = make(10, ninp=200)"], [2]),
        ([MAKE, "x = 1"], []),
        ([MAKE, "def again(): return make(10)", "model = again()"], [3]),
        (["make = lambda: TransformerModel(10)", "model = make()"], [2]),
        (["Model = TransformerModel", "model = Model(10)"], [1]),
    ],
    ids=["a function", "only defined", "two functions", "a lambda", "another name"],
)
def test_a_cell_calls_what_the_functions_call_that_it_calls(monkeypatch, cells, calling):
    with modules_of(assignment_folders("ece046211_hw3").suite, monkeypatch) as load:
        saved = load("saved").Saved(read(notebook(*((cell, "") for cell in cells)), "n.ipynb"))
        assert [cell.number for cell in saved.calling("TransformerModel")] == calling


@pytest.mark.parametrize(
    ("cell", "found"),
    [
        ("train(net, 35, 0.1)", [35]),
        ("train(net, rate=35, bptt=20)", [20]),
        ("length = 35\ntrain(net, length, 20)", [35]),
        ("bptt = 20\ntrain(net, bptt, 35)", [20]),
        ("def fit(n, steps=35):\n    for _ in range(n): train(net, steps, 1)\nfit(3)", [35]),
        ("def fit(n, steps=35):\n    for _ in range(n): train(net, steps, 1)\nfit(3, 20)", [20]),
        ("sizes = {'bptt': 35}\ntrain(net, sizes['bptt'], 20)", [35]),
        ("class Sizes:\n    bptt: int = 35\ntrain(net, Sizes().bptt, 20)", [35]),
        ("sizes = Namespace(bptt=35)\ntrain(net, sizes.bptt, 20)", [35]),
    ],
)
def test_the_length_is_what_reaches_train(monkeypatch, cell, found):
    with modules_of(assignment_folders("ece046211_hw3").suite, monkeypatch) as load:
        saved = load("saved").Saved(read(notebook((TRAIN, ""), (cell, "loss 7")), "n.ipynb"))
        assert load("test_task4_results")._lengths(saved, saved.cells[-1]) == found


@pytest.mark.parametrize(
    ("cell", "doubted"),
    [
        ("epochs = 1\ndef fit(n):\n    for e in range(1, n + 1): train(model, 35)\nfit(n=2)", False),
        ("epochs = 2\ndef fit(n):\n    for e in range(1, n + 1): train(model, 35)\nfit(n=3)", True),
        ("epochs = 2\nfor e in range(epochs): train(model, 35)", False),
        ("epochs = 3\nfor e in range(epochs): train(model, 35)", True),
        ("epochs = 3\nwhile e < epochs: train(model, 35)", True),
    ],
)
def test_the_number_of_epochs_is_that_of_the_loop(monkeypatch, cell, doubted):
    with modules_of(assignment_folders("ece046211_hw3").suite, monkeypatch) as load:
        saved = load("saved").Saved(read(notebook((cell, "| epoch 1 | 7.5\n| epoch 2 | 7.1")), "n.ipynb"))
        assert bool(load("fresh").doubts(saved)) == doubted
