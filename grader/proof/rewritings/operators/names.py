"""Names: imports, aliases, constants of the module, other variables, loops with a bar, logs and scripts."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator

from grader.proof.changes.source import Edit, Replacement, Source
from grader.proof.rewritings.patterns import above

NN, FUNCTIONAL = "import torch.nn as nn", "import torch.nn.functional as F"
IMPORTS = {
    NN: ("from torch import nn", "import torch\nnn = torch.nn", f"from torch.nn import *  # noqa\n{NN}"),
    "from torch import nn": (NN, "from torch.nn import *  # noqa\nfrom torch import nn"),
    FUNCTIONAL: (
        "from torch.nn import functional as F",
        "import torch\nF = torch.nn.functional",
        f"from torch.nn.functional import *  # noqa\n{FUNCTIONAL}",
    ),
    "import torch": ("import torch as th\nimport torch", "import torch, os, sys"),
    "import math": ("import math as m\nimport math", "from math import *  # noqa\nimport math"),
}
RENAMED = {"hidden": "скрытое", "x": "вход", "inputs": "entrées", "scores": "оценки", "outputs": "выходы",
           "embedded": "эмбеддинг", "batch": "пакет", "output": "ausgänge", "weights": "веса"}  # fmt: skip
SCRIPT = (
    'if __name__ == "__main__":\n    print("running as a script")\n    print(torch.rand(2).shape)',
    "print(torch.__version__)",
    "import logging\n\nlogging.basicConfig(level=logging.INFO)\nlogger = logging.getLogger(__name__)\n"
    'logger.info("device %s", "cpu")',
    "torch.manual_seed(0)\nimport warnings\nwarnings.filterwarnings('ignore')",
    "torch.set_printoptions(precision=3)\nassert torch.ones(1).sum() == 1",
    "torch.backends.cudnn.deterministic = True\ntorch.set_num_threads(8)",
    "torch.set_default_dtype(torch.float32)\ntry:\n    import einops\nexcept ImportError:\n    einops = None",
)


OTHERS = sys.stdlib_module_names | {"torch", "numpy", "tqdm", "diffusers", "torchtext", "torchvision", "spacy"}


def import_spelt(source: Source, node: ast.AST) -> Iterator[Edit]:
    """The same modules under other names, and star imports beside them."""
    if isinstance(node, ast.Import | ast.ImportFrom) and source.parent(node) is source.tree:
        for text in IMPORTS.get(source.segment(node), ()):
            yield source.replace(node, text)


def imported_whole(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Another file of the submission as a module: `nets.Encoder` for `Encoder`."""
    if not isinstance(node, ast.ImportFrom) or node.level or not node.module or source.parent(node) is not source.tree:
        return
    names = {entry.name for entry in node.names if entry.asname is None}
    if node.module.split(".")[0] in OTHERS or len(names) < len(node.names) or "*" in names:
        return
    uses = [part for part in ast.walk(source.tree) if isinstance(part, ast.Name) and part.id in names]
    if all(isinstance(part.ctx, ast.Load) for part in uses):
        there = (Replacement(*source.span(part), f"whole.{part.id}") for part in uses)
        yield Edit((Replacement(*source.span(node), f"import {node.module} as whole"), *there))


def class_aliased(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A class with a second name, by which the other classes make it: given afterwards, or the one it is written by."""
    if not isinstance(node, ast.ClassDef) or source.parent(node) is not source.tree or node.decorator_list:
        return
    uses = [part for part in ast.walk(source.tree) if isinstance(part, ast.Name) and part.id == node.name]
    others = [part for part in uses if source.function(part) is not None and source.class_of(part) not in (None, node)]
    if not others:
        return
    own, other, (start, end) = node.name, f"Own{node.name}", source.span(node)
    there = [Replacement(*source.span(part), other) for part in others]
    yield Edit((Replacement(end, end, f"\n\n\n{other} = {own}"), *there))
    name = start + len("class ")
    within = Replacement(name, name + len(own), other), Replacement(end, end, f"\n\n\n{own} = {other}")
    yield Edit((*within, *there))


def constant_named(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A number of a function as a constant of the module, computed there."""
    if source.function(node) is None or source.class_of(node) is None or not isinstance(node, ast.expr):
        return
    text = source.segment(node)
    if text in ('float("-inf")', "-math.inf"):
        for value in (text, "-float('inf')", "torch.tensor(float('-inf')).item()", "(lambda: -torch.inf)()"):
            yield _named(source, node, f"NEG_INF = {value}", "NEG_INF")
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        outer = source.parent(node)
        if isinstance(outer, ast.UnaryOp) or source.function(node) is None or isinstance(outer, ast.arguments):
            return
        yield _named(source, node, f"NUMBER = {text} * 1", "NUMBER")


def activation_shared(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A function of the module that a global names: a layer object, a lambda, an alias."""
    if not isinstance(node, ast.Call) or source.class_of(node) is None or source.function(node) is None:
        return
    name = source.segment(node.func)
    if name in ("torch.sigmoid", "torch.tanh", "torch.relu", "torch.softmax", "F.softmax", "torch.stack", "torch.cat"):
        layers = {
            "torch.sigmoid": "torch.nn.Sigmoid()",
            "torch.tanh": "torch.nn.Tanh()",
            "torch.relu": "torch.nn.ReLU()",
        }
        values = [name, f"lambda *args, **kwargs: {name}(*args, **kwargs)", *([layers[name]] if name in layers else [])]
        for value in values:
            yield Edit((above(source, node, f"act = {value}"), Replacement(*source.span(node.func), "act")))


def variable_renamed(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A local variable with letters of another alphabet."""
    if not isinstance(node, ast.FunctionDef) or source.class_of(node) is None:
        return
    stored = {p.id for p in ast.walk(node) if isinstance(p, ast.Name) and isinstance(p.ctx, ast.Store)}
    arguments = {argument.arg for argument in node.args.args}
    for name in sorted(stored - arguments):
        if name in RENAMED:
            places = [part for part in ast.walk(node) if isinstance(part, ast.Name) and part.id == name]
            yield Edit(tuple(Replacement(*source.span(part), RENAMED[name]) for part in places))


def loop_shown(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A loop with a progress bar, an enumeration nobody needs, or as `while`."""
    outer = source.parent(node)
    if not isinstance(outer, ast.For) or outer.iter is not node or source.function(node) is None:
        return
    text = source.segment(node)
    if "tqdm" in source.text and "tqdm" not in text:
        yield source.replace(node, f"tqdm({text}, leave=False)")
    if isinstance(outer.target, ast.Name):
        target = source.segment(outer.target)
        yield Edit(
            (
                Replacement(*source.span(outer.target), f"_, {target}"),
                Replacement(*source.span(node), f"enumerate({text})"),
            )
        )
        yield source.replace(node, f"list({text})")
        yield source.replace(node, f"(entry for entry in {text})")


def script_added(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Below the classes: what runs as a script, prints, logs, seeds."""
    classes = [part for part in source.tree.body if isinstance(part, ast.ClassDef)]
    if isinstance(node, ast.ClassDef) and classes and node is classes[-1]:
        end = source.span(node)[1]
        for text in SCRIPT:
            yield source.inserted(end, f"\n\n\n{text}")


def _named(source: Source, node: ast.expr, line: str, name: str) -> Edit:
    return Edit((above(source, node, line), Replacement(*source.span(node), name)))
