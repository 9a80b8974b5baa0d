"""Probes: what is run on the reference and on the submission. They see the notebook's definitions and their inputs."""

from __future__ import annotations

import ast
import builtins
import inspect
import textwrap
from contextlib import contextmanager

import stand_ins
import torch
from torch import nn

# Names under which students keep what the given functions read from outside.
SYNONYMS = {
    "model": ("model", "eval_model", "net"),
    "bptt": ("bptt",),
    "ntokens": ("ntokens", "num_tokens", "ntoken", "n_tokens", "num_of_tokens", "vocab_size", "ntokens_"),
    "criterion": ("criterion", "loss_func", "loss_fn", "loss_criterion", "loss_function", "criteria"),
    "optimizer": ("optimizer", "optimiser", "opt"),
    "scheduler": ("scheduler", "lr_scheduler", "learning_sched", "learning_scheduler", "sched"),
    "train_data": ("train_data",),
    "val_data": ("val_data", "test_data", "valid_data"),
    "epoch": ("epoch",),
    "epochs": ("epochs", "num_epochs"),
    "device": ("device",),
    "vocab": ("vocab",),
    "itos": ("itos",),
}
ROLE_OF = {name: role for role, names in SYNONYMS.items() for name in names}


def absent(modules, what):
    """Ends an item as not attempted: the notebook has nothing that could be looked at."""
    modules["notebook"].run_cell(assigns=[what])
    return {}


@contextmanager
def unchanged(notebook):
    """Put the notebook's names back at the end of the block, so that no probe sees what another one left there."""
    marker = object()
    notebook.provide(probe_marker=marker)
    values = [getattr(notebook, name) for name in notebook.names()]
    spaces = [value.__globals__ for value in values if inspect.isfunction(value)]
    space = next((space for space in spaces if space.get("probe_marker") is marker), {})
    before = dict(space)
    try:
        yield
    finally:
        space.clear()
        space.update(before)


def run_cells(notebook, cells):
    """Run cells by their full text. Returns the first exception: what a cell made before it still counts."""
    failure = None
    for source in cells:
        try:
            notebook.run_cell(contains=source)
        except Exception as error:
            failure = failure or error
    return failure


# --- task 1 ---------------------------------------------------------------------------------------------------


def data_tensors(modules, train, val, test, cells):
    """Run the cells that call `batchify`, with three rows of numbers in place of WikiText-2."""
    with unchanged(modules["notebook"]):
        return _data_tensors(modules["notebook"], train, val, test, cells)


def _data_tensors(notebook, train, val, test, cells):
    vocabulary = stand_ins.Vocabulary(len(train))
    names = ("train_data", "val_data", "test_data")
    given = dict(zip(names, (train, val, test), strict=True))
    notebook.provide(
        **given,
        device=torch.device("cpu"),
        vocab=vocabulary,
        itos=vocabulary.get_itos(),
        WikiText2=stand_ins.Splits(train, val, test),
        data_process=lambda rows: rows,
        train_iter=train,
        val_iter=val,
        test_iter=test,
    )
    notebook.provide_missing(batch_size=20, eval_batch_size=10)
    failure = run_cells(notebook, cells)
    made = {name: getattr(notebook, name) for name in names}
    if failure is not None and any(made[name] is given[name] for name in names):
        raise failure
    return made


# --- task 2 ---------------------------------------------------------------------------------------------------


def chunk(modules, source, start, bptt):
    """data and target of one chunk; older templates read `bptt` from outside."""
    notebook = modules["notebook"]
    function = notebook.get_batch
    with unchanged(notebook):
        notebook.provide(bptt=bptt)
        given = (source, start, bptt)[: len(inspect.signature(function).parameters)]
        data, target = function(*given)
    return {"data": data, "target": target}


# --- task 3 ---------------------------------------------------------------------------------------------------


def hyper_parameters(modules, words, cells):
    """Run the cells that choose the hyper-parameters and build the model, for a vocabulary of `words` words."""
    with unchanged(modules["notebook"]):
        return _hyper_parameters(modules["notebook"], words, cells)


def _hyper_parameters(notebook, words, cells):
    vocabulary = stand_ins.Vocabulary(words)
    text = torch.arange(120).reshape(6, 20) % words
    notebook.provide(
        device=torch.device("cpu"),
        vocab=vocabulary,
        itos=vocabulary.get_itos(),
        train_data=text,
        val_data=text[:, :10],
        test_data=text[:, :10],
        train=lambda *args, **kwargs: None,
        evaluate=lambda *args, **kwargs: 1.0,
        generate=lambda *args, **kwargs: ["w0"] * 20,
    )
    failure = run_cells(notebook, cells)
    made = [getattr(notebook, name) for name in notebook.names()]
    model = _last(made, lambda value: isinstance(value, nn.Module) and hasattr(value, "transformer_encoder"))
    optimizer = _last(made, lambda value: isinstance(value, torch.optim.Optimizer))
    if failure is not None and (model is None or optimizer is None):
        raise failure
    criterion = _last(made, lambda value: isinstance(value, nn.modules.loss._Loss))
    scheduler = _last(made, _is_scheduler)
    return {
        **_sizes(model),
        "criterion": type(criterion).__name__ if criterion is not None else None,
        "reduction": getattr(criterion, "reduction", None),
        "optimizer": type(optimizer).__name__ if optimizer is not None else None,
        "rate": float(optimizer.defaults["lr"]) if optimizer is not None else None,
        "trains_model": model is not None and optimizer is not None and _trains(optimizer, model),
        "scheduler": type(scheduler).__name__ if scheduler is not None else None,
    }


def _last(values, wanted):
    return next((value for value in reversed(values) if wanted(value)), None)


def _is_scheduler(value):
    kinds = (torch.optim.lr_scheduler.LRScheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)
    return isinstance(value, kinds)


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
    with unchanged(modules["notebook"]):
        return _epochs(modules["notebook"], text, weights, bptt, route, rate, epochs)


def _epochs(notebook, text, weights, bptt, route, rate, epochs):
    train = notebook.train
    words = len(weights["bias"])
    model = stand_ins.NextWordModel(**weights)
    optimizer = stand_ins.RecordingSGD(model.parameters(), lr=rate)
    values = _surroundings(model, optimizer, text, bptt, words)
    known = {**_own_names(notebook), **ROLE_OF}
    notebook.provide(**{name: values[role] for name, role in known.items()})
    if route == "stand-in":
        notebook.provide(get_batch=stand_ins.chunks(words, bptt))
    raw = _recorded(model)
    data, targets = text[:-1], text[1:] if route == "own" else stand_ins.chunks(words, len(text))(text, 0)[1]
    before = _loss(model, data, targets)
    start = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for epoch in range(1, epochs + 1):
        notebook.provide(epoch=epoch)
        train(**_arguments(train, values, known))
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
        "epoch": 1,
        "epochs": 1,
        "device": torch.device("cpu"),
        "vocab": vocabulary,
        "itos": vocabulary.get_itos(),
    }


def _arguments(function, values, known):
    """Arguments by the names of the parameters, in whatever order a semester or a student put them."""
    arguments = {}
    for name, parameter in inspect.signature(function).parameters.items():
        role = known.get(name)
        if role is not None:
            arguments[name] = values[role]
        elif parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
            raise TypeError(f"train has a parameter {name!r}; the template has train(model, bptt)")
    return arguments


def _own_names(notebook):
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
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("view", "reshape"):
            yield from ((arg.id, "ntokens") for arg in node.args if isinstance(arg, ast.Name) and arg.id not in local)
    losses = {name for name, method in methods if method in ("backward", "item")}
    for node in ast.walk(tree):
        if isinstance(node, ast.AugAssign) or (isinstance(node, ast.Assign) and losses & _names_in(node.targets)):
            yield from _criterion(node.value)


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
