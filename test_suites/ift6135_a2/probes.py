"""The probes: each runs one small piece of work on the student's classes and on the reference's.

`modules["lstm"]` and `modules["transformer"]` are the two files. Where a part calls another one, `route` says whose
is used: "own", or a stand-in that is put on the instance.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import stand_ins
import torch
from projections import bind_projections
from torch import Tensor, nn

from grader.probing import BindingError, bind_names, gradient, layers

Tree = dict[str, object]
Weights = Mapping[str, Tensor]

# --- question 1.1 ---------------------------------------------------------------------------------------------


def lstm(modules: Any, x: Tensor, states: Sequence[Tensor], weights: Weights, upstream: Tensor, **_: object) -> Tree:
    """Outputs from zero states, and the gradients of the inputs and of all sixteen parameters."""
    net = modules["lstm"].LSTM(x.shape[-1], states[0].shape[-1])
    bound = bind_names(modules, net, weights)
    x.requires_grad_()
    out, _ = net(x.clone(), tuple(torch.zeros_like(state) for state in states))
    out.backward(upstream)
    return {"outputs": out, "gradients": {"inputs": x.grad, **bound.gradients()}}


def lstm_states(
    modules: Any,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Weights,
    upstream_states: Sequence[Tensor],
    **_: object,
) -> Tree:
    """The states after the last step from random first ones, and the gradients that reach the first ones."""
    net = modules["lstm"].LSTM(x.shape[-1], states[0].shape[-1])
    bind_names(modules, net, weights)
    first = [state.requires_grad_() for state in states]
    _, last = net(x, tuple(state.clone() for state in first))
    return _states(last) | {"gradients": _state_gradients(last, first, upstream_states)}


def torch_lstm(
    modules: Any, x: Tensor, states: Sequence[Tensor], weights: Weights, upstream: Tensor, **_: object
) -> Tree:
    """What `lstm` should give, by `nn.LSTM`: the judge's own yardstick, run on the reference's side only."""
    net = _torch_lstm(x, states, weights)
    x.requires_grad_()
    out, _ = net(x, tuple(torch.zeros_like(state) for state in states))
    out.backward(upstream)
    found = {}
    for index, gate in enumerate("ifgo"):
        for source, name in (("i", "ih"), ("h", "hh")):
            for kind, leaf in (("w", "weight"), ("b", "bias")):
                grown = getattr(net, f"{leaf}_{name}_l0").grad
                found[f"{kind}_{source}{gate}"] = grown.chunk(4)[index]
    return {"outputs": out, "gradients": {"inputs": x.grad, **found}}


def torch_lstm_states(
    modules: Any,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Weights,
    upstream_states: Sequence[Tensor],
    **_: object,
) -> Tree:
    """What `lstm_states` should give, by `nn.LSTM`."""
    net = _torch_lstm(x, states, weights)
    first = [state.requires_grad_() for state in states]
    _, last = net(x, tuple(first))
    return _states(last) | {"gradients": _state_gradients(last, first, upstream_states)}


def _torch_lstm(x: Tensor, states: Sequence[Tensor], weights: Weights) -> nn.LSTM:
    net = nn.LSTM(x.shape[-1], states[0].shape[-1], batch_first=True)
    with torch.no_grad():
        for source, name in (("i", "ih"), ("h", "hh")):
            for kind, leaf in (("w", "weight"), ("b", "bias")):
                stacked = torch.cat([weights[f"{kind}_{source}{gate}"] for gate in "ifgo"])
                getattr(net, f"{leaf}_{name}_l0").copy_(stacked)
    return net


def _states(last: Sequence[Tensor]) -> dict[str, object]:
    hidden, cell = last
    return {"hidden state": hidden, "cell state": cell}


def _state_gradients(last: Sequence[Tensor], first: Sequence[Tensor], upstream: Sequence[Tensor]) -> dict[str, object]:
    reached = [state.reshape(-1) @ grown.reshape(-1) for state, grown in zip(last, upstream, strict=True)]
    sum(reached, torch.zeros(())).backward()
    return {"first hidden state": gradient(first[0]), "first cell state": gradient(first[1])}


# --- questions 1.2 and 1.3 ------------------------------------------------------------------------------------


def encoder(
    modules: Any, tokens: Tensor, states: Sequence[Tensor], weights: Weights, upstream: Tensor, **_: object
) -> Tree:
    """Features from zero states without dropout, and the gradients of the embedding and of the `nn.LSTM`."""
    zeros = [torch.zeros_like(state) for state in states]
    net, parameters = _encoder(modules, tokens, zeros, weights, dropout=0.0)
    out, _ = net.eval()(tokens, tuple(zeros))
    out.backward(upstream)
    return {"outputs": out, "gradients": {name: gradient(parameter) for name, parameter in parameters.items()}}


def encoder_states(modules: Any, tokens: Tensor, states: Sequence[Tensor], weights: Weights, **_: object) -> Tree:
    """The last states of both directions from random first ones."""
    net, _ = _encoder(modules, tokens, states, weights, dropout=0.0)
    _, last = net.eval()(tokens, tuple(states))
    return _states(last)


def encoder_dropout(modules: Any, tokens: Tensor, states: Sequence[Tensor], weights: Weights, **_: object) -> Tree:
    """Features with dropout off, on and total, and those of an encoder whose embedding is zero."""
    zeros = [torch.zeros_like(state) for state in states]
    blank = {**weights, "embedding.weight": torch.zeros_like(weights["embedding.weight"])}

    def features(dropout: float, training: bool, used: Weights = weights) -> Tensor:
        net, _ = _encoder(modules, tokens, zeros, used, dropout)
        return net.train(training)(tokens, tuple(zeros))[0]

    return {
        "without dropout": features(0.0, training=False),
        "evaluation": {"first": features(0.7, training=False), "second": features(0.7, training=False)},
        "training": {"first": features(0.5, training=True), "second": features(0.5, training=True)},
        "all dropped": features(1.0, training=True),
        "zero embedding": features(0.0, training=False, used=blank),
    }


def decoder(
    modules: Any,
    x: Tensor,
    states: Sequence[Tensor],
    weights: Weights,
    upstream: Tensor,
    matrix: Tensor,
    mask: Tensor,
    attention: bool = False,
    pass_mask: bool = False,
    premasked: bool = False,
    **_: object,
) -> Tree:
    """Features from zero states, and gradients; with attention, a stand-in is the module given to the constructor.

    `pass_mask`: hand the padding mask to the decoder. `premasked`: blank the padded features beforehand.
    """
    zeros = [torch.zeros_like(state) for state in states]
    attn = stand_ins.Attention(matrix) if attention else None
    net, parameters = _decoder(modules, x, zeros, weights, attn)
    x.requires_grad_()
    features = x * mask[..., None] if premasked else x.clone()
    out, _ = net(features, tuple(zeros), mask) if pass_mask else net(features, tuple(zeros))
    out.backward(upstream)
    found = {name: gradient(parameter) for name, parameter in parameters.items()}
    if attn is not None:
        found["the attention's weight"] = gradient(attn.matrix)
    return {"outputs": out, "gradients": {"inputs": x.grad, **found}}


def decoder_states(modules: Any, x: Tensor, states: Sequence[Tensor], weights: Weights, **_: object) -> Tree:
    """The last states from random first ones, without attention."""
    net, _ = _decoder(modules, x, states, weights, None)
    _, last = net(x, tuple(states))
    return _states(last)


def together(
    modules: Any,
    tokens: Tensor,
    mask: Tensor,
    vocabulary: int,
    embedding: int,
    hidden: int,
    encoder_only: bool,
    attention: bool,
) -> Tree:
    """Shapes of what the joined network returns, with and without a mask, and whether all of it is finite."""
    attn = _attention_module(modules["transformer"], 2 * hidden, 1, tokens.shape[1]) if attention else None
    if attn is not None:
        _randomise(attn)
    net = modules["lstm"].EncoderDecoder(vocabulary, embedding, hidden, encoder_only=encoder_only, attn=attn)
    result: Tree = {}
    for name, arguments in (("without a mask", ()), ("with a mask", (mask,))):
        feature, (last_hidden, last_cell) = net.eval()(tokens, *arguments)
        result[name] = {
            "feature": list(feature.shape),
            "hidden state": list(last_hidden.shape),
            "cell state": list(last_cell.shape),
            "finite": bool(feature.isfinite().all()),
        }
    return result


def _encoder(
    modules: Any, tokens: Tensor, states: Sequence[Tensor], weights: Weights, dropout: float
) -> tuple[nn.Module, dict[str, nn.Parameter]]:
    vocabulary, embedding = weights["embedding.weight"].shape
    net = modules["lstm"].Encoder(vocabulary, embedding, states[0].shape[-1], dropout=dropout)
    parameters = {"embedding.weight": net.embedding.weight}
    recurrent = {name: value for name, value in weights.items() if name != "embedding.weight"}
    parameters |= _recurrent(net, recurrent, lambda: net(tokens, tuple(states)))
    _write(parameters, weights)
    return net, parameters


def _decoder(
    modules: Any, x: Tensor, states: Sequence[Tensor], weights: Weights, attn: nn.Module | None
) -> tuple[nn.Module, dict[str, nn.Parameter]]:
    net = modules["lstm"].DecoderAttn(x.shape[-1], states[0].shape[-1], attn=attn)
    parameters = _recurrent(net, weights, lambda: net(x, tuple(states)))
    _write(parameters, weights)
    return net, parameters


def _recurrent(net: nn.Module, wanted: Weights, run: Callable[[], object]) -> dict[str, nn.Parameter]:
    """The parameters of the module's `nn.LSTM` by their names there; two one-way layers serve as two directions."""
    found = [parameter for _, layer in layers(net, nn.LSTM) for parameter in layer.parameters()]
    if [tuple(parameter.shape) for parameter in found] == [tuple(value.shape) for value in wanted.values()]:
        return dict(zip(wanted, found, strict=True))
    run()  # the template's hole shows itself here, before anything is said about a missing layer
    own = "; ".join(f"{name}: {layer}" for name, layer in layers(net, nn.LSTM)) or "no nn.LSTM"
    needed = "two directions" if len(wanted) > 4 else "one direction"
    raise BindingError(f"{type(net).__name__} should hold one nn.LSTM layer of {needed} in self.rnn, it has {own}")


def _write(parameters: Mapping[str, nn.Parameter], weights: Weights) -> None:
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])


# --- question 2.1 ---------------------------------------------------------------------------------------------


def layer_norm(modules: Any, x: Tensor, eps: float, weight: Tensor, bias: Tensor, upstream: Tensor) -> Tree:
    """The plain normalisation with the gradient of its input; the scaled one with those of weight and bias."""
    net = modules["transformer"].LayerNorm(x.shape[-1], eps)
    _write({"weight": net.weight, "bias": net.bias}, {"weight": torch.ones_like(weight), "bias": torch.zeros_like(bias)})
    x.requires_grad_()
    plain = net(x.clone())
    plain.backward(upstream)
    _write({"weight": net.weight, "bias": net.bias}, {"weight": weight, "bias": bias})
    net.zero_grad()
    scaled = net(x.detach())
    scaled.backward(upstream)
    return {
        "plain": plain,
        "gradients": {"inputs": x.grad},
        "scaled": scaled,
        "affine gradients": {"weight": gradient(net.weight), "bias": gradient(net.bias)},
    }


# --- questions 2.2 to 2.5 -------------------------------------------------------------------------------------


def _attention_module(file: Any, head_size: int, heads: int, time: int) -> nn.Module:
    """The student's attention module, in the form of this semester or of the year after (no sequence length)."""
    kind = file.MultiHeadedAttention
    net = kind(head_size, heads, time) if _takes(kind, "sequence_length") else kind(head_size, heads)
    return net.eval()


def _randomise(net: nn.Module, std: float = 0.6) -> None:
    """Give every parameter random values, also those that were left uninitialised."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(std=std)


def _takes(function: Callable[..., object], name: str) -> bool:
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return True


def _heads(modules: Any, inputs: Mapping[str, Any]) -> nn.Module:
    return _attention_module(
        modules["transformer"], inputs["head_size"], inputs["heads"], inputs["queries"].shape[2]
    )


def split_heads(modules: Any, joined: Tensor, **inputs: Any) -> Tree:
    """A tensor with heads of any width, taken apart."""
    return {"heads apart": _heads(modules, inputs).split_heads(joined)}


def merge_heads(modules: Any, apart: Tensor, **inputs: Any) -> Tree:
    """A tensor with heads of any width, put together."""
    return {"heads joined": _heads(modules, inputs).merge_heads(apart)}


def there_and_back(modules: Any, joined: Tensor, apart: Tensor, **inputs: Any) -> Tree:
    """Both functions after each other, in both orders."""
    net = _heads(modules, inputs)
    return {
        "shape apart": list(net.split_heads(joined).shape),
        "merge_heads(split_heads(x))": net.merge_heads(net.split_heads(joined)),
        "split_heads(merge_heads(y))": net.split_heads(net.merge_heads(apart)),
    }


def attention_weights(modules: Any, queries: Tensor, keys: Tensor, mask: Tensor, upstream: Tensor, **inputs: Any) -> Tree:
    """Attention weights without a mask, with gradients."""
    net = _heads(modules, {**inputs, "queries": queries})
    queries.requires_grad_()
    keys.requires_grad_()
    found = net.get_attention_weights(queries.clone(), keys.clone())
    found.backward(upstream)
    return {"weights": found, "gradients": {"queries": queries.grad, "keys": keys.grad}}


def masked_weights(modules: Any, queries: Tensor, keys: Tensor, mask: Tensor, **inputs: Any) -> Tree:
    """Attention weights without and with the padding mask."""
    net = _heads(modules, {**inputs, "queries": queries})
    return {
        "without a mask": net.get_attention_weights(queries.clone(), keys.clone()),
        "with the mask": net.get_attention_weights(queries.clone(), keys.clone(), mask.clone()),
    }


def applied(modules: Any, queries: Tensor, keys: Tensor, values: Tensor, route: str, **inputs: Any) -> Tree:
    """The attended values without a mask."""
    net = _heads(modules, {**inputs, "queries": queries})
    if route != "own":
        net.get_attention_weights = stand_ins.Weights()
    if route == "stand-in":
        net.merge_heads = stand_ins.merge
    return {"attended values": net.apply_attention(queries, keys, values)}


def applied_mask(
    modules: Any, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor, noise: Tensor, route: str, **inputs: Any
) -> Tree:
    """The mask that reached the weights; or the attended values before and after a change of what is padding."""
    net = _heads(modules, {**inputs, "queries": queries})
    if route == "stand-in":
        net.get_attention_weights = seen = stand_ins.Weights()
        net.apply_attention(queries, keys, values, mask)
        return {"mask": _plain_mask(seen.seen[-1] if seen.seen else None)}
    change = noise * (mask == 0)[:, None, :, None]
    return {
        "before": net.apply_attention(queries, keys, values, mask),
        "after": net.apply_attention(queries, keys + change, values + change, mask),
        "without a mask": net.apply_attention(queries, keys, values),
        "after, without a mask": net.apply_attention(queries, keys + change, values + change),
    }


def _plain_mask(mask: object) -> Tensor:
    """A mask as (B, T) of zeros and ones in float32, whatever its shape and type; without entries if there is none."""
    if not isinstance(mask, Tensor):
        return torch.zeros(0, 0)
    return (mask.detach() != 0).float().reshape(mask.shape[0], -1)


def attention(modules: Any, x: Tensor, weights: Weights, **inputs: Any) -> Tree:
    """The whole module with the judge's weights in its projections, without a mask."""
    net = _attention(modules, x, inputs)
    bind_projections(modules, [net], [weights])
    return {"outputs": net(x)}


def affine_parts(modules: Any, design: Tensor, other_design: Tensor, route: str, **inputs: Any) -> Tree:
    """What the module hands to `apply_attention` for one design, and what it makes of another as its result.

    No weights are bound: whatever form the projections have, they must be affine, position by position.
    """
    net = _attention(modules, design, inputs)
    _randomise(net)
    net.apply_attention = seen = stand_ins.Attended(other_design)
    if route == "stand-in for both":
        net.split_heads = stand_ins.split(inputs["heads"])
    out = net(design)
    if not seen.queries:
        raise BindingError("forward never called self.apply_attention")
    return {
        "queries": _joined(seen.queries[0]),
        "keys": _joined(seen.keys[0]),
        "values": _joined(seen.values[0]),
        "outputs": out,
    }


def attention_mask(modules: Any, x: Tensor, mask: Tensor, noise: Tensor, route: str, **inputs: Any) -> Tree:
    """The mask that reached `apply_attention`; or the outputs before and after a change of what is padding."""
    net = _attention(modules, x, inputs)
    _randomise(net)
    if route == "stand-in":
        net.apply_attention = seen = stand_ins.Attended(x)
        net.split_heads = stand_ins.split(inputs["heads"])
        net(x, mask)
        return {"mask": _plain_mask(seen.seen[-1] if seen.seen else None)}
    kept = mask[..., None].to(x.dtype)
    changed = x + noise * (1 - kept)
    return {
        "before": net(x, mask) * kept,
        "after": net(changed, mask) * kept,
        "without a mask": net(x) * kept,
        "after, without a mask": net(changed) * kept,
    }


def attention_parameters(modules: Any, x: Tensor, upstream: Tensor, route: str, **inputs: Any) -> Tree:
    """The number of learnable parameters, and those that the output does not depend on."""
    net = _attention(modules, x, inputs)
    _randomise(net)
    _stand_in_attended(net, route, inputs["heads"])
    (net(x) * upstream).sum().backward()
    learnable = [(name, parameter) for name, parameter in net.named_parameters() if parameter.requires_grad]
    return {
        "parameters": sum(parameter.numel() for _, parameter in learnable),
        "unused": ", ".join(name for name, parameter in learnable if parameter.grad is None)[:200],
    }


def attention_slopes(modules: Any, x: Tensor, noise: Tensor, upstream: Tensor, route: str, **inputs: Any) -> Tree:
    """Along one direction each, for the input and every parameter: the slope by autograd and by central difference."""
    net = _attention(modules, x, inputs)
    _randomise(net, std=0.3)  # no softmax is saturated, so that differences are a fair yardstick
    _stand_in_attended(net, route, inputs["heads"])
    x.requires_grad_()
    (net(x.clone()) * upstream).sum().backward()
    leaves = {"inputs": x} | {name: leaf for name, leaf in net.named_parameters() if leaf.requires_grad}
    if not [name for name in leaves if name != "inputs"]:
        raise BindingError("the module has no learnable parameters")
    directions = {name: torch.randn_like(leaf) for name, leaf in leaves.items()} | {"inputs": noise}
    directions = {name: direction / direction.norm() for name, direction in directions.items()}

    def loss() -> float:
        with torch.no_grad():
            return (net(x.detach().clone()).double() * upstream.double()).sum().item()

    numeric, analytic, missing = [], [], []
    for name, leaf in leaves.items():
        numeric.append(_central_difference(loss, leaf, directions[name]))
        analytic.append(0.0 if leaf.grad is None else (leaf.grad * directions[name]).sum().item())
        missing += [name] if leaf.grad is None else []
    slopes = {"numeric": torch.tensor(numeric), "autograd": torch.tensor(analytic)}
    return {**slopes, "without gradient": ", ".join(missing)[:200]}


def _central_difference(loss: Callable[[], float], leaf: Tensor, direction: Tensor, step: float = 1e-2) -> float:
    with torch.no_grad():
        original = leaf.clone()
        leaf.copy_(original + step * direction)
        above = loss()
        leaf.copy_(original - step * direction)
        below = loss()
        leaf.copy_(original)
    return (above - below) / (2 * step)


def _attention(modules: Any, x: Tensor, inputs: Mapping[str, Any]) -> nn.Module:
    return _attention_module(modules["transformer"], inputs["head_size"], inputs["heads"], x.shape[1])


def _stand_in_attended(net: nn.Module, route: str, heads: int) -> None:
    if route != "own":
        net.apply_attention = stand_ins.Attended()
        net.split_heads = stand_ins.split(heads)


def _joined(tensor: Tensor) -> Tensor:
    """(B, m, T, d) → (B, T, m * d), so that positions can be compared one by one."""
    return tensor.transpose(1, 2).flatten(2)


def parameter_formula(modules: Any, heads: int, head_size: int) -> Tree:
    """The student's formula for the number of parameters."""
    return {"parameters": modules["answers"].parameter_count(heads, head_size)}


# --- questions 2.6 and 2.7 ------------------------------------------------------------------------------------


def prenorm(
    modules: Any,
    heads: int,
    x: Tensor,
    weights: Weights,
    attention: Weights,
    matrix: Tensor,
    upstream: Tensor,
    route: str,
    **_: object,
) -> Tree:
    """One pre-norm block without a mask, and the gradient of its input."""
    net = _prenorm(modules, x, weights, heads)
    if route == "own":
        bind_projections(modules, [net.attn], [attention])
    else:
        _replace_in_block(net, weights, matrix)
    x.requires_grad_()
    out = net(x.clone())
    out.backward(upstream)
    return {"outputs": out, "gradients": {"inputs": x.grad}}


def prenorm_mask(
    modules: Any,
    heads: int,
    x: Tensor,
    weights: Weights,
    matrix: Tensor,
    mask: Tensor,
    noise: Tensor,
    route: str,
    **_: object,
) -> Tree:
    """The mask that reached the attention; or the outputs before and after a change of what is padding."""
    net = _prenorm(modules, x, weights, heads)
    if route == "stand-in":
        _replace_in_block(net, weights, matrix)
        net(x, mask)
        return {"mask": _plain_mask(net.attn.seen[-1] if net.attn.seen else None)}
    _randomise(net)
    kept = mask[..., None].to(x.dtype)
    changed = x + noise * (1 - kept)
    return {
        "before": net(x.clone(), mask) * kept,
        "after": net(changed.clone(), mask) * kept,
        "without a mask": net(x.clone()) * kept,
        "after, without a mask": net(changed.clone()) * kept,
    }


def _prenorm(modules: Any, x: Tensor, weights: Weights, heads: int) -> nn.Module:
    kind = modules["transformer"].PreNormAttentionBlock
    size, hidden = x.shape[-1], weights["linear.0.bias"].shape[0]
    length = {"sequence_length": x.shape[1]} if _takes(kind, "sequence_length") else {}
    net = kind(size, hidden, heads, **length, dropout=0.0).eval()
    own = dict(net.named_parameters())
    _write({name: own[name] for name in weights}, weights)
    return net


def _replace_in_block(net: nn.Module, weights: Weights, matrix: Tensor) -> None:
    net.attn = stand_ins.Attention(matrix)
    for name in ("layer_norm_1", "layer_norm_2"):
        setattr(net, name, stand_ins.Norm(weights[f"{name}.weight"], weights[f"{name}.bias"]))


def transformer(
    modules: Any, tokens: Tensor, attentions: Sequence[Weights], upstream: Tensor, route: str, **inputs: Any
) -> Tree:
    """The feature of every sequence without a mask, and gradients of all embeddings and of the head."""
    net = _transformer(modules, tokens, **inputs)
    if route == "own":
        bind_projections(modules, [block.attn for block in net.transformer], attentions)
    else:
        _replace_blocks(net, inputs["matrices"])
    out = net.eval()(tokens)
    out.backward(upstream)
    rows = len(inputs["weights"]["embedding.weight"])
    own = {name: gradient(dict(net.named_parameters())[name]) for name in inputs["weights"]}
    if own["embedding.weight"] is not None:
        own["embedding.weight"] = own["embedding.weight"][:rows]
    return {"features": out, "gradients": own}


def transformer_dropout(modules: Any, tokens: Tensor, **inputs: Any) -> Tree:
    """Features with dropout off, on and total, and those of a network whose embeddings are zero; stand-in blocks."""

    def features(dropout: float, training: bool, blank: bool = False) -> Tensor:
        net = _transformer(modules, tokens, dropout=dropout, **inputs)
        _replace_blocks(net, inputs["matrices"])
        if blank:
            for parameter in (net.embedding.weight, net.cls_token, net.pos_embedding):
                nn.init.zeros_(parameter)
        return net.train(training)(tokens)

    return {
        "without dropout": features(0.0, training=False),
        "evaluation": {"first": features(0.7, training=False), "second": features(0.7, training=False)},
        "training": {"first": features(0.5, training=True), "second": features(0.5, training=True)},
        "all dropped": features(1.0, training=True),
        "zero embedding": features(0.0, training=False, blank=True),
    }


def transformer_mask(
    modules: Any, tokens: Tensor, mask: Tensor, attentions: Sequence[Weights], route: str, **inputs: Any
) -> Tree:
    """The masks that reached stand-in blocks; or the features with own blocks and the judge's weights.

    The mask has a column for the CLS token only when the route says so.
    """
    net = _transformer(modules, tokens, **inputs).eval()
    handed = torch.cat([mask.new_ones(len(mask), 1), mask], dim=1) if "with the CLS column" in route else mask
    if "own blocks" in route:
        bind_projections(modules, [block.attn for block in net.transformer], attentions)
        return {"features": net(tokens, handed)}
    _replace_blocks(net, inputs["matrices"])
    net(tokens, handed)
    return {"masks": [_plain_mask(block.seen[-1]) for block in net.transformer if block.seen]}


def _transformer(
    modules: Any,
    tokens: Tensor,
    heads: int,
    hidden: int,
    kind: str,
    weights: Weights,
    blocks: Sequence[Weights],
    dropout: float = 0.0,
    **_: object,
) -> nn.Module:
    vocabulary, size = weights["embedding.weight"].shape
    build = modules["transformer"].Transformer
    named = {"vocabulary_size": vocabulary} if _takes(build, "vocabulary_size") else {}
    sizes = {"embed_dim": size, "hidden_dim": hidden, "num_heads": heads, "num_layers": len(blocks)}
    net = build(**named, **sizes, block=kind, dropout=dropout)
    own = dict(net.named_parameters())
    with torch.no_grad():
        for name, value in weights.items():
            # Another year's embedding has the full vocabulary; only its first rows are looked up here.
            own[name][: len(value)].copy_(value)
        for index, block in enumerate(blocks):
            for name, value in block.items():
                own[f"transformer.{index}.{name}"].copy_(value)
    return net


def _replace_blocks(net: nn.Module, matrices: Sequence[Tensor]) -> None:
    net.transformer = nn.ModuleList(stand_ins.Block(matrix) for matrix in matrices)
