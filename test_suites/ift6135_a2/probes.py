"""The probes: each runs one small piece of work on the student's classes and on the reference's.

`modules["lstm"]` and `modules["transformer"]` are the two files. Where a part calls another one, `route` says whose
is used: "own", or a stand-in that is put on the instance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import stand_ins
import torch
import yardstick
from building import (
    Weights,
    attention_of,
    decoder_of,
    encoder_of,
    prenorm_of,
    randomise,
    slopes,
    transformer_of,
    write,
)
from projections import bind_projections
from readings import around_padding, back, dropout_table, plain_mask, shapes_of, side_by_side, states_of
from torch import Tensor, nn

from grader.probing import BindingError, bind_names, gradient

Tree = dict[str, object]

# --- question 1.1 ---------------------------------------------------------------------------------------------


def lstm(modules: Any, **inputs: Any) -> Tree:
    """Outputs from zero states, and the gradients of the inputs and of all sixteen parameters."""
    return _lstm(modules, modules["lstm"].LSTM, **inputs)


def torch_lstm(modules: Any, **inputs: Any) -> Tree:
    """What `lstm` should give: `nn.LSTM` itself, run on the reference's side only."""
    return _lstm(modules, yardstick.LSTM, **inputs)


def lstm_states(modules: Any, **inputs: Any) -> Tree:
    """The states after the last step from random first ones, and the gradients that reach the first ones."""
    return _lstm_states(modules, modules["lstm"].LSTM, **inputs)


def torch_lstm_states(modules: Any, **inputs: Any) -> Tree:
    """What `lstm_states` should give, by `nn.LSTM`."""
    return _lstm_states(modules, yardstick.LSTM, **inputs)


def _lstm(
    modules: Any, kind: Any, x: Tensor, states: Sequence[Tensor], weights: Weights, upstream: Tensor, **_: object
) -> Tree:
    net = kind(x.shape[-1], states[0].shape[-1])
    bound = bind_names(modules, net, weights)
    x.requires_grad_()
    out, _ = net(x.clone(), tuple(torch.zeros_like(state) for state in states))
    (out * upstream).sum().backward()
    return {"outputs": out, "gradients": {"inputs": x.grad, **bound.gradients()}}


def _lstm_states(modules: Any, kind: Any, x: Tensor, states: Sequence[Tensor], weights: Weights, **inputs: Any) -> Tree:
    net = kind(x.shape[-1], states[0].shape[-1])
    bind_names(modules, net, weights)
    first = [state.requires_grad_() for state in states]
    _, last = net(x, tuple(state.clone() for state in first))
    # Flat, so that states of a wrong shape are told by their shape and not by an error of the backward pass.
    loss = sum(
        state.reshape(-1) @ grown.reshape(-1) for state, grown in zip(last, inputs["upstream_states"], strict=True)
    )
    loss.backward()
    reached = {"first hidden state": gradient(first[0]), "first cell state": gradient(first[1])}
    return states_of(last) | {"gradients": reached}


# --- questions 1.2 and 1.3 ------------------------------------------------------------------------------------


def encoder(
    modules: Any, tokens: Tensor, states: Sequence[Tensor], weights: Weights, upstream: Tensor, **_: object
) -> Tree:
    """Features from zero states without dropout, and the gradients of the embedding and of the `nn.LSTM`."""
    zeros = [torch.zeros_like(state) for state in states]
    net, parameters = encoder_of(modules, tokens, zeros, weights, dropout=0.0)
    out, _ = net.eval()(tokens, tuple(zeros))
    (out * upstream).sum().backward()
    return {"outputs": out, "gradients": {name: gradient(parameter) for name, parameter in parameters.items()}}


def encoder_states(modules: Any, tokens: Tensor, states: Sequence[Tensor], weights: Weights, **_: object) -> Tree:
    """The last states of both directions from random first ones."""
    net, _ = encoder_of(modules, tokens, states, weights, dropout=0.0)
    _, last = net.eval()(tokens, tuple(states))
    return states_of(last)


def encoder_dropout(modules: Any, tokens: Tensor, states: Sequence[Tensor], weights: Weights, **_: object) -> Tree:
    """Features with dropout off, on and total, and those of an encoder whose embedding is zero."""
    zeros = [torch.zeros_like(state) for state in states]
    blanked = {**weights, "embedding.weight": torch.zeros_like(weights["embedding.weight"])}

    def features(rate: float, training: bool, blank: bool = False) -> Tensor:
        net, _ = encoder_of(modules, tokens, zeros, blanked if blank else weights, rate)
        return net.train(training)(tokens, tuple(zeros))[0]

    return dropout_table(features)


def decoder(
    modules: Any, x: Tensor, states: Sequence[Tensor], upstream: Tensor, mask: Tensor, matrix: Tensor, **inputs: Any
) -> Tree:
    """Features from zero states, and gradients; with attention, a stand-in is the module given to the constructor.

    Options: `attention`; `pass_mask`, hand the padding mask to the decoder; `premasked`, blank the padded features.
    """
    zeros = [torch.zeros_like(state) for state in states]
    attn = stand_ins.Attention(matrix) if inputs.get("attention") else None
    net, parameters = decoder_of(modules, x, zeros, inputs["weights"], attn)
    x.requires_grad_()
    features = x * mask[..., None] if inputs.get("premasked") else x.clone()
    out, _ = net(features, tuple(zeros), mask) if inputs.get("pass_mask") else net(features, tuple(zeros))
    (out * upstream).sum().backward()
    found = {name: gradient(parameter) for name, parameter in parameters.items()}
    if attn is not None:
        found["the attention's weight"] = gradient(attn.matrix)
    return {"outputs": out, "gradients": {"inputs": x.grad, **found}}


def decoder_states(modules: Any, x: Tensor, states: Sequence[Tensor], weights: Weights, **_: object) -> Tree:
    """The last states from random first ones, without attention."""
    net, _ = decoder_of(modules, x, states, weights, None)
    _, last = net(x, tuple(states))
    return states_of(last)


def together(modules: Any, tokens: Tensor, mask: Tensor, hidden: int, **inputs: Any) -> Tree:
    """Shapes of what the joined network returns, with and without a mask."""
    attn = attention_of(modules["transformer"], 2 * hidden, 1, tokens.shape[1]) if inputs["attention"] else None
    if attn is not None:
        randomise(attn)
    sizes = (inputs["vocabulary"], inputs["embedding"], hidden)
    net = modules["lstm"].EncoderDecoder(*sizes, encoder_only=inputs["encoder_only"], attn=attn).eval()
    return {"without a mask": shapes_of(*net(tokens)), "with a mask": shapes_of(*net(tokens, mask))}


# --- question 2.1 ---------------------------------------------------------------------------------------------


def layer_norm(modules: Any, x: Tensor, eps: float, weight: Tensor, bias: Tensor, upstream: Tensor) -> Tree:
    """The plain normalisation with the gradient of its input; the scaled one with those of weight and bias."""
    net = modules["transformer"].LayerNorm(x.shape[-1], eps)
    write({"weight": net.weight, "bias": net.bias}, {"weight": torch.ones_like(weight), "bias": torch.zeros_like(bias)})
    x.requires_grad_()
    plain = net(x.clone())
    (plain * upstream).sum().backward()
    write({"weight": net.weight, "bias": net.bias}, {"weight": weight, "bias": bias})
    net.zero_grad()
    scaled = net(x.detach())
    (scaled * upstream).sum().backward()
    return {
        "plain": plain,
        "gradients": {"inputs": x.grad},
        "scaled": scaled,
        "affine gradients": {"weight": gradient(net.weight), "bias": gradient(net.bias)},
    }


# --- questions 2.2 to 2.5 -------------------------------------------------------------------------------------


def _heads(modules: Any, inputs: Mapping[str, Any]) -> nn.Module:
    return attention_of(modules["transformer"], inputs["head_size"], inputs["heads"], inputs["queries"].shape[2])


def split_heads(modules: Any, joined: Tensor, **inputs: Any) -> Tree:
    """A tensor with heads of any width, taken apart, and the gradient of the tensor."""
    joined.requires_grad_()
    out = _heads(modules, inputs).split_heads(joined.clone())
    back(out, inputs["apart"])
    return {"heads apart": out, "gradients": {"tensor": joined.grad}}


def merge_heads(modules: Any, apart: Tensor, **inputs: Any) -> Tree:
    """A tensor with heads of any width, put together, and the gradient of the tensor."""
    apart.requires_grad_()
    out = _heads(modules, inputs).merge_heads(apart.clone())
    back(out, inputs["joined"])
    return {"heads joined": out, "gradients": {"tensor": apart.grad}}


def there_and_back(modules: Any, joined: Tensor, apart: Tensor, **inputs: Any) -> Tree:
    """Both functions after each other, in both orders."""
    net = _heads(modules, inputs)
    return {
        "shape apart": list(net.split_heads(joined).shape),
        "merge_heads(split_heads(x))": net.merge_heads(net.split_heads(joined)),
        "split_heads(merge_heads(y))": net.split_heads(net.merge_heads(apart)),
    }


def attention_weights(
    modules: Any, queries: Tensor, keys: Tensor, mask: Tensor, upstream: Tensor, **inputs: Any
) -> Tree:
    """Attention weights without a mask, with gradients."""
    net = _heads(modules, {**inputs, "queries": queries})
    queries.requires_grad_()
    keys.requires_grad_()
    found = net.get_attention_weights(queries.clone(), keys.clone())
    (found * upstream).sum().backward()
    return {"weights": found, "gradients": {"queries": queries.grad, "keys": keys.grad}}


def masked_weights(modules: Any, queries: Tensor, keys: Tensor, mask: Tensor, upstream: Tensor, **inputs: Any) -> Tree:
    """Attention weights with the padding mask, and those without it restricted to what is kept; gradients of both.

    A softmax over fewer scores is the full softmax, restricted and divided by its sum: true for any scale of scores.
    """
    net = _heads(modules, {**inputs, "queries": queries})

    def found(restrict: bool) -> Tree:
        leaves = {name: leaf.clone().requires_grad_() for name, leaf in (("queries", queries), ("keys", keys))}
        given = [leaf.clone() for leaf in leaves.values()]
        weights = net.get_attention_weights(*given) if restrict else net.get_attention_weights(*given, mask.clone())
        if restrict and weights.shape == upstream.shape:
            kept = weights * mask[:, None, None, :]
            weights = kept / kept.sum(-1, keepdim=True)
        back(weights, upstream)
        zero = torch.zeros_like(queries)
        return {"weights": weights, **{name: zero if leaf.grad is None else leaf.grad for name, leaf in leaves.items()}}

    return {"with the mask": found(restrict=False), "restricted": found(restrict=True)}


def applied(modules: Any, queries: Tensor, keys: Tensor, values: Tensor, route: str, **inputs: Any) -> Tree:
    """The attended values without a mask, and the gradients of queries, keys and values."""
    net = _heads(modules, {**inputs, "queries": queries})
    if route != "own":
        net.get_attention_weights = stand_ins.Weights()
    if route == "stand-in":
        net.merge_heads = stand_ins.merge
    leaves = {"queries": queries, "keys": keys, "values": values}
    out = net.apply_attention(*(leaf.requires_grad_().clone() for leaf in leaves.values()))
    back(out, side_by_side(inputs["noise"]))
    return {"attended values": out, "gradients": {name: leaf.grad for name, leaf in leaves.items()}}


def applied_mask(
    modules: Any, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor, noise: Tensor, route: str, **inputs: Any
) -> Tree:
    """The mask that reached the weights; or the attended values before and after a change of what is padding.

    Besides, of whatever layout: what the sizes of what is attended add up to; or its mean where all values are one
    number.
    """
    net = _heads(modules, {**inputs, "queries": queries})
    if route == "stand-in":
        net.get_attention_weights = seen = stand_ins.Weights()
        attended = net.apply_attention(queries, keys, values, mask)
        return {"mask": plain_mask(seen.seen), "sum": attended.abs().sum()}
    change = noise * (mask == 0)[:, None, :, None]
    level = torch.full_like(values, float(values.mean()))
    return {"even": net.apply_attention(queries, keys, level, mask).mean()} | around_padding(
        lambda by, *with_mask: net.apply_attention(queries, keys + by, values + by, *with_mask),
        change,
        mask,
        torch.ones(()),
    )


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
    randomise(net)
    net.apply_attention = seen = stand_ins.Attended(other_design)
    if route == "stand-in for both":
        net.split_heads = stand_ins.split(inputs["heads"])
    out = net(design)
    if not seen.queries:
        raise BindingError("forward never called self.apply_attention")
    return {
        "queries": side_by_side(seen.queries[0]),
        "keys": side_by_side(seen.keys[0]),
        "values": side_by_side(seen.values[0]),
        "outputs": out,
    }


def attention_mask(modules: Any, x: Tensor, mask: Tensor, noise: Tensor, route: str, **inputs: Any) -> Tree:
    """The mask that reached `apply_attention`; or the outputs before and after a change of what is padding."""
    net = _attention(modules, x, inputs)
    randomise(net)
    if route == "stand-in":
        net.apply_attention = seen = stand_ins.Attended(x)
        net.split_heads = stand_ins.split(inputs["heads"])
        net(x, mask)
        return {"mask": plain_mask(seen.seen)}
    kept = mask[..., None].to(x.dtype)
    return around_padding(lambda by, *with_mask: net(x + by, *with_mask), noise * (1 - kept), mask, kept)


def attention_parameters(modules: Any, x: Tensor, upstream: Tensor, route: str, **inputs: Any) -> Tree:
    """The number of learnable parameters, and those that the output does not depend on."""
    net = _attention(modules, x, inputs)
    randomise(net)
    stand_ins.in_attention(net, route, inputs["heads"])
    (net(x) * upstream).sum().backward()
    learnable = [(name, parameter) for name, parameter in net.named_parameters() if parameter.requires_grad]
    unused = {place: name for place, (name, parameter) in enumerate(learnable) if parameter.grad is None}
    return {
        "parameters": sum(parameter.numel() for _, parameter in learnable),
        "unused": " ".join(map(str, unused))[:200],  # places: names are free, and a mistake has them elsewhere
        "_names": ", ".join(unused.values())[:200],
    }


def attention_slopes(modules: Any, x: Tensor, noise: Tensor, upstream: Tensor, route: str, **inputs: Any) -> Tree:
    """Along one direction each, for the input and every parameter: the slope by autograd and by central difference."""
    net = _attention(modules, x, inputs)
    randomise(net, std=0.3)  # no softmax is saturated, so that differences are a fair yardstick
    stand_ins.in_attention(net, route, inputs["heads"])
    return slopes(net, x, noise, upstream)


def _attention(modules: Any, x: Tensor, inputs: Mapping[str, Any]) -> nn.Module:
    return attention_of(modules["transformer"], inputs["head_size"], inputs["heads"], x.shape[1])


def parameter_formula(modules: Any, heads: int, head_size: int) -> Tree:
    """The student's formula for the number of parameters."""
    return {"parameters": modules["answers"].parameter_count(heads, head_size)}


# --- questions 2.6 and 2.7 ------------------------------------------------------------------------------------


def prenorm(modules: Any, x: Tensor, weights: Weights, upstream: Tensor, route: str, **inputs: Any) -> Tree:
    """One pre-norm block without a mask, and the gradient of its input."""
    net = prenorm_of(modules, x, weights, inputs["heads"])
    if route == "own":
        bind_projections(modules, [net.attn], [inputs["attention"]])
    else:
        stand_ins.in_block(net, weights, inputs["matrix"])
    x.requires_grad_()
    out = net(x.clone())
    (out * upstream).sum().backward()
    return {"outputs": out, "gradients": {"inputs": x.grad}}


def prenorm_mask(modules: Any, x: Tensor, weights: Weights, mask: Tensor, route: str, **inputs: Any) -> Tree:
    """The mask that reached the attention; or the outputs before and after a change of what is padding."""
    net = prenorm_of(modules, x, weights, inputs["heads"])
    if route == "stand-in":
        stand_ins.in_block(net, weights, inputs["matrix"])
        net(x, mask)
        return {"mask": plain_mask(net.attn.seen)}
    randomise(net)
    kept = mask[..., None].to(x.dtype)
    return around_padding(lambda by, *with_mask: net(x + by, *with_mask), inputs["noise"] * (1 - kept), mask, kept)


def transformer(
    modules: Any, tokens: Tensor, attentions: Sequence[Weights], upstream: Tensor, route: str, **inputs: Any
) -> Tree:
    """The feature of every sequence without a mask, and gradients of all embeddings and of the head."""
    net = transformer_of(modules, tokens, **inputs)
    if route == "own":
        bind_projections(modules, [block.attn for block in net.transformer], attentions)
    else:
        stand_ins.in_transformer(net, inputs["matrices"])
    out = net.eval()(tokens)
    (out * upstream).sum().backward()
    rows = len(inputs["weights"]["embedding.weight"])
    own = {name: gradient(dict(net.named_parameters())[name]) for name in inputs["weights"]}
    if own["embedding.weight"] is not None:
        own["embedding.weight"] = own["embedding.weight"][:rows]
    return {"features": out, "gradients": own}


def with_or_without_mask(net: nn.Module, tokens: Tensor) -> Tensor:
    """The features; of a network that cannot do without its mask, which is `transformer.forward`'s affair, with one."""
    try:
        return net(tokens)
    except (TypeError, AttributeError):
        return net(tokens, torch.ones_like(tokens))


def transformer_dropout(modules: Any, tokens: Tensor, **inputs: Any) -> Tree:
    """Features with dropout off, on and total, and those of a network whose embeddings are zero; stand-in blocks."""

    def features(rate: float, training: bool, blank: bool = False) -> Tensor:
        net = transformer_of(modules, tokens, dropout=rate, **inputs)
        stand_ins.in_transformer(net, inputs["matrices"])
        if blank:
            for parameter in (net.embedding.weight, net.cls_token, net.pos_embedding):
                nn.init.zeros_(parameter)
        return with_or_without_mask(net.train(training), tokens)

    return dropout_table(features)


def transformer_mask(
    modules: Any, tokens: Tensor, mask: Tensor, attentions: Sequence[Weights], route: str, **inputs: Any
) -> Tree:
    """The masks that reached stand-in blocks; or the features with own blocks and the judge's weights.

    The mask has a column for the CLS token only when the route says so.
    """
    net = transformer_of(modules, tokens, **inputs).eval()
    handed = torch.cat([mask.new_ones(len(mask), 1), mask], dim=1) if "with the CLS column" in route else mask
    if "own blocks" in route:
        bind_projections(modules, [block.attn for block in net.transformer], attentions)
        return {"features": net(tokens, handed)}
    stand_ins.in_transformer(net, inputs["matrices"])
    net(tokens, handed)
    return {"masks": [plain_mask(block.seen) for block in net.transformer if block.seen]}
