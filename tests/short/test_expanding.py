"""From a manifest in the short form to the files of the long form, and what an author is told."""

import ast

import pytest
from short_examples import MANIFEST, write_five, write_homework

from grader.assignment.manifest import SHORT, load
from grader.errors import AuthorError
from grader.proof.kept import read_kept
from grader.short.expanding import expanded, long_form
from grader.short.form import KEYS


def told(folders):
    with pytest.raises(AuthorError) as caught:
        expanded(folders)
    return str(caught.value)


def test_the_keys_are_known_to_the_manifest():
    assert KEYS == SHORT


def test_a_manifest_of_the_long_form_is_left_alone(tmp_path):
    folders = write_homework(tmp_path, "long", "slug: long\ntitle: Long\ntotal: 1\n", {})
    assert expanded(folders) is folders


def test_the_example(tmp_path):
    folders = write_five(tmp_path)
    assert len(MANIFEST.splitlines()) <= 25
    assignment = load(expanded(folders))
    assert [(item.id, item.points, item.made_from) for item in assignment.items][:2] == [
        ("relu", 1, "relu(x)"), ("softmax", 1, "softmax(x)")]  # fmt: skip
    assert assignment.total == 5
    assert [(file.id, file.path, file.kind) for file in assignment.files] == [
        ("f", "f.py", "python"), ("analysis", "analysis.ipynb", "notebook")]  # fmt: skip
    assert assignment.files[0].defines == ("relu", "softmax", "mse", "one_hot")
    (kept,) = read_kept(assignment.suite)
    assert (kept.fails, kept.hint) == (("softmax",), "wrong axis")


def test_what_is_written_is_python_and_evaluates_nothing_of_the_manifest(tmp_path):
    long = long_form(write_five(tmp_path))
    assert set(long.texts) == {
        "assignment.yaml", "check_probes.py", "check_cases.py", "test_checks.py",
        "submissions/wrong/01_wrong_axis.yaml"}  # fmt: skip
    for name, text in long.texts.items():
        if name.endswith(".py"):
            ast.parse(text)
            assert max(map(len, text.splitlines())) <= 120, name


def test_the_long_form_stands_beside_it(tmp_path):
    items = 'parts: [{id: own, title: o, question: "1"}]\nitems: [{id: own, part: own, question: "1", points: 2}]\n'
    folders = write_five(tmp_path, more=items)
    (folders.suite / "probes.py").write_text("def own(modules):\n    return {}\n")
    assignment = load(expanded(folders))
    assert [item.id for item in assignment.items] == ["own", "relu", "softmax", "mse", "one_hot", "receptive_field"]
    assert assignment.total == 7
    assert (assignment.suite / "probes.py").is_file()


def test_points_may_stand_at_results_and_gradients(tmp_path):
    edit = ('softmax: {call: softmax(x), points: 1, gradients: true}',
            'pair: {call: "mse(x, y)", outputs: {a: 1, b: 0.5}, gradients: 2}')  # fmt: skip
    folders = write_five(tmp_path, edit, ("fails: softmax", "fails: [pair.a]"))
    points = {item.id: str(item.points) for item in load(expanded(folders)).items}
    assert points | {"pair.a": "1", "pair.b": "0.5", "pair.gradients": "2"} == points
    text = long_form(folders).texts["test_checks.py"]
    assert 'only=["a"]' in text
    assert 'only=["gradients"]' in text


def test_names_become_rules(tmp_path):
    edit = ("softmax(x), points: 1", "softmax(x), points: 1, forbidden: [torch.softmax], required: [torch.exp]")
    rules = load(expanded(write_five(tmp_path, edit))).rules
    assert [(rule.id, rule.kind, rule.names, rule.within) for rule in rules] == [
        ("softmax.forbidden", "forbidden", ("torch.softmax",), ("softmax",)),
        ("softmax.required", "required", ("torch.exp",), ("softmax",)),
    ]
    assert rules[0].consequence.target == ("softmax",)


@pytest.mark.parametrize(
    ("find", "replace", "line", "said"),
    [
        ("checks:\n", "cheks:\n", 6, "unknown key 'cheks'"),
        ("points: 1, gradients: true}\n  soft", "point: 1, gradients: true}\n  soft", 7, "did you mean 'points'?"),
        ("call: relu(x)", "call: rleu(x)", 7, "did you mean 'relu'?"),
        ('mse(x, y)', 'mse(x, z)', 9, "z is no input and no size"),
        ('x: "normal(', 'x: "norml(', 7, "did you mean 'normal'?"),
        ("rows: 1..5", "rows: 5..1", 7, "expected lowest..highest"),
        ("mse:     {", "mse:     {in: g.py, ", 9, "no file is called 'g.py'"),
        ("gradients: true}\n  softmax", "gradients: 0}\n  softmax", 7, "0 are no points"),
        ('["softmax(x, -1)"', '["softmax(y, -1)"', 14, "stands 0 times in f.py"),
        ('["softmax(x, -1)"', '["x"', 14, "(lines 4, 6,"),
        ("fails: softmax,", "", 14, "`fails` names the items"),
        ("notebook: analysis.ipynb, ", "", 12, "say where it stands"),
        ("notebook: analysis.ipynb, ", "notebook: analysis, ", 12, "expected a path, such as analysis.ipynb"),
        ("title: Five functions", "title: Five functions\ntotal: 9", 3, "9"),
        ("points: 1}\n  one", "points: 1, mode: eval}\n  one", 9, "need a module"),
        ("points: 1}\n  one", "points: 1, properties: [casual(x)]}\n  one", 9, "did you mean 'causal'?"),
        ("points: 1}\n  one", "points: 1, properties: [causal(z)]}\n  one", 9, "z is no input of the call"),
        ("points: 1}\n  one", "points: 1, tolerance: tight}\n  one", 9, "expected a relative bound"),
    ],
)  # fmt: skip
def test_mistakes_are_told_with_file_line_and_near_names(tmp_path, find, replace, line, said):
    message = told(write_five(tmp_path, (find, replace)))
    assert f"assignment.yaml:{line}: " in message
    assert said in message


def test_files_of_the_author_are_not_written_over(tmp_path):
    folders = write_five(tmp_path)
    (folders.suite / "check_probes.py").write_text("")
    assert "would be written over" in told(folders)


NET = """\
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.out = nn.Linear(784, classes)

    def forward(self, x):
        return self.out(x.flatten(1))
"""
FIT = """\
slug: fit
title: Fit
files: [net.py]
train:
  digits: {model: Net(classes), data: mnist, steps: 30, threshold: 0.5, points: 3,
    real: {steps: 9, seconds: 6, full: 0.9}}
"""


def test_a_training_in_a_line(tmp_path):
    folders = write_homework(tmp_path, "fit", FIT, {"net.py": NET})
    (item,) = load(expanded(folders)).items
    assert (item.training.metric, item.training.made.steps, item.training.made.full) == ("accuracy", 30, 0.5)
    assert (item.training.real.steps, item.training.real.full, item.training.data) == (9, 0.9, "mnist")
    text = long_form(folders).texts["check_probes.py"]
    assert 'fitted(modules, modules["net"].Net(classes), steps=steps, batch=64, rate=0.003)' in text


def test_evidence_is_written_where_the_author_keeps_it(tmp_path):
    folders = write_homework(tmp_path, "fit", FIT, {"net.py": NET})
    (expanded(folders).suite / "evidence.yaml").write_text("{}\n")
    assert (folders.suite / "evidence.yaml").read_text() == "{}\n"


@pytest.mark.parametrize(
    ("find", "replace", "said"),
    [
        ("Net(classes)", "Nett(classes)", "did you mean 'Net'?"),
        ("Net(classes)", "Net(classes)(1)", "expected what constructs it"),
        ("data: mnist", "data: minst", "did you mean 'mnist'?"),
        ("data: mnist", "data: mnist, metric: perplexity", "measured by accuracy"),
        ("threshold: 0.5", "threshold: 50", "shares are written as 0.8"),
    ],
)
def test_mistakes_in_a_training(tmp_path, find, replace, said):
    message = told(write_homework(tmp_path, "fit", FIT.replace(find, replace), {"net.py": NET}))
    assert "assignment.yaml:5: " in message
    assert said in message
