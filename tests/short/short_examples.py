"""A homework in the short form, as an author has it: one manifest, and a reference beside it."""

from pathlib import Path

from grader.assignment.locate import Folders, folders_below

MANIFEST = """\
slug: five
title: Five functions
files: [f.py]
draw:  {x: "normal(rows, width)", y: "normal(rows, width)", i: "integers(rows, high=4)"}
sizes: {rows: 1..5, width: 2..9}
checks:
  relu:    {call: relu(x), points: 1, gradients: true}
  softmax: {call: softmax(x), points: 1, gradients: true}
  mse:     {call: "mse(x, y)", points: 1}
  one_hot: {call: "one_hot(i, 4)", points: 1}
answers:
  receptive_field: {notebook: analysis.ipynb, points: 1, reveal: false}
wrong:
  - {in: f.py, replace: ["softmax(x, -1)", "softmax(x, 0)"], fails: softmax, hint: wrong axis}
"""

FUNCTIONS = """\
import torch


def relu(x):
    # BEGIN SOLUTION
    return x.clamp(min=0)
    # END SOLUTION


def softmax(x):
    # BEGIN SOLUTION
    return torch.softmax(x, -1)
    # END SOLUTION


def mse(x, y):
    # BEGIN SOLUTION
    return ((x - y) ** 2).mean()
    # END SOLUTION


def one_hot(i, classes):
    # BEGIN SOLUTION
    return torch.eye(classes)[i]
    # END SOLUTION
"""

ANALYSIS = """\
# %%
# BEGIN SOLUTION
# TEMPLATE: receptive_field = None
receptive_field = 1 + 4 * 2
# END SOLUTION
"""


def write_five(root: Path, *edits: tuple[str, str], more: str = "") -> Folders:
    """The homework below `root`, its manifest with edits and further lines."""
    text = MANIFEST
    for find, replace in edits:
        assert text.count(find) == 1, find
        text = text.replace(find, replace)
    return write_homework(root, "five", text + more, {"f.py": FUNCTIONS, "analysis.py": ANALYSIS})


def write_homework(root: Path, slug: str, manifest: str, reference: dict[str, str]) -> Folders:
    """Any homework."""
    folders = folders_below(root, slug)
    folders.suite.mkdir(parents=True)
    folders.reference.mkdir(parents=True)
    (folders.suite / "assignment.yaml").write_text(manifest)
    for name, text in reference.items():
        (folders.reference / name).write_text(text)
    return folders
