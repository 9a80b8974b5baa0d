"""Building a student's classes and binding the judge's weights to them: what the probes share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from stand_ins import FixedRecurrent, StandInDecoder, StandInEncoder
from torch import Tensor, nn

from grader.calling import takes
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
OUTER = ["srcembeddingL", "tgtembeddingL", "srcposembeddingL", "tgtposembeddingL", "to_words"]


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


def build_encoder(modules, sizes: Sequence[int], model: str, dropout: float = 0.0) -> nn.Module:
    kind = modules["encoder"].Encoder
    return kind(*sizes, dropout=dropout, **mode(modules, "encoder", kind, model))


def mode(modules, file_id: str, kind: type, model: str) -> dict[str, str]:
    """The argument that chooses RNN or LSTM; semesters whose constructor has none have only the RNN."""
    if takes(kind, "model_type"):
        return {"model_type": model}
    if model != "RNN":
        missing(modules, file_id, f"{model} mode ({kind.__name__} has no model_type)")
    return {}


def watch(module: nn.Module) -> list:
    """A list that receives what the module returns."""
    seen: list = []
    module.register_forward_hook(lambda _module, _inputs, result: seen.append(result))
    return seen


def bind_lstm_mode(modules, net: nn.Module, weights: Mapping, head: Sequence[str]) -> Bound:
    """Bind embedding and LSTM, and the layers after it; those of other sizes keep their own weights (graded before)."""
    roles = ["embedding", "recurrent"]
    try:
        return bind_roles(modules, net, weights, [*roles, *head], "LSTM")
    except BindingError:
        return bind_roles(modules, net, weights, roles, "LSTM")


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


def build_decoder(modules, sizes: Sequence[int], model: str, attention: bool, dropout: float = 0.0) -> nn.Module:
    """A decoder; semesters whose constructor has an `attention` argument get it."""
    kind = modules["decoder"].Decoder
    extra = {"attention": True} if attention and takes(kind, "attention") else {}
    return kind(*sizes, dropout=dropout, **mode(modules, "decoder", kind, model), **extra)


def attend(modules, net: nn.Module, tokens, state, encoder_outputs):
    """Call the decoder with attention, as its semester's signature wants it."""
    if takes(net.forward, "attention"):
        return net(tokens, state, encoder_outputs=encoder_outputs, attention=True)
    if not takes(net.forward, "encoder_outputs"):
        missing(modules, "decoder", "attention in Decoder.forward")
    return net(tokens, state, encoder_outputs=encoder_outputs)


Gradients = Callable[[], dict[str, dict[str, Tensor | None]]]


def stand_in_parts(model: str, sizes: Sequence[int], weights: Mapping) -> tuple[dict[str, nn.Module], Gradients]:
    """A stand-in encoder and decoder with the judge's weights, and a way to their gradients."""
    vocabulary, emb, hidden, words = sizes
    parts = {
        "encoder": StandInEncoder(vocabulary, emb, hidden, hidden, model),
        "decoder": StandInDecoder(emb, hidden, hidden, words, model),
    }
    for name, part in parts.items():
        part.load_state_dict(weights[name])
    return parts, lambda: {n: {r: gradient(p) for r, p in part.named_parameters()} for n, part in parts.items()}


def own_parts(
    modules, model: str, attention: bool, sizes: Sequence[int], weights: Mapping
) -> tuple[dict[str, nn.Module], Gradients]:
    """The student's own encoder and decoder with the judge's weights, and a way to their gradients."""
    vocabulary, emb, hidden, words = sizes
    parts = {
        "encoder": build_encoder(modules, [vocabulary, emb, hidden, hidden], model),
        "decoder": build_decoder(modules, [emb, hidden, hidden, words], model, attention),
    }
    roles = {"encoder": ["bridge_in", "bridge_out"], "decoder": ["to_words"]}
    bound = {
        name: bind_roles(modules, part, weights[name], ["embedding", "recurrent", *roles[name]], model)
        for name, part in parts.items()
    }
    return parts, lambda: {name: each.gradients() for name, each in bound.items()}


class _Cpu(str):
    """The device as a word and, for code that asks for `device.type`, as what `torch.device` makes of it."""

    type, index = "cpu", None


CPU = _Cpu("cpu")


def build_seq2seq(
    modules, kind: type, parts: Mapping[str, nn.Module], attention: bool, device: str | torch.device = CPU
) -> nn.Module:
    """Seq2Seq; where its semester's constructor has no `attention`, the decoder knows whether to attend."""
    if takes(kind, "attention"):
        return kind(parts["encoder"], parts["decoder"], device, attention=attention)
    if attention:
        if not takes(modules["decoder"].Decoder, "attention"):
            missing(modules, "seq2seq", "attention in Seq2Seq.__init__")
        parts["decoder"].attention = True
    return kind(parts["encoder"], parts["decoder"], device)


def build_layer(modules, sizes: Mapping[str, int]) -> nn.Module:
    return modules["transformer"].TransformerTranslator(device=CPU, num_heads=2, **sizes)


def bind_heads(modules, net: nn.Module, named: Mapping[str, Tensor]) -> Bound:
    """Bind the attention layers, whose names are given."""
    own = dict(net.named_parameters())
    absent = sorted(set(named) - set(own))
    if absent:
        raise BindingError(f"TransformerTranslator has no {', '.join(absent)}; these layers are given in the template")
    return bind(modules, [Candidate("given names", tuple(Slot(own[name], (name,)) for name in named))], named)


def bind_without(modules, net: nn.Module, weights: Mapping, roles: Sequence[str]) -> Bound:
    """Bind layers of free names: the given ones are not among those to choose from."""
    given = net._modules.pop("norm_mh", None)
    try:
        return bind_roles(modules, net, weights, roles)
    except BindingError as error:
        text = f"{error} (The given norm_mh does not count: this sub-layer needs a norm of its own.)"
        raise BindingError(text) from None
    finally:
        if given is not None:
            net.norm_mh = given


def build_full(modules, sizes: Mapping[str, int]) -> nn.Module:
    return modules["transformer"].FullTransformerTranslator(device=CPU, num_heads=2, dropout=0.0, **sizes).eval()


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
