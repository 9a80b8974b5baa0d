"""Probes: what is run on the reference and on the submission. They see the notebook's definitions and their inputs."""

from __future__ import annotations

import inspect

import stand_ins
import torch
from configuration import ROLES, configured, run_cells
from roles import ROLE_OF, arguments, own_names
from torch import nn


def absent(modules, what):
    """Ends an item as not attempted: the notebook has nothing that could be looked at."""
    modules.not_attempted(f"the notebook has no cell with {what}")


# --- task 1 ---------------------------------------------------------------------------------------------------


def data_tensors(modules, train, val, test, cells):
    """Run the cells that call `batchify`, with three rows of numbers in place of WikiText-2."""
    notebook = modules["notebook"]
    vocabulary = stand_ins.Vocabulary(len(train))
    names = ("train_data", "val_data", "test_data")
    given = dict(zip(names, (train, val, test), strict=True))
    provided = {
        "device": torch.device("cpu"),
        "vocab": vocabulary,
        "itos": vocabulary.get_itos(),
        "WikiText2": stand_ins.Splits(train, val, test),
        "data_process": lambda rows: rows,
        "train_iter": train,
        "val_iter": val,
        "test_iter": test,
    }
    notebook.provide(**given, **provided)
    notebook.provide_missing(batch_size=20, eval_batch_size=10)
    failure = run_cells(notebook, cells, provided)
    made = {name: _split(notebook, name, given[name]) for name in names}
    if failure is not None and any(made[name] is given[name] for name in names):
        raise failure
    return made


def _split(notebook, name, given):
    """The tensor of that name; where it is still the given one, the last one with the split in its name."""
    split = name.removesuffix("_data")
    others = [getattr(notebook, own) for own in notebook.names() if split in own and own != name]
    made = [value for value in others if isinstance(value, torch.Tensor) and value.dim() == 2]
    return made[-1] if made and getattr(notebook, name) is given else getattr(notebook, name)


# --- task 2 ---------------------------------------------------------------------------------------------------


def chunk(modules, source, start, bptt):
    """data and target of one chunk; older templates read `bptt` from outside."""
    notebook = modules["notebook"]
    function = notebook.get_batch
    notebook.provide(bptt=bptt)
    given = (source, start, bptt)[: len(inspect.signature(function).parameters)]
    data, target = function(*given)
    return {"data": data, "target": target}


# --- task 3 ---------------------------------------------------------------------------------------------------


def hyper_parameters(modules, words, cells):
    """Run the cells that choose the hyper-parameters and build the model, for a vocabulary of `words` words."""
    made = configured(modules, words, torch.arange(120).reshape(6, 20) % words, cells)
    model, optimizer, criterion, scheduler = (made[role] for role in ROLES)
    return {
        **_sizes(model),
        "criterion": type(criterion).__name__ if criterion is not None else None,
        "reduction": getattr(criterion, "reduction", None),
        "optimizer": type(optimizer).__name__ if optimizer is not None else None,
        "rates": _rates(optimizer, scheduler) if optimizer is not None else [],
        "trains_model": model is not None and optimizer is not None and _trains(optimizer, model),
        "scheduler": type(scheduler).__name__ if scheduler is not None else None,
        "trouble": made["trouble"],
    }


def _rates(optimizer, scheduler):
    """The rates of all groups of parameters before a scheduler changes them; the peaks of one that sets its own."""
    groups = [group.get("max_lr", group.get("initial_lr", group["lr"])) for group in optimizer.param_groups]
    return sorted(float(rate) for rate in getattr(scheduler, "max_lrs", groups))


def _trains(optimizer, model):
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    return all(id(parameter) in held for parameter in model.parameters())


def _sizes(model):
    names = ("embedding", "hidden", "layers", "heads", "dropout", "words_in", "words_out", "norm_first")
    if model is None:
        return dict.fromkeys(names)
    blocks = model.transformer_encoder.layers
    return {
        "embedding": model.encoder.embedding_dim,
        "hidden": blocks[0].linear1.out_features,
        "layers": len(blocks),
        "heads": blocks[0].self_attn.num_heads,
        "dropout": float(blocks[0].dropout.p),
        "words_in": model.encoder.num_embeddings,
        "words_out": model.decoder.out_features,
        "norm_first": bool(blocks[0].norm_first),
    }


# --- task 4 ---------------------------------------------------------------------------------------------------


def epochs_of_training(modules, text, weights, bptt, route="own", rate=1.0, epochs=1):
    """Call the notebook's `train` on a stand-in model, and tell what it did with it."""
    notebook = modules["notebook"]
    train = notebook.train
    words = len(weights["bias"])
    model = stand_ins.NextWordModel(**weights)
    optimizer = stand_ins.RecordingSGD(model.parameters(), lr=rate)
    values = _surroundings(model, optimizer, text, bptt, words)
    known = {**own_names(notebook), **ROLE_OF}
    notebook.provide(**{name: values[role] for name, role in known.items()})
    if route == "stand-in":
        notebook.provide(get_batch=stand_ins.chunks(words, bptt))
    raw = _recorded(model)
    data, targets = text[:-1], text[1:] if route == "own" else stand_ins.chunks(words, len(text))(text, 0)[1]
    before = _loss(model, data, targets)
    start = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for epoch in range(1, epochs + 1):
        notebook.provide(epoch=epoch)
        train(**arguments(train, values, known))
    return {
        "rows": [len(source) for source in model.sources],
        "blocked": [stand_ins.blocked(mask, len(src)) for mask, src in zip(model.masks, model.sources, strict=True)],
        "training": model.modes,
        "gradients": {name: found[0] if found else None for name, found in raw.items()},
        "backward": _joined(raw),
        "used": optimizer.used,
        "update": {name: parameter.detach() - start[name] for name, parameter in model.named_parameters()},
        "before": before,
        "after": _loss(model, data, targets),
    }


def _surroundings(model, optimizer, text, bptt, words):
    vocabulary = stand_ins.Vocabulary(words)
    return {
        "model": model,
        "bptt": bptt,
        "ntokens": words,
        "criterion": nn.CrossEntropyLoss(),
        "optimizer": optimizer,
        "scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=1.0),
        "train_data": text,
        "val_data": text,
        "interval": 200,
        "clip": 0.5,
        "epoch": 1,
        "epochs": 1,
        "device": torch.device("cpu"),
        "vocab": vocabulary,
        "itos": vocabulary.get_itos(),
    }


def _recorded(model):
    """The gradient that each call of `backward` adds to each parameter, before any clipping."""
    found = {name: [] for name, _ in model.named_parameters()}
    for name, parameter in model.named_parameters():
        parameter.register_hook(lambda gradient, name=name: found[name].append(gradient.detach().clone()))
    return found


def _joined(raw):
    count = min((len(found) for found in raw.values()), default=0)
    return [torch.cat([found[step].flatten() for found in raw.values()]) for step in range(count)]


def _loss(model, data, targets):
    with torch.no_grad():
        logits = model.decoder(model.encoder(data))
        return float(nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten()))


# --- theory ---------------------------------------------------------------------------------------------------


def count(modules, T, D, M):
    return {"count": int(modules["answers"].multiplications(T, D, M))}


def row(modules, Q, K, V, i):
    return {"row": modules["answers"].attention_row(Q, K, V, i)}


def residual_layers(modules, width, layers, samples):
    """The variance of u after every layer, relative to the input's, and a branch's mean over initialisations."""
    initialise = modules["answers"].initialise
    u = torch.randn(samples, width)
    start, first, variances = u[0].relu(), float(u.var()), []
    branch = torch.zeros(width)
    for _ in range(layers):
        weight, bias = torch.randn(width, width), torch.randn(width)
        initialise(weight, bias, layers)
        branch += (weight @ start + bias) / layers
        u = u + u.relu() @ weight.t() + bias
        variances.append(float(u.var()) / first)
    return {"variances": variances, "branch": branch}


def through_time(modules, W, B, C, v0, x, p, dloss):
    return {"gradient": modules["answers"].bptt_gradient(W, B, C, v0, x, p, dloss)}
