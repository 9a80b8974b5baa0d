"""What names stand for: students keep model, criterion, optimizer and others under names of their own."""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap

# Names under which students keep what the given functions read from outside.
SYNONYMS = {
    "model": ("model", "eval_model", "net"),
    "bptt": ("bptt",),
    "ntokens": ("ntokens", "num_tokens", "ntoken", "n_tokens", "num_of_tokens", "vocab_size", "ntokens_"),
    "criterion": ("criterion", "loss_func", "loss_fn", "loss_criterion", "loss_function", "criteria"),
    "optimizer": ("optimizer", "optimiser", "opt"),
    "scheduler": ("scheduler", "lr_scheduler", "learning_sched", "learning_scheduler", "sched"),
    "train_data": ("train_data", "train_dataset", "train_set", "data_train", "data", "data_source", "source"),
    "val_data": (
        "val_data",
        "test_data",
        "valid_data",
        "validation_data",
        "eval_data",
        "data_test",
        "data_val",
        "test_dataset",
        "val_dataset",
        "test_set",
        "val_set",
    ),
    "interval": ("log_interval", "interval", "print_every"),
    "clip": ("clip", "max_norm", "grad_clip", "clip_value"),
    "epoch": ("epoch",),
    "epochs": ("epochs", "num_epochs"),
    "device": ("device",),
    "vocab": ("vocab",),
    "itos": ("itos",),
}
ROLE_OF = {name: role for role, names in SYNONYMS.items() for name in names}


def arguments(function, values, known):
    """Arguments by the names of the parameters, in whatever order a semester or a student put them."""
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        role = known.get(name) or next((role for role in SYNONYMS if role in name), None)
        if role is not None:
            found[name] = values[role]
        elif parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            raise TypeError(f"train has a parameter {name!r}; the template has train(model, bptt)")
    return found


def own_names(notebook):
    """{name: role} for the names that the student's functions use in place of the template's."""
    found = {}
    for name in ("train", "evaluate"):
        try:
            source = textwrap.dedent(inspect.getsource(getattr(notebook, name)))
            found.update(_roles_in(ast.parse(source)))
        except Exception:  # a function that is missing or broken tells no names; calling it tells what is wrong
            continue
    functions = {name for name in notebook.names() if inspect.isroutine(getattr(notebook, name))}
    return {name: role for name, role in found.items() if name not in functions and not hasattr(builtins, name)}


def _roles_in(tree):
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    methods = [(node.func.value.id, node.func.attr) for node in calls if _is_method_of_a_name(node)]
    stepping = {name for name, method in methods if method == "step"}
    for name, method in methods:
        if method == "zero_grad" and name in stepping:
            yield name, "optimizer"
        if method in ("get_last_lr", "get_lr"):
            yield name, "scheduler"
    local = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in calls:
        if _calls(node, "get_batch") and node.args and isinstance(node.args[0], ast.Name):
            yield node.args[0].id, "train_data"
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("view", "reshape"):
            yield from ((arg.id, "ntokens") for arg in node.args if isinstance(arg, ast.Name) and arg.id not in local)
    losses = {name for name, method in methods if method in ("backward", "item")}
    for node in ast.walk(tree):
        if isinstance(node, ast.AugAssign) or (isinstance(node, ast.Assign) and losses & _names_in(node.targets)):
            yield from _criterion(node.value)


def _calls(node, name):
    return isinstance(node.func, ast.Name) and node.func.id == name


def _is_method_of_a_name(node):
    return isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)


def _names_in(nodes):
    return {inner.id for node in nodes for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def _criterion(value):
    """The outermost function of two or more arguments whose result becomes the loss."""
    for node in ast.walk(value):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) + len(node.keywords) >= 2:
            yield node.func.id, "criterion"
            return
