"""Running the cells that choose the hyper-parameters and build the model, and finding what they made."""

from __future__ import annotations

from contextlib import nullcontext

import stand_ins
import torch
from torch import nn

ROLES = ("model", "optimizer", "criterion", "scheduler")


def run_cells(notebook, cells, keep, guard=nullcontext):
    """Run cells by their full text. Returns the first exception: what a cell made before it still counts.

    `keep` are names that were provided and that no cell may set anew; `guard()` is a context for every cell.
    """
    failure = None
    for source in cells:
        try:
            with guard():
                notebook.run_cell(contains=source, keep=keep)
        except Exception as error:
            failure = failure or error
    return failure


def configured(modules, words, text, cells, guard=nullcontext):
    """{role: object or None} of model, criterion, optimizer and scheduler, for a vocabulary of `words` words.

    `trouble` is what the cells raised though model and optimizer are there, "" for nothing.

    `text` (S, 20) stands for the training data. Raises what the cells raised when model or optimizer are missing.
    """
    notebook, vocabulary = modules["notebook"], stand_ins.Vocabulary(words)
    own = {name: getattr(notebook, name) for name in ("train", "evaluate", "generate") if name in notebook.names()}
    given: list[object] = []  # what `train` is called with: a function may keep model and optimizer to itself
    provided = {
        "device": torch.device(modules.device),
        "vocab": vocabulary,
        "itos": vocabulary.get_itos(),
        "train_data": text,
        "val_data": text[:, :10],
        "test_data": text[:, :10],
        "train": lambda *args, **kwargs: given.extend((*args, *kwargs.values())),
        "evaluate": lambda *args, **kwargs: 1.0,
        "generate": lambda *args, **kwargs: ["w0"] * 20,
    }
    notebook.provide(**provided)
    failure = run_cells(notebook, cells, provided, guard)
    notebook.provide(**own)
    made = [*given, *(getattr(notebook, name) for name in notebook.names())]
    found = {
        "model": _last(made, lambda value: isinstance(value, nn.Module) and hasattr(value, "transformer_encoder")),
        "criterion": _last(made, lambda value: isinstance(value, nn.modules.loss._Loss)),
        "optimizer": _last(made, lambda value: isinstance(value, torch.optim.Optimizer)),
        "scheduler": _last(made, _is_scheduler),
        "trouble": "" if failure is None else f"{type(failure).__name__}: {failure}"[:300],
    }
    if failure is not None and (found["model"] is None or found["optimizer"] is None):
        raise failure
    return found


def _last(values, wanted):
    return next((value for value in reversed(values) if wanted(value)), None)


def _is_scheduler(value):
    kinds = (torch.optim.lr_scheduler.LRScheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
    return isinstance(value, kinds)
