"""What is asked of a submission of assignment 4: small runs of its classes with weights drawn by the judge.

The same functions run on the reference. Batch and time may be 1; nothing here knows an expected value.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence

import torch
from layouts import context_candidates, lstm_candidates, step_candidates
from stand_ins import (
    FixedRecurrent,
    StandInDecoder,
    StandInEncoder,
    stand_in_attention,
    stand_in_forward,
    stand_in_layers,
)
from torch import Tensor, nn

from grader.probing import BindingError, Bound, Candidate, Slot, bind, bind_layers, gradient, layers

KINDS = {
    "embedding": nn.Embedding,
    "words": nn.Embedding,
    "positions": nn.Embedding,
    "srcembeddingL": nn.Embedding,
    "tgtembeddingL": nn.Embedding,
    "srcposembeddingL": nn.Embedding,
    "tgtposembeddingL": nn.Embedding,
    "norm_ff": nn.LayerNorm,
}
RECURRENT = {"RNN": nn.RNN, "LSTM": nn.LSTM}


def bound_or_hole(bind_weights: Callable[[], Bound], call: Callable[[], object]) -> Bound:
    """Bind; where layers are missing, first look whether the method still is the template's hole ("not attempted")."""
    try:
        return bind_weights()
    except BindingError:
        call()
        raise


def bind_roles(modules, net: nn.Module, weights: Mapping, roles: Sequence[str], model: str = "RNN") -> Bound:
    """Bind these of the judge's layers, found by type and shapes."""
    kinds = {**KINDS, "recurrent": RECURRENT[model]}
    return bind_layers(modules, net, {role: (kinds.get(role, nn.Linear), weights[role]) for role in roles})


def backward(values: Mapping[str, Tensor | None], upstream: Mapping[str, Tensor]) -> None:
    """Back-propagate a weighted sum of the values; one without a graph contributes nothing, and that will show."""
    terms = [(value * upstream[name]).sum() for name, value in values.items() if value is not None]
    loss = sum(terms, torch.zeros(()))
    if loss.requires_grad:
        loss.backward()


def missing(modules, file_id: str, what: str) -> None:
    """End the item with "not attempted: <file> defines no <what>"."""
    getattr(modules[file_id], what)


def state_of(hidden, model: str) -> dict[str, Tensor | None]:
    """The recurrent state as named tensors; an LSTM's that is no pair has no cell."""
    if model == "RNN":
        return {"hidden": hidden}
    if isinstance(hidden, (tuple, list)) and len(hidden) == 2:
        return {"hidden": hidden[0], "cell": hidden[1]}
    return {"hidden": hidden, "cell": None}


# --- RNN and LSTM ----------------------------------------------------------------------------------------------------


def rnn_step(modules, x, h, output_size, weights, upstream, part):
    """One step of VanillaRNN: its `part` ("hidden" or "output"), with gradients."""
    net = modules["rnn"].VanillaRNN(x.shape[1], h.shape[1], output_size)
    size = {"hidden": h.shape[1], "output": output_size}[part]
    x.requires_grad_()
    h.requires_grad_()
    bound = bound_or_hole(
        lambda: bind(modules, step_candidates(net, part, x.shape[1], h.shape[1], size), weights), lambda: net(x, h)
    )
    output, hidden = net(x, h)
    value = {"hidden": hidden, "output": output}[part]
    backward({part: value}, upstream)
    own = {name: found for name, found in bound.gradients().items() if name.startswith(part)}
    return {part: value, "gradients": {"input": gradient(x), "previous hidden": gradient(h), **own}}


def lstm(modules, x, hidden_size, weights, upstream):
    """The LSTM over a batch of sequences, with gradients."""
    net = modules["lstm"].LSTM(x.shape[2], hidden_size)
    x.requires_grad_()
    bound = bound_or_hole(
        lambda: bind(modules, lstm_candidates(net, x.shape[2], hidden_size), weights), lambda: net(x)
    )
    values = state_of(net(x), "LSTM")
    backward(values, upstream)
    return {**values, "gradients": {"x": gradient(x), **bound.gradients()}}


def lstm_twice(modules, x, other, hidden_size):
    """One LSTM on x, on something else, and on x again."""
    net = modules["lstm"].LSTM(x.shape[2], hidden_size)
    first, between, again = (state_of(net(each), "LSTM") for each in (x, other, x))
    return {"first": first, "other": between, "again": again}


# --- encoder ---------------------------------------------------------------------------------------------------------


def build_encoder(modules, sizes: Sequence[int], model: str, dropout: float = 0.0) -> nn.Module:
    return modules["encoder"].Encoder(*sizes, dropout=dropout, model_type=model)


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
    bound = bound_or_hole(lambda: bind_encoder(modules, net, weights), lambda: net(tokens))
    seen = watch(bound.module("recurrent"))
    output, state = net(tokens)
    values = {"output": output, **state_of(state, "LSTM")}
    backward({"output": output, "cell": values["cell"]}, upstream)
    found = {name: value for name, value in bound.gradients().items() if not name.startswith("bridge")}
    twin = build_encoder(modules, sizes, "RNN").eval()
    own = in_rnn_mode(twin, net, seen, lambda: twin(tokens)[1])
    return {**values, "hidden_as_in_rnn_mode": own, "gradients": found}


def bind_encoder(modules, net: nn.Module, weights: Mapping) -> Bound:
    """Bind an LSTM-mode encoder; layers of other sizes after the LSTM keep their own weights (graded in RNN mode)."""
    roles = ["embedding", "recurrent"]
    try:
        return bind_roles(modules, net, weights, [*roles, "bridge_in", "bridge_out"], "LSTM")
    except BindingError:
        return bind_roles(modules, net, weights, roles, "LSTM")


def watch(module: nn.Module) -> list:
    """A list that receives what the module returns."""
    seen: list = []
    module.register_forward_hook(lambda _module, _inputs, result: seen.append(result))
    return seen


def in_rnn_mode(twin: nn.Module, net: nn.Module, seen: list, call: Callable[[], Tensor]) -> Tensor:
    """What the RNN-mode `twin`, with the other weights of `net`, makes of the recurrent result that `net` saw.

    Empty when its RNN mode does not run: that is graded elsewhere.
    """
    try:
        output, (hidden, _) = seen[-1]
        own = dict(net.named_parameters())
        with torch.no_grad():
            for name, parameter in twin.named_parameters():
                if name in own and own[name].shape == parameter.shape:
                    parameter.copy_(own[name])
        for name, _ in layers(twin, nn.RNN):
            parent, _, leaf = name.rpartition(".")
            setattr(twin.get_submodule(parent), leaf, FixedRecurrent(output.detach(), hidden.detach()))
        return call().detach()
    except Exception:
        return torch.zeros(0)


def encoder_dropout(modules, tokens, sizes, weights, upstream):
    """All of the embedding dropped, on two different inputs; and evaluation mode, where nothing is."""
    net = build_encoder(modules, sizes, "RNN", dropout=1.0)
    others = (tokens + 1) % sizes[0]
    net.train()
    dropped, also_dropped = net(tokens)[0], net(others)[0]
    net.eval()
    return {"train": [dropped, also_dropped], "eval": [net(tokens)[0], net(tokens)[0], net(others)[0]]}


# --- decoder ---------------------------------------------------------------------------------------------------------


def build_decoder(modules, sizes: Sequence[int], model: str, attention: bool, dropout: float = 0.0) -> nn.Module:
    """A decoder; semesters whose constructor has an `attention` argument get it."""
    kind = modules["decoder"].Decoder
    extra = {"attention": True} if attention and takes(kind.__init__, "attention") else {}
    return kind(*sizes, dropout=dropout, model_type=model, **extra)


def takes(function: Callable, argument: str) -> bool:
    """Whether the signature has this argument: signatures tell the semesters apart."""
    return argument in inspect.signature(function).parameters


def attend(modules, net: nn.Module, tokens, state, encoder_outputs):
    """Call the decoder with attention, as its semester's signature wants it."""
    if takes(net.forward, "attention"):
        return net(tokens, state, encoder_outputs=encoder_outputs, attention=True)
    if not takes(net.forward, "encoder_outputs"):
        missing(modules, "decoder", "attention in Decoder.forward")
    return net(tokens, state, encoder_outputs=encoder_outputs)


def compute_attention(modules, state, encoder_outputs, sizes, upstream, **_):
    """The attention alone, with gradients."""
    net = build_decoder(modules, sizes, "RNN", attention=False).eval()
    hidden = state["hidden"].requires_grad_()
    encoder_outputs.requires_grad_()
    value = net.compute_attention(hidden, encoder_outputs)
    backward({"attention": value}, upstream)
    return {
        "attention": value,
        "gradients": {"hidden": gradient(hidden), "encoder_outputs": gradient(encoder_outputs)},
    }


def decoder(modules, tokens, state, sizes, weights, upstream, model, **_):
    """One step without attention. In LSTM mode the output may also be what its own RNN mode makes of the same state."""
    net = build_decoder(modules, sizes, model, attention=False).eval()
    leaves = [tensor.requires_grad_() for tensor in (state["hidden"], state["cell"])]
    given = leaves[0] if model == "RNN" else tuple(leaves)
    roles = ["embedding", "recurrent", "to_words"]
    bound = bound_or_hole(lambda: bind_roles(modules, net, weights, roles, model), lambda: net(tokens, given))
    seen = watch(bound.module("recurrent"))
    output, new = net(tokens, given)
    values = {"output": output, **state_of(new, model)}
    graded = values if model == "RNN" else {name: values[name] for name in ("hidden", "cell")}
    backward(graded, upstream)
    found = {"previous hidden": gradient(state["hidden"]), **bound.gradients()}
    if model == "RNN":
        return {**values, "gradients": found}
    twin = build_decoder(modules, sizes, "RNN", attention=False).eval()
    own = in_rnn_mode(twin, net, seen, lambda: twin(tokens, leaves[0])[0])
    found = {name: value for name, value in found.items() if not name.startswith("to_words")}
    return {**values, "output_as_in_rnn_mode": own, "gradients": found}


def decoder_attention(modules, tokens, state, encoder_outputs, sizes, weights, mix, upstream, model, route):
    """One step with attention: the new state, with gradients. `convention` says which semester's attention it is."""
    net = build_decoder(modules, sizes, model, attention=True).eval()
    joins = takes(type(net).__init__, "attention")
    leaves = [tensor.requires_grad_() for tensor in (state["hidden"], state["cell"])]
    given = leaves[0] if model == "RNN" else tuple(leaves)
    encoder_outputs.requires_grad_()
    if route == "stand-in":
        net.compute_attention = stand_in_attention

    def call():
        return attend(modules, net, tokens, given, encoder_outputs)

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
    dropped = [net(each, state["hidden"])[1] for each in (tokens, others)]
    net.eval()
    return {"train": dropped, "eval": [net(each, state["hidden"])[1] for each in (tokens, tokens, others)]}


# --- Seq2Seq ---------------------------------------------------------------------------------------------------------


def translate(modules, model, attention, tokens, sizes, weights, stand_in, upstream, route):
    """Greedy translation, with gradients of the encoder and the decoder, on the student's own or on stand-ins."""
    vocabulary, emb, hidden, words = sizes
    kind = modules["seq2seq"].Seq2Seq
    if route == "stand-in":
        parts = {
            "encoder": StandInEncoder(vocabulary, emb, hidden, hidden, model),
            "decoder": StandInDecoder(emb, hidden, hidden, words, model),
        }
        for name, part in parts.items():
            part.load_state_dict(stand_in[name])
    else:
        parts = {
            "encoder": build_encoder(modules, [vocabulary, emb, hidden, hidden], model),
            "decoder": build_decoder(modules, [emb, hidden, hidden, words], model, attention),
        }
        roles = {"encoder": ["embedding", "recurrent", "bridge_in", "bridge_out"]}
        roles["decoder"] = ["embedding", "recurrent", "to_words"]
        bound = {name: bind_roles(modules, part, weights[name], roles[name], model) for name, part in parts.items()}
    out = build_seq2seq(modules, kind, parts, attention).eval()(tokens)
    backward({"output": out}, {"output": upstream})
    if route == "stand-in":
        found = {n: {r: gradient(p) for r, p in part.named_parameters()} for n, part in parts.items()}
    else:
        found = {name: each.gradients() for name, each in bound.items()}
    if attention and (table := found["decoder"]["embedding.weight"]) is not None:
        # Which words are fed back is graded without attention; here all of them have one embedding.
        found["decoder"]["embedding.weight"] = table.sum(dim=0)
    return {"output": out, "gradients": found}


def build_seq2seq(modules, kind: type, parts: Mapping[str, nn.Module], attention: bool) -> nn.Module:
    """Seq2Seq; where its semester's constructor has no `attention`, the decoder knows whether to attend."""
    if takes(kind.__init__, "attention"):
        return kind(parts["encoder"], parts["decoder"], "cpu", attention=attention)
    if attention:
        if not takes(modules["decoder"].Decoder.__init__, "attention"):
            missing(modules, "seq2seq", "attention in Seq2Seq.__init__")
        parts["decoder"].attention = True
    return kind(parts["encoder"], parts["decoder"], "cpu")


# --- one-layer Transformer -------------------------------------------------------------------------------------------


def build_layer(modules, sizes: Mapping[str, int]) -> nn.Module:
    return modules["transformer"].TransformerTranslator(device="cpu", num_heads=2, **sizes)


METHODS = {
    "embed": ["words", "positions"],
    "feedforward_layer": ["widen", "narrow", "norm_ff"],
    "final_layer": ["to_words"],
}


def bind_heads(modules, net: nn.Module, named: Mapping[str, Tensor]) -> Bound:
    """Bind the attention layers, whose names are given."""
    own = dict(net.named_parameters())
    absent = sorted(set(named) - set(own))
    if absent:
        raise BindingError(f"TransformerTranslator has no {', '.join(absent)}; these layers are given in the template")
    return bind(modules, [Candidate("given names", tuple(Slot(own[name], (name,)) for name in named))], named)


def layer_method(modules, tokens, x, sizes, weights, named, upstream, method, **_):
    """One method of the one-layer Transformer alone, with gradients."""
    net = build_layer(modules, sizes)
    call = getattr(net, method)
    given = tokens if method == "embed" else x.requires_grad_()
    if method == "multi_head_attention":
        bound = bind_heads(modules, net, named)
    else:
        roles = METHODS[method]
        bound = bound_or_hole(lambda: bind_without(modules, net, weights, roles), lambda: call(given))
    value = call(given)
    backward({"value": value}, {"value": upstream["scores" if method == "final_layer" else "hidden"]})
    of_input = {} if method == "embed" else {"input": gradient(x)}
    return {"value": value, "gradients": {**of_input, **bound.gradients()}}


def bind_without(modules, net: nn.Module, weights: Mapping, roles: Sequence[str]) -> Bound:
    """Bind layers of free names: the given ones are not among those to choose from."""
    given = net._modules.pop("norm_mh", None)
    try:
        return bind_roles(modules, net, weights, roles)
    finally:
        if given is not None:
            net.norm_mh = given


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

OUTER = ["srcembeddingL", "tgtembeddingL", "srcposembeddingL", "tgtposembeddingL", "to_words"]


def build_full(modules, sizes: Mapping[str, int]) -> nn.Module:
    return modules["transformer"].FullTransformerTranslator(device="cpu", num_heads=2, dropout=0.0, **sizes).eval()


def bind_full(modules, net: nn.Module, weights: Mapping, inner: Mapping[str, Tensor]) -> tuple[Bound, Bound]:
    """Bind nn.Transformer by its parameters' names, and the layers around it."""
    found = layers(net, nn.Transformer)
    if not found:
        raise BindingError("FullTransformerTranslator has no nn.Transformer")
    own = dict(found[0][1].named_parameters())
    if {name: p.shape for name, p in own.items()} != {name: t.shape for name, t in inner.items()}:
        raise BindingError(
            "nn.Transformer was not built with the sizes given to the constructor (hidden_dim, dim_feedforward, "
            f"num_layers_enc, num_layers_dec): it is {str(found[0][1])[:300]}"
        )
    slots = tuple(Slot(own[name], (name,)) for name in inner)
    return bind_roles(modules, net, weights, OUTER), bind(modules, [Candidate(found[0][0], slots)], inner)


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
    return {"scores": out, "gradients": {**bound.gradients(), **heart.gradients()}}


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
    return {"gradient": torch.as_tensor(found, dtype=torch.float64).reshape(-1)}
