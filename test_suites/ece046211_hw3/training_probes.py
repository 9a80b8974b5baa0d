"""Training the language model with the notebook's own `train` and hyper-parameters, and asking it for words."""

from __future__ import annotations

import stand_ins
import torch
from configuration import configured
from roles import ROLE_OF, arguments, own_names
from torch import nn

LENGTH = 35
POINTS = 50  # of the curve
ROWS = 100 * LENGTH + 1  # of a text that is looked at for its size alone


def train_language_model(modules, steps, words, cells):
    """Epochs of the notebook's `train` on the given text until `steps` steps of the optimiser are made."""
    notebook = modules["notebook"]
    train, _ = notebook.train, notebook.get_batch
    text, validation = (modules.given[name].to(modules.device) for name in ("text", "validation"))
    made = configured(modules, words, text, cells, guard=lambda: modules.counting(limit=1))
    values = _surroundings(made, text, validation, words)
    known = {**own_names(notebook), **ROLE_OF}
    notebook.provide(**{name: values[role] for name, role in known.items()})
    modules.keep_start(values["model"].state_dict())
    epochs = 0
    with modules.counting(limit=steps, every=max(1, steps // POINTS)) as counter:
        while True:
            epochs, before = epochs + 1, counter.steps
            notebook.provide(epoch=epochs)
            train(**arguments(train, {**values, "epoch": epochs}, known))
            if counter.steps == before:
                break  # a `train` that makes no step would be called for ever
            _end_of_epoch(values, validation)
    modules.keep(values["model"].state_dict())
    count = sum(parameter.numel() for parameter in values["model"].parameters())
    return {"steps": counter.steps, "epochs": epochs, "parameters": count}


def predict_next_words(modules, tokens, words, cells):
    """Logits (N, T, V) of the word after each of `tokens` (N, T), with a causal mask."""
    model = _loaded(modules, words, cells)
    with torch.no_grad():
        logits = model(tokens.t().to(modules.device), _causal_mask(tokens.shape[1]).to(modules.device))  # (T, N, V)
    return {"logits": logits[..., :words].transpose(0, 1).contiguous().cpu()}  # further words never occur


def _surroundings(made, text, validation, words):
    """What `train` reads from outside, by role."""
    vocabulary = stand_ins.Vocabulary(words)
    model, optimizer = made["model"], made["optimizer"]
    return {
        "model": model,
        "optimizer": optimizer,
        "criterion": made["criterion"] or nn.CrossEntropyLoss(),
        "scheduler": made["scheduler"] or torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=1.0),
        "bptt": LENGTH,
        "ntokens": getattr(getattr(model, "decoder", None), "out_features", words),  # some write 28782 down
        "train_data": text,
        "val_data": validation,
        "interval": 200,
        "clip": 0.5,
        "epoch": 1,
        "epochs": 1,
        "device": text.device,
        "vocab": vocabulary,
        "itos": vocabulary.get_itos(),
    }


def _end_of_epoch(values, validation):
    """The scheduler's step, as in the loop over epochs of the template."""
    scheduler = values["scheduler"]
    if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
        scheduler.step(_loss(values["model"], validation))
    else:
        scheduler.step()


def _loss(model, text):
    """Mean cross-entropy of a text (S, B) in one piece."""
    model.eval()
    with torch.no_grad():
        logits = model(text[:-1], _causal_mask(len(text) - 1).to(text.device))
    return float(nn.functional.cross_entropy(logits.flatten(0, 1), text[1:].flatten()))


def _causal_mask(length):
    return torch.full((length, length), float("-inf")).triu(1)


def _loaded(modules, words, cells):
    """The trained model, built once for a worker."""

    def filled():
        text = torch.zeros(ROWS, 20, dtype=torch.long, device=modules.device)
        model = configured(modules, words, text, cells, guard=lambda: modules.counting(limit=1))["model"]
        model.load_state_dict(modules.given_weights())
        return model.eval()

    return modules.cached("model", filled)
