"""Probes for the three notebooks. Each runs on the reference and on the submission.

Where numbers are compared, coins are made constant and a random h_0 is forgotten (`rnn_cases.Recurrence`); what the
handout leaves free (orientation of weights, order of dimensions, what is returned, teacher forcing) is found out or
offered as numbered candidates.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from building import batch_first, constant_randomness, flat, leaves
from placements import bind_attention, convention, gradients, without
from recurrent import (
    RNN_NAMES,
    bare_rnn,
    construct,
    distribution_kind,
    dropped_entries,
    epochs,
    make_rnn,
    provide_pipelines,
    scores_of,
    texts_of,
    training,
    transparent,
    write_rnn,
)
from stand_ins import Descent, Scheduler, stand_in_attention, stand_in_blocks, stand_in_patches
from torch import Tensor, nn
from translation import (
    argument_forms,
    by_inputs,
    context_first,
    decoder_layers,
    drawn_order,
    encoder_layers,
    leak_of,
    misfit,
    mix_states,
    own_translator,
    read_as,
    seq2seq_file,
    shapes,
    translator_of_stand_ins,
)
from vision import described, learnt, make_vit

from grader.probing import BindingError, bind_layers, gradient, handed

Weights = Mapping[str, Tensor]
Sizes = Mapping[str, int]

# --- hw4_rnn ----------------------------------------------------------------------------------------------------


def collate(modules: Any, tokens: Tensor, lengths: Tensor, labels: Tensor) -> dict[str, object]:
    """What collate_batch makes of texts of these lengths."""
    file = modules["rnn"]
    provide_pipelines(file)
    result = file.collate_batch(list(zip(labels.tolist(), texts_of(tokens, lengths), strict=True)))
    text, label, length = (torch.as_tensor(part) for part in result)
    return {"text": text.double(), "label": label.double(), "length": length.double()}


def rnn_sizes(modules: Any, sizes: Sizes) -> dict[str, object]:
    """The shapes of the six parameters, as the student's constructor makes them."""
    file = modules["rnn"]
    file.provide(DEVICE=torch.device("cpu"), device=torch.device("cpu"))
    model = construct(file.RNN, sizes, 0.0)
    return {name: list(getattr(model, name).shape) for name in RNN_NAMES}


def rnn_forward(
    modules: Any, tokens: Tensor, sizes: Sizes, weights: Weights, upstream: Tensor, read: int = 0, centred: str = "rows"
) -> dict[str, object]:
    """Scores of the classes after all but the last row of tokens, which is padding.

    `read` shifts the last step and `centred` hides what a softmax over the batch does: readings of the reference.
    """
    model = make_rnn(modules, sizes).eval()
    read_gradients = write_rnn(modules, model, weights)
    lengths = torch.full((tokens.shape[1],), len(tokens) - 1 + read)
    out = model(tokens, lengths)
    if tuple(out.shape) != tuple(upstream.shape):
        return {"scores": out, "gradients": dict.fromkeys(("embedding", *RNN_NAMES))}
    kind = distribution_kind(out.detach())
    scores = scores_of(out, kind, "columns" if "columns" in (kind, centred) else "rows")
    (scores * upstream).sum().backward()
    return {"scores": scores, "gradients": read_gradients()}


def rnn_probabilities(modules: Any, tokens: Tensor, sizes: Sizes, weights: Weights) -> dict[str, object]:
    """The output for a batch, for each of its examples alone, and for the batch where every class scores 0."""
    model = make_rnn(modules, sizes).eval()
    write_rnn(modules, model, weights)
    steps, batch = tokens.shape
    with constant_randomness(0.5):  # a recurrence that does not forget h_0 is another item's matter
        out = model(tokens, torch.full((batch,), steps))
        alone = [model(tokens[:, index : index + 1], torch.tensor([steps])) for index in range(batch)]
        with torch.no_grad():
            model.W_hy.zero_()
            model.b_hy.zero_()
            even = model(tokens, torch.full((batch,), steps))
    return {"out": out, "alone": torch.cat(alone), "even": even}


def rnn_padding(
    modules: Any, tokens: Tensor, other: Tensor, lengths: Tensor, sizes: Sizes, weights: Weights
) -> dict[str, object]:
    """The output, the output with other padding, and with another last valid token in one example after the other."""
    model = make_rnn(modules, sizes).eval()
    write_rnn(modules, model, weights)
    padding = torch.arange(len(tokens))[:, None] >= lengths
    with constant_randomness(0.5):
        out = model(tokens, lengths)
        repadded = model(torch.where(padding, other, tokens), lengths)
        changed = []
        for index, length in enumerate(lengths.tolist()):
            inputs = tokens.clone()
            inputs[length - 1, index] = other[length - 1, index]
            changed.append(model(inputs, lengths)[index])
    return {"out": out, "repadded": repadded, "changed": torch.stack(changed)}


def rnn_start(modules: Any, tokens: Tensor, sizes: Sizes, weights: Weights) -> dict[str, object]:
    """How much two models with equal weights differ on the same input while their first states are drawn."""
    outs = []
    for _ in range(2):
        model = make_rnn(modules, sizes).eval()
        write_rnn(modules, model, weights)
        with torch.no_grad():
            outs.append(model(tokens, torch.full((tokens.shape[1],), len(tokens))))
    return {"difference": (outs[0] - outs[1]).abs().max().item()}


def rnn_dropout(modules: Any, size: int, rate: float) -> dict[str, object]:
    """Which share of the embedded entries is dropped in training, and how the others are scaled."""
    sizes, weights, small = transparent(size)
    model = make_rnn(modules, sizes, dropout=rate)
    write_rnn(modules, model, weights)
    count = 600  # of examples, which some loop over
    tokens = torch.tensor([[0] * count + [1] * count]).repeat(3, 1)  # whichever of the steps is read, it shows the same
    figures: dict[str, object] = {}
    for mode in (False, True):
        out = model.train(mode)(tokens, torch.full((2 * count,), 2))
        name = "training" if mode else "evaluation"
        figures.update({f"{name}_{what}": value for what, value in dropped_entries(out.detach(), size, small).items()})
    if out.requires_grad:
        out[::2, 0].sum().backward()  # over all of them it is constant after a softmax over the batch
    learns = model.embedding.weight.grad
    return {**figures, "learns": learns is not None and bool(learns[1].any())}


def rnn_loss(modules: Any, prediction: Tensor, label: Tensor, route: str = "own") -> dict[str, object]:
    """compute_loss on made probabilities, on an own instance or on one that has the documented attributes alone."""
    classes = prediction.shape[1]
    sizes = {"vocab": 5, "input": 3, "hidden": 4, "classes": classes}
    if route == "own":
        model = make_rnn(modules, sizes)
    else:
        model = bare_rnn(modules["rnn"].RNN, sizes, 0.0)
    loss, correct = model.compute_loss(*handed((prediction, label)))
    loss.backward()
    return {"loss": loss.reshape(()), "correct": int(correct), "gradients": {"prediction": gradient(prediction)}}


def rnn_train(modules: Any, table: Tensor, batches: Sequence[Mapping[str, Tensor]]) -> dict[str, object]:
    """Two epochs of the student's train on a stand-in model, with plain gradient descent."""
    file, model, loader = training(modules, table, batches)
    scheduler = Scheduler(Descent(model.parameters(), rate=60.0))
    results = [file.train(model, loader, scheduler) for _ in range(2)]
    return {"table": model.table, **epochs(results, model), "updates": scheduler.updates}


def rnn_evaluate(modules: Any, table: Tensor, batches: Sequence[Mapping[str, Tensor]]) -> dict[str, object]:
    """The student's evaluate on a stand-in model that was in training mode."""
    file, model, loader = training(modules, table, batches)
    model.train()
    results = [file.evaluate(model, loader)]
    return {"table": model.table, **epochs(results, model)}


# --- hw4_seq2seq ------------------------------------------------------------------------------------------------


def encoder(
    modules: Any, tokens: Tensor, hidden: Tensor, cell: Tensor, weights: Weights, upstream: Tensor
) -> dict[str, object]:
    """The states of all steps; and the last ones, as far as they are returned."""
    batch, length = tokens.shape
    vocab, size = weights["encoder.embedding"].shape[0], hidden.shape[2]
    file = seq2seq_file(modules, vocab, length, size)
    net = file.LSTMEncoder(vocab, weights["encoder.embedding"].shape[1], size).eval()
    bound = bind_layers(modules, net, encoder_layers(weights))
    found = leaves(net(tokens, hidden, cell))
    exact = [leaf for leaf in found if tuple(leaf.shape) == (batch, length, size)]
    states = [state for leaf in found if (state := batch_first(leaf, batch, length, size)) is not None]
    if not states:
        wanted = f"the hidden states of all steps, {(batch, length, size)}"
        raise ValueError(f"LSTMEncoder should return {wanted}; it returns {shapes(found)}")
    chosen = (exact or states)[0]
    (chosen * upstream).sum().backward()
    last = [state for leaf in found if (state := flat(leaf, batch, size)) is not None]
    return {"states": chosen, "last": last, "gradients": bound.gradients()}


def decoder(
    modules: Any,
    tokens: Tensor,
    hidden: Tensor,
    cell: Tensor,
    states: Tensor,
    weights: Weights,
    upstream: Tensor,
    mixes: str = "",
) -> dict[str, object]:
    """One step: log-probabilities of the words, where scores are returned, and new states.

    `mixes` is a reading of the reference: what stands beside the context in what fc gets.
    """
    batch, length, size = states.shape
    vocab = len(weights["decoder.embedding"])
    file = seq2seq_file(modules, vocab, length, size)
    net = file.AttnLSTMDecoder(size, size, vocab, 0.0).eval()
    given = {"hidden": hidden, "cell": cell, "states": states}
    for leaf in given.values():
        leaf.requires_grad_()  # before the forms are made of them
    form = argument_forms(modules, net, tokens, hidden, cell, states)
    turned = context_first(modules)
    bound = bind_layers(modules, net, decoder_layers(weights, turned))
    if mixes == "state":
        mix_states(file, net)
    found = leaves(_called(net, handed(form)))
    scores = [torch.log_softmax(own, 1) for leaf in found if (own := flat(leaf, batch, vocab)) is not None][:1]
    news = [own for leaf in found if (own := flat(leaf, batch, size)) is not None]
    backwards = [by_inputs(value, given) for value in (*scores, *news)]
    if scores:
        (scores[0] * upstream).sum().backward()
    return {
        "scores": scores,
        "new": news,
        "gradients": drawn_order(bound.gradients(), turned),
        "backwards": backwards[len(scores) :],
        "scores_backwards": backwards[: len(scores)],
    }


def _called(net: Any, form: tuple[Tensor, ...]) -> Any:
    net.enc_hiddens, *inputs = form
    return net(*inputs)


def translator_twice(modules: Any, tokens: Tensor, states: Tensor, src: Tensor, trg: Tensor) -> dict[str, object]:
    """The same for the whole model; no difference where it does not run."""
    vocab, size = int(tokens.max()) + 3, states.shape[2]
    file = seq2seq_file(modules, vocab, src.shape[1], size)
    model = file.LSTMSeq2Seq(vocab, vocab, size, size, torch.device("cpu"), 0.5).eval()
    outs = []
    for _ in range(2):
        random.seed(0)  # a coin that decides what the decoder is fed falls as before
        try:
            with constant_randomness(), torch.no_grad():
                outs.append(model(src, trg))
        except NotImplementedError:
            raise
        except Exception:
            return {"difference": 0.0}
    return {"difference": (outs[0] - outs[1]).abs().max().item()}


def decoder_twice(modules: Any, tokens: Tensor, hidden: Tensor, cell: Tensor, states: Tensor) -> dict[str, object]:
    """The greatest difference of two equal calls in evaluation mode, with a dropout of one half."""
    _, length, size = states.shape
    vocab = int(tokens.max()) + 3
    net = seq2seq_file(modules, vocab, length, size).AttnLSTMDecoder(size, size, vocab, 0.5).eval()
    form = argument_forms(modules, net, tokens, hidden, cell, states)
    first, second = (leaves(_called(net, handed(form))) for _ in range(2))
    return {"difference": max((one - two).abs().max().item() for one, two in zip(first, second, strict=True))}


def seq2seq(
    modules: Any,
    src: Tensor,
    trg: Tensor,
    weights: Weights,
    upstream: Tensor,
    route: str = "own",
    fed: str = "",
    mixes: str = "",
) -> dict[str, object]:
    """Log-probabilities of the words at positions 1 and later. `fed` and `mixes` are readings of the reference."""
    if route == "own":
        model, gradients_of = own_translator(modules, src, weights, mixes)
    else:
        model, gradients_of = translator_of_stand_ins(modules, src, weights)
    with constant_randomness():
        out = read_as(model, src, trg, fed) if fed else model(src, trg)[:, :, 1:]
    scores = torch.log_softmax(out, dim=1)
    if tuple(scores.shape) == tuple(upstream.shape):
        (scores * upstream).sum().backward()
    fits = "" if fed or mixes else misfit(modules, src, trg, weights)
    return {"scores": scores, "gradients": gradients_of(), "misfit": fits}


def seq2seq_leak(
    modules: Any,
    src: Tensor,
    other_src: Tensor,
    trg: Tensor,
    other: Tensor,
    weights: Weights,
    route: str = "own",
    fed: str = "",
    mixes: str = "",
) -> dict[str, object]:
    """How much outputs change with targets at their own and later positions, and how much with the source.

    Besides, the log-probabilities of the words, as in `seq2seq`.
    """
    if route == "own":
        model, *_ = own_translator(modules, src, weights, mixes)
    else:
        model, *_ = translator_of_stand_ins(modules, src, weights)
    with constant_randomness(), torch.no_grad():
        out = read_as(model, src, trg, fed) if fed else model(src, trg)[:, :, 1:]
    return {"scores": torch.log_softmax(out, dim=1), **leak_of(model, src, other_src, trg, other)}


# --- hw4_vit ----------------------------------------------------------------------------------------------------


def patches(modules: Any, image: Tensor, patch: Sequence[int], weight: Tensor, upstream: Tensor) -> dict[str, object]:
    """Embedded patches. A bias, which the student may have or not, is zero."""
    net = modules["vit"].Patchification(image.shape[1], tuple(patch), len(weight))
    bias = torch.zeros(len(weight))
    bound = bind_layers(modules, net, {"convolution": (nn.Conv2d, {"weight": weight, "bias?": bias})})
    out = net(handed(image))
    if tuple(out.shape) == tuple(upstream.shape):
        (out * upstream).sum().backward()
    own = bound.gradients()["convolution.weight"]
    return {"out": out, "gradients": {"image": gradient(image), "weight": own}}


def attention(
    modules: Any, x: Tensor, heads: int, roles: Weights, upstream: Tensor, held: str | None = None, dropout: float = 0.0
) -> dict[str, object]:
    """Attention in evaluation mode, and how much a second call differs.

    `held` is a reading of the reference: which of the optional parameters there are.
    """
    net = modules["vit"].Attention(x.shape[2], heads, dropout).eval()
    written = roles if held is None else without(roles, held)
    layout = bind_attention(modules, net, heads, written)
    out = net(handed(x))
    if out.shape == upstream.shape:
        (out * upstream).sum().backward()
    own = gradients(layout, written)
    again = (net(x.detach().clone()) - out).abs().max().item()
    return {"out": out, "held": convention(layout), "again": again, "gradients": {"x": gradient(x), **own}}


def block(modules: Any, x: Tensor, heads: int, mix: Tensor, weights: Weights, upstream: Tensor) -> dict[str, object]:
    """A block around a stand-in for Attention."""
    size, wide = x.shape[2], len(weights["first_bias"])
    kind = stand_in_attention(mix)
    with modules.replaced("vit", Attention=kind):
        net = modules["vit"].Block(size, heads, wide, 0.5).eval()  # which drops nothing in evaluation mode
        if not any(isinstance(layer, kind) for layer in net.modules()):
            raise BindingError("Block does not make an Attention(dim, num_heads, dropout)")
        wanted = {
            "LN1": (nn.LayerNorm, {"weight": weights["LN1"], "bias": weights["LN1_bias"]}),
            "LN2": (nn.LayerNorm, {"weight": weights["LN2"], "bias": weights["LN2_bias"]}),
            "first": (nn.Linear, {"weight": weights["first"], "bias": weights["first_bias"]}),
            "second": (nn.Linear, {"weight": weights["second"], "bias": weights["second_bias"]}),
        }
        bound = bind_layers(modules, net, wanted)
        out = net(handed(x))
    if out.shape == upstream.shape:
        (out * upstream).sum().backward()
    return {"out": out, "gradients": {"x": gradient(x), **bound.gradients()}}


def vit_parameters(
    modules: Any, shape: Sequence[int], patch: Sequence[int], size: int, mix: Tensor
) -> dict[str, object]:
    """What the student's part of the constructor made."""
    kind = stand_in_patches(mix)
    with modules.replaced("vit", Patchification=kind, Block=stand_in_blocks([torch.eye(size)])):
        net = make_vit(modules, shape, patch, 3, size, 1)
        patchify = getattr(net, "patchify", None)
        made = isinstance(patchify, kind)
        tokens = patchify(torch.ones(1, *shape)) if callable(patchify) else torch.zeros(0)
    own = {name: described(net, name) for name in ("pos_embedding", "cls_token")}
    return {"makes_patches": made, "tokens": list(tokens.shape), **own}


def vit(
    modules: Any,
    image: Tensor,
    patch: Sequence[int],
    patch_mix: Tensor,
    block_mixes: Sequence[Tensor],
    weights: Weights,
    upstream: Tensor,
) -> dict[str, object]:
    """The class scores of a ViT whose patches and blocks are stand-ins, and the gradients of all that is in it."""
    classes, size = weights["head"].shape
    drawn = {"patches": patch_mix, **{f"block {number}": mix for number, mix in enumerate(block_mixes, start=1)}}
    for leaf in drawn.values():
        leaf.requires_grad_()
    with modules.replaced("vit", Patchification=stand_in_patches(patch_mix), Block=stand_in_blocks(block_mixes)):
        net = make_vit(modules, image.shape[1:], patch, classes, size, len(block_mixes)).eval()
        learned = {name: learnt(net, name, weights[name]) for name in ("pos_embedding", "cls_token")}
        wanted = {
            "norm": (nn.LayerNorm, {"weight": weights["norm"], "bias": weights["norm_bias"]}),
            "head": (nn.Linear, {"weight": weights["head"], "bias": weights["head_bias"]}),
        }
        bound = bind_layers(modules, net, wanted)
        out = net(image)
    if out.shape == upstream.shape:
        (out * upstream).sum().backward()
    own = {
        name: None if leaf.grad is None else leaf.grad.reshape(weights[name].shape) for name, leaf in learned.items()
    }
    given = {name: gradient(leaf) for name, leaf in drawn.items()}
    return {"out": out, "gradients": {**bound.gradients(), **own, **given}}


# --- whether a question was begun at all ------------------------------------------------------------------------


def rnn_is_written(modules: Any) -> dict[str, object]:
    """Runs the network once, so that a template's hole shows as such. Other failures are not this probe's matter."""
    modules.say_nothing()  # what is graded is the saved output
    model = make_rnn(modules, {"vocab": 5, "input": 2, "hidden": 3, "classes": 4})
    return _ran(lambda: model(torch.tensor([[1], [2]]), torch.tensor([2])))


def seq2seq_is_written(modules: Any) -> dict[str, object]:
    """The same for the translation model."""
    modules.say_nothing()  # what is graded is the saved output
    sentence = torch.tensor([[0, 2, 3, 1]])
    kind = seq2seq_file(modules, 6, 4, 3).LSTMSeq2Seq
    return _ran(lambda: kind(6, 6, 3, 3, torch.device("cpu"), 0.0)(sentence, sentence))


def vit_is_written(modules: Any) -> dict[str, object]:
    """The same for the Vision Transformer."""
    modules.say_nothing()  # what is graded is the saved output
    assert modules["vit"].ViT
    return _ran(lambda: make_vit(modules, (1, 4, 4), (2, 2), 2, 4, 1)(torch.zeros(1, 1, 4, 4)))


def _ran(run: Callable[[], object]) -> dict[str, object]:
    try:
        run()
    except NotImplementedError:
        raise
    except Exception:
        return {"ran": False}
    return {"ran": True}
