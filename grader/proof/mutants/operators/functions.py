"""Another function: activations, reductions, extremes, softmax, clipping and roots left out."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from grader.proof.changes.calls import called, integer, keyword, of_module, receiver, subject, with_argument
from grader.proof.changes.source import Edit, Source

ACTIVATIONS = {"relu": "gelu", "gelu": "relu", "silu": "relu", "tanh": "sigmoid", "sigmoid": "tanh", "elu": "relu",
               "sin": "cos", "cos": "sin"}  # fmt: skip
FUNCTIONS = {**ACTIVATIONS, "softmax": "log_softmax", "log_softmax": "softmax"}
LAYERS = {"ReLU": "GELU", "GELU": "ReLU", "SiLU": "ReLU", "Tanh": "Sigmoid", "Sigmoid": "Tanh", "LeakyReLU": "ReLU",
          "Softmax": "LogSoftmax", "LogSoftmax": "Softmax"}  # fmt: skip
NORMS = ("LayerNorm", "GroupNorm", "BatchNorm1d", "BatchNorm2d")
REDUCTIONS = {"mean": "sum", "sum": "mean", "cumsum": "cumprod", "cumprod": "cumsum"}
EXTREMES = {"argmax": "argmin", "argmin": "argmax", "max": "min", "min": "max", "maximum": "minimum",
            "minimum": "maximum"}  # fmt: skip
MEAN_LOSSES = frozenset({"mse_loss", "l1_loss", "cross_entropy", "nll_loss", "binary_cross_entropy", "MSELoss",
                         "CrossEntropyLoss", "NLLLoss", "L1Loss", "BCELoss"})  # fmt: skip
CLIPS = frozenset({"clamp", "clamp_min", "clamp_max", "clip"})
SPREADS = frozenset({"var", "std"})
LEFT_OUT = frozenset({"sqrt", "rsqrt", "log", "exp", "abs", "square"})


def activation_exchanged(source: Source, node: ast.AST) -> Iterator[Edit]:
    """Another activation, as a function or as a layer; softmax for log-softmax, sine for cosine."""
    if not isinstance(node, ast.Call):
        return
    if _is_function(node):
        yield _renamed(source, node, FUNCTIONS[called(node)])
    elif called(node) in LAYERS and of_module(node):
        yield _renamed(source, node, LAYERS[called(node)])


def activation_dropped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """No activation, or no normalisation layer."""
    if not isinstance(node, ast.Call):
        return
    name = called(node)
    if _is_function(node) and (inner := subject(node)) is not None:
        yield source.replace(node, source.bracketed(inner))
    elif name in (*LAYERS, *NORMS) and of_module(node):
        yield source.replace(node, f"{source.segment(node.func)[: -len(name)]}Identity()")


def reduction_changed(source: Source, node: ast.AST) -> Iterator[Edit]:
    """The mean for the sum, and the other way round."""
    if not isinstance(node, ast.Call):
        return
    if called(node) in REDUCTIONS and (receiver(node) is not None or of_module(node)):
        yield _renamed(source, node, REDUCTIONS[called(node)])
    given = keyword(node, "reduction")
    if given is not None and isinstance(given.value, ast.Constant):
        yield source.replace(given.value, '"mean"' if given.value.value == "sum" else '"sum"')
    elif given is None and called(node) in MEAN_LOSSES:
        yield with_argument(source, node, 'reduction="sum"')


def extreme_exchanged(source: Source, node: ast.AST) -> Iterator[Edit]:
    """The smallest for the largest, and the other way round."""
    if isinstance(node, ast.Call) and called(node) in EXTREMES:
        yield _renamed(source, node, EXTREMES[called(node)])


def clipping_dropped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """No bound on values: a clamp left out, or one side of `min(a, b)` alone."""
    if not isinstance(node, ast.Call):
        return
    if called(node) in CLIPS and (inner := subject(node)) is not None:
        yield source.replace(node, source.bracketed(inner))
    if isinstance(node.func, ast.Name) and node.func.id in ("min", "max") and len(node.args) == 2:
        for argument in node.args:
            yield source.replace(node, source.bracketed(argument))


def function_dropped(source: Source, node: ast.AST) -> Iterator[Edit]:
    """A root, logarithm, exponential or absolute value left out."""
    if isinstance(node, ast.Call) and called(node) in LEFT_OUT and (inner := subject(node)) is not None:
        yield source.replace(node, source.bracketed(inner))


def variance_estimate_changed(source: Source, node: ast.AST) -> Iterator[Edit]:
    """The biased estimate for the unbiased one, and the other way round."""
    if not isinstance(node, ast.Call) or called(node) not in SPREADS or not (receiver(node) or of_module(node)):
        return
    if (given := keyword(node, "unbiased")) is not None and isinstance(given.value, ast.Constant):
        yield source.replace(node, source.replaced(node, (given.value, str(not given.value.value))))
    elif (given := keyword(node, "correction", "ddof")) is None:
        yield with_argument(source, node, "ddof=1" if source.is_of_arrays else "unbiased=False")
    elif (value := integer(given.value)) is not None:
        yield source.replace(node, source.replaced(node, (given.value, str(1 - value))))


def _is_function(call: ast.Call) -> bool:
    """Whether an activation is called as torch's function or as a tensor's method, and not as an object's own layer."""
    if called(call) not in FUNCTIONS:
        return False
    return of_module(call) or (receiver(call) is not None and not _names_layer(call))


def _names_layer(call: ast.Call) -> bool:
    # x.tanh() has no argument; model.tanh(x) has one. Softmax takes an axis either way.
    return bool(call.args) and called(call) in ACTIVATIONS


def _renamed(source: Source, call: ast.Call, name: str) -> Edit:
    """The call of another function. `gelu` and `silu` live in nn.functional alone."""
    text = source.segment(call.func)
    old = called(call)
    if name == "gelu" and text in ("torch.relu", "torch.nn.functional.relu"):
        return source.replace(call.func, "torch.nn.functional.gelu")
    return source.replace(call.func, text[: -len(old)] + name)
