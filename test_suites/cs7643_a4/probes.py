"""What is asked of a submission of assignment 4: small runs of its classes with weights drawn by the judge.

The same functions run on the reference. Batch and time may be 1; nothing here knows an expected value.
"""

from __future__ import annotations

import torch
from building import (
    attend,
    backward,
    bind_full,
    bind_heads,
    bind_lstm_mode,
    bind_roles,
    bind_without,
    bound_or_hole,
    build_decoder,
    build_encoder,
    build_full,
    build_layer,
    build_seq2seq,
    in_rnn_mode,
    missing,
    own_parts,
    stand_in_parts,
    state_of,
    watch,
)
from layouts import context_candidates, lstm_candidates, step_candidates
from stand_ins import stand_in_attention, stand_in_forward, stand_in_layers
from torch import nn

from grader.calling import takes
from grader.probing import bind, gradient, handed, layers

# --- RNN and LSTM ----------------------------------------------------------------------------------------------------


def rnn_step(modules, x, h, output_size, weights, upstream, part):
    """One step of VanillaRNN: its `part` ("hidden" or "output"), with gradients."""
    net = modules["rnn"].VanillaRNN(x.shape[1], h.shape[1], output_size)
    size = {"hidden": h.shape[1], "output": output_size}[part]
    bound = bound_or_hole(
        lambda: bind(modules, step_candidates(net, part, x.shape[1], h.shape[1], size), weights),
        lambda: net(*handed((x, h))),
    )
    output, hidden = net(*handed((x, h)))
    value = {"hidden": hidden, "output": output}[part]
    backward({part: value}, upstream)
    own = {name: found for name, found in bound.gradients().items() if name.startswith(part)}
    return {part: value, "gradients": {"input": gradient(x), "previous hidden": gradient(h), **own}}


def lstm(modules, x, hidden_size, weights, upstream):
    """The LSTM over a batch of sequences, with gradients."""
    net = modules["lstm"].LSTM(x.shape[2], hidden_size)
    bound = bound_or_hole(
        lambda: bind(modules, lstm_candidates(net, x.shape[2], hidden_size), weights), lambda: net(handed(x))
    )
    values = state_of(net(handed(x)), "LSTM")
    backward(values, upstream)
    return {**values, "gradients": {"x": gradient(x), **bound.gradients()}}


def lstm_twice(modules, x, other, hidden_size):
    """One LSTM on x, on something else, and on x again."""
    net = modules["lstm"].LSTM(x.shape[2], hidden_size)
    first, between, again = (state_of(net(each), "LSTM") for each in (x, other, x))
    return {"first": first, "other": between, "again": again}


# --- encoder ---------------------------------------------------------------------------------------------------------


def encoder(modules, tokens, sizes, weights, upstream, part):
    """The encoder in RNN mode: its `part` ("output" or "hidden"), with gradients."""
    net = build_encoder(modules, sizes, "RNN").eval()
    roles = ["embedding", "recurrent"] + (["bridge_in", "bridge_out"] if part == "hidden" else [])
    bound = bound_or_hole(lambda: bind_roles(modules, net, weights, roles), lambda: net(tokens))
    output, hidden = net(tokens)
    value = {"output": output, "hidden": hidden}[part]
    backward({part: value}, upstream)
    return {part: value, "gradients": bound.gradients()}


def encoder_lstm(modules, tokens, sizes, weights, upstream):
    """The encoder in LSTM mode. `hidden_as_in_rnn_mode` is what its own RNN mode makes of the same last state."""
    net = build_encoder(modules, sizes, "LSTM").eval()
    bound = bound_or_hole(
        lambda: bind_lstm_mode(modules, net, weights, ["bridge_in", "bridge_out"]), lambda: net(tokens)
    )
    seen = watch(bound.module("recurrent"))
    output, state = net(tokens)
    values = {"output": output, **state_of(state, "LSTM")}
    backward({"output": output, "cell": values["cell"]}, upstream)
    found = {name: value for name, value in bound.gradients().items() if not name.startswith("bridge")}
    twin = build_encoder(modules, sizes, "RNN").eval()
    own = in_rnn_mode(twin, net, seen, lambda: twin(tokens)[1])
    return {**values, "hidden_as_in_rnn_mode": own, "gradients": found}


def encoder_dropout(modules, tokens, sizes, weights, upstream):
    """All of the embedding dropped, on two different inputs; and evaluation mode, where nothing is."""
    net = build_encoder(modules, sizes, "RNN", dropout=1.0)
    others = (tokens + 1) % sizes[0]
    net.train()
    dropped, also_dropped = net(tokens)[0], net(others)[0]
    net.eval()
    return {"train": [dropped, also_dropped], "eval": [net(tokens)[0], net(tokens)[0], net(others)[0]]}


# --- decoder ---------------------------------------------------------------------------------------------------------


def compute_attention(modules, state, encoder_outputs, sizes, upstream, **_):
    """The attention alone, with gradients."""
    net = build_decoder(modules, sizes, "RNN", attention=False).eval()
    if not hasattr(net, "compute_attention"):
        missing(modules, "decoder", "Decoder.compute_attention")
    hidden = state["hidden"]
    value = net.compute_attention(*handed((hidden, encoder_outputs)))
    backward({"attention": value}, upstream)
    return {
        "attention": value,
        "gradients": {"hidden": gradient(hidden), "encoder_outputs": gradient(encoder_outputs)},
    }


def decoder(modules, tokens, state, sizes, weights, upstream, **_):
    """One step of an RNN decoder without attention, with gradients."""
    net = build_decoder(modules, sizes, "RNN", attention=False).eval()
    hidden = state["hidden"]
    roles = ["embedding", "recurrent", "to_words"]
    bound = bound_or_hole(lambda: bind_roles(modules, net, weights, roles), lambda: net(tokens, handed(hidden)))
    output, new = net(tokens, handed(hidden))
    backward({"output": output, "hidden": new}, upstream)
    return {"output": output, "hidden": new, "gradients": {"previous hidden": gradient(hidden), **bound.gradients()}}


def decoder_lstm(modules, tokens, state, sizes, weights, upstream, **_):
    """One step of an LSTM decoder without attention.

    `output_as_in_rnn_mode` is what its own RNN mode makes of the same recurrent output.
    """
    net = build_decoder(modules, sizes, "LSTM", attention=False).eval()
    given = (state["hidden"], state["cell"])
    bound = bound_or_hole(
        lambda: bind_lstm_mode(modules, net, weights, ["to_words"]), lambda: net(tokens, handed(given))
    )
    seen = watch(bound.module("recurrent"))
    output, new = net(tokens, handed(given))
    values = state_of(new, "LSTM")
    backward(values, upstream)
    found = {name: value for name, value in bound.gradients().items() if not name.startswith("to_words")}
    found |= {f"previous {name}": gradient(tensor) for name, tensor in state.items()}
    twin = build_decoder(modules, sizes, "RNN", attention=False).eval()
    own = in_rnn_mode(twin, net, seen, lambda: twin(tokens, handed(given[0]))[0])
    return {"output": output, **values, "output_as_in_rnn_mode": own, "gradients": found}


def decoder_attention(modules, tokens, state, encoder_outputs, sizes, weights, mix, upstream, model, route):
    """One step with attention: the new state, with gradients. `convention` says which semester's attention it is."""
    net = build_decoder(modules, sizes, model, attention=True).eval()
    joins = takes(type(net), "attention")
    given = state["hidden"] if model == "RNN" else (state["hidden"], state["cell"])
    if route == "stand-in":
        net.compute_attention = stand_in_attention

    def call():
        return attend(modules, net, tokens, *handed((given, encoder_outputs)))

    bound = bound_or_hole(lambda: bind_roles(modules, net, weights, ["embedding", "recurrent"], model), call)
    if joins:
        bind(modules, context_candidates(net, sizes[2], sizes[0]), mix)
    values = state_of(call()[1], model)
    backward(values, upstream)
    return {
        **values,
        "convention": "the context joins the embedding" if joins else "the context replaces the state",
        "gradients": {
            "previous hidden": gradient(state["hidden"]),
            "encoder_outputs": gradient(encoder_outputs),
            **bound.gradients(),
        },
    }


def decoder_dropout(modules, tokens, state, sizes, **_):
    """All of the embedding dropped, on two different words; and evaluation mode, where nothing is."""
    net = build_decoder(modules, sizes, "RNN", attention=False, dropout=1.0)
    others = (tokens + 1) % sizes[3]
    net.train()
    dropped = [net(each, handed(state["hidden"]))[1] for each in (tokens, others)]
    net.eval()
    return {"train": dropped, "eval": [net(each, handed(state["hidden"]))[1] for each in (tokens, tokens, others)]}


# --- Seq2Seq ---------------------------------------------------------------------------------------------------------


def translate(modules, model, attention, tokens, sizes, weights, stand_in, upstream, route):
    """Greedy translation, with gradients of the encoder and the decoder, on the student's own or on stand-ins."""
    kind = modules["seq2seq"].Seq2Seq
    if route == "stand-in":
        parts, gradients = stand_in_parts(model, sizes, stand_in)
    else:
        parts, gradients = own_parts(modules, model, attention, sizes, weights)
    out = build_seq2seq(modules, kind, parts, attention).eval()(tokens)
    backward({"output": out}, {"output": upstream})
    found = gradients()
    if attention and (table := found["decoder"]["embedding.weight"]) is not None:
        # Which words are fed back is graded without attention; here all of them have one embedding.
        found["decoder"]["embedding.weight"] = table.sum(dim=0)
    return {"output": out, "gradients": found}


# --- one-layer Transformer -------------------------------------------------------------------------------------------


METHODS = {
    "embed": ["words", "positions"],
    "feedforward_layer": ["widen", "narrow", "norm_ff"],
    "final_layer": ["to_words"],
}


def layer_method(modules, tokens, x, sizes, weights, named, upstream, method, **_):
    """One method of the one-layer Transformer alone, with gradients."""
    net = build_layer(modules, sizes)
    call = getattr(net, method)
    given = tokens if method == "embed" else x
    if method == "multi_head_attention":
        bound = bind_heads(modules, net, named)
    else:
        roles = METHODS[method]
        bound = bound_or_hole(lambda: bind_without(modules, net, weights, roles), lambda: call(handed(given)))
    value = call(handed(given))
    backward({"value": value}, {"value": upstream["scores" if method == "final_layer" else "hidden"]})
    of_input = {} if method == "embed" else {"input": gradient(x)}
    return {"value": value, "gradients": {**of_input, **bound.gradients()}}


def layer_forward(modules, tokens, sizes, weights, named, stand_in, upstream, route, **_):
    """The whole one-layer Transformer, on its own methods or on stand-ins assigned on the instance."""
    net = build_layer(modules, sizes)
    if route == "stand-in":
        leaves = {name: tensor.requires_grad_() for name, tensor in stand_in.items()}
        for name, method in stand_in_layers(**leaves).items():
            setattr(net, name, method)
        out = net(tokens)
        backward({"scores": out}, upstream)
        return {"scores": out, "gradients": {name: gradient(tensor) for name, tensor in leaves.items()}}
    roles = [role for method in METHODS.values() for role in method]
    bound = bound_or_hole(lambda: bind_without(modules, net, weights, roles), lambda: net(tokens))
    heads = bind_heads(modules, net, named)
    out = net(tokens)
    backward({"scores": out}, upstream)
    return {"scores": out, "gradients": {**bound.gradients(), **heads.gradients()}}


# --- full Transformer ------------------------------------------------------------------------------------------------


def full_forward(modules, src, tgt, sizes, weights, inner, upstream, drop=(), memory=False, **_):
    """The full Transformer with teacher forcing, with gradients.

    `drop` and `memory` are for the reference only: masks that nn.Transformer shall not get, and the mask of the
    encoder's padding that it may get, so that other defensible readings of the handout have an expected value too.
    """
    net = build_full(modules, sizes)
    bound, heart = bound_or_hole(lambda: bind_full(modules, net, weights, inner), lambda: net(src, tgt))

    def other_masks(_module, args, kwargs):
        kept = {name: value for name, value in kwargs.items() if name not in drop}
        return args, {**kept, **({"memory_key_padding_mask": src == net.pad_idx} if memory else {})}

    if drop or memory:
        heart_of = layers(net, nn.Transformer)[0][1]
        heart_of.register_forward_pre_hook(other_masks, with_kwargs=True)
    out = net(src, tgt)
    backward({"scores": out}, {"scores": upstream})
    return {"scores": out, "gradients": {**without_padding(bound.gradients(), net.pad_idx), **heart.gradients()}}


def without_padding(gradients, pad):
    """Gradients with zeros for the padding word: an embedding may know of it (`padding_idx`) or not."""
    words = [name for name in gradients if "embeddingL" in name and "pos" not in name]
    for name in words:
        if gradients[name] is not None:
            gradients[name] = gradients[name].clone()
            gradients[name][pad] = 0
    return gradients


def full_future(modules, src, tgt, at, sizes, weights, inner, **_):
    """The scores for a target, and for one that differs at position `at`."""
    net = build_full(modules, sizes)
    bound_or_hole(lambda: bind_full(modules, net, weights, inner)[0], lambda: net(src, tgt))
    changed = tgt.clone()
    changed[:, at] = 4 + (tgt[:, at] - 3) % (sizes["output_size"] - 4)
    return {"scores": net(src, tgt), "changed": net(src, changed)}


def full_greedy(modules, src, sizes, weights, inner, stand_in, route, **_):
    """Greedy decoding, on the student's own `forward` or on a stand-in assigned on the instance."""
    net = build_full(modules, sizes)
    if route == "stand-in":
        net.forward = stand_in_forward(**stand_in, pad=1, start=2)
    else:
        bound_or_hole(lambda: bind_full(modules, net, weights, inner)[0], lambda: net.generate_translation(src))
    return {"scores": net.generate_translation(src)}


# --- theory ----------------------------------------------------------------------------------------------------------


def theory(modules, **given):
    """dL_2/db as the student's formula computes it."""
    found = modules["answers"].dL2_db(**given)
    return {"gradient": torch.as_tensor(found, dtype=torch.float32).reshape(-1)}
