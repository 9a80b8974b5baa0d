"""Building the classes under test in the sizes of a case, and writing the judge's weights into them.

Semesters differ in what their constructors take; the signature decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from grader.calling import takes
from grader.probing import BindingError, layers

Weights = Mapping[str, Tensor]


def encoder_of(
    modules: Any, tokens: Tensor, states: Sequence[Tensor], weights: Weights, dropout: float
) -> tuple[nn.Module, dict[str, nn.Parameter]]:
    """The encoder with its weights written, and its parameters by name."""
    vocabulary, embedding = weights["embedding.weight"].shape
    net = modules["lstm"].Encoder(vocabulary, embedding, states[0].shape[-1], dropout=dropout)
    parameters = {"embedding.weight": net.embedding.weight}
    recurrent = {name: value for name, value in weights.items() if name != "embedding.weight"}
    parameters |= recurrent_parameters(net, recurrent, lambda: net(tokens, tuple(states)))
    write(parameters, weights)
    return net, parameters


def decoder_of(
    modules: Any, x: Tensor, states: Sequence[Tensor], weights: Weights, attn: nn.Module | None
) -> tuple[nn.Module, dict[str, nn.Parameter]]:
    """The decoder with its weights written, and its parameters by name."""
    net = modules["lstm"].DecoderAttn(x.shape[-1], states[0].shape[-1], attn=attn)
    parameters = recurrent_parameters(net, weights, lambda: net(x, tuple(states)))
    write(parameters, weights)
    return net, parameters


def recurrent_parameters(net: nn.Module, wanted: Weights, run: Callable[[], object]) -> dict[str, nn.Parameter]:
    """The parameters of the module's `nn.LSTM` by their names there; two one-way layers serve as two directions."""
    found = [parameter for _, layer in layers(net, nn.LSTM) for parameter in layer.parameters()]
    if [tuple(parameter.shape) for parameter in found] == [tuple(value.shape) for value in wanted.values()]:
        return dict(zip(wanted, found, strict=True))
    run()  # the template's hole shows itself here, before anything is said about a missing layer
    own = "; ".join(f"{name}: {layer}" for name, layer in layers(net, nn.LSTM)) or "no nn.LSTM"
    needed = "two directions" if len(wanted) > 4 else "one direction"
    raise BindingError(f"{type(net).__name__} should hold one nn.LSTM layer of {needed} in self.rnn, it has {own}")


def attention_of(file: Any, head_size: int, heads: int, time: int) -> nn.Module:
    """The student's attention module, in the form of this semester or of the year after (no sequence length)."""
    kind = file.MultiHeadedAttention
    net = kind(head_size, heads, time) if takes(kind, "sequence_length") else kind(head_size, heads)
    return net.eval()


def prenorm_of(modules: Any, x: Tensor, weights: Weights, heads: int) -> nn.Module:
    """The pre-norm block in evaluation mode, all named weights written."""
    kind = modules["transformer"].PreNormAttentionBlock
    size, hidden = x.shape[-1], weights["linear.0.bias"].shape[0]
    length = {"sequence_length": x.shape[1]} if takes(kind, "sequence_length") else {}
    net = kind(size, hidden, heads, **length, dropout=0.0).eval()
    write_named(net, weights)
    return net


def transformer_of(
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
    """The Transformer with all named weights written, the attentions left as they are."""
    vocabulary, size = weights["embedding.weight"].shape
    build = modules["transformer"].Transformer
    named = {"vocabulary_size": vocabulary} if takes(build, "vocabulary_size") else {}
    sizes = {"embed_dim": size, "hidden_dim": hidden, "num_heads": heads, "num_layers": len(blocks)}
    net = build(**named, **sizes, block=kind, dropout=dropout)
    write_named(net, weights)
    for index, block in enumerate(blocks):
        write_named(net, {f"transformer.{index}.{name}": value for name, value in block.items()})
    return net


def write(parameters: Mapping[str, nn.Parameter], weights: Weights) -> None:
    """Write tensors into parameters of the same names."""
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(weights[name])


def write_named(net: nn.Module, weights: Weights) -> None:
    """Write parameters whose names are given to the students. Raises BindingError when one is missing or too small."""
    own = dict(net.named_parameters())
    with torch.no_grad():
        for name, value in weights.items():
            if name not in own or own[name].shape[1:] != value.shape[1:] or len(own[name]) < len(value):
                shapes = ", ".join(f"{name} {tuple(found.shape)}" for name, found in own.items())[:400]
                raise BindingError(
                    f"{type(net).__name__} should have a parameter {name} {tuple(value.shape)}; it has {shapes}"
                )
            # Another year's embedding has the full vocabulary; only its first rows are looked up here.
            own[name][: len(value)].copy_(value)


def randomise(net: nn.Module, std: float = 0.6) -> None:
    """Give every parameter random values, also those that were left uninitialised."""
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.normal_(std=std)


def slopes(net: nn.Module, x: Tensor, direction: Tensor, upstream: Tensor) -> dict[str, object]:
    """The slopes of the weighted output along one direction for the input and each parameter, found in two ways.

    `direction` is that of the input; a parameter's is random. `without gradient` lists what autograd left out.
    """
    x.requires_grad_()
    (net(x.clone()) * upstream).sum().backward()
    leaves = {"inputs": x} | {name: leaf for name, leaf in net.named_parameters() if leaf.requires_grad}
    if len(leaves) == 1:
        raise BindingError(f"{type(net).__name__} has no learnable parameters")

    def loss() -> float:
        return (net(x.detach().clone()).double() * upstream.double()).sum().item()

    numeric, analytic, missing = [], [], []
    for name, leaf in leaves.items():
        along = direction if name == "inputs" else torch.randn_like(leaf)
        along = along / along.norm()
        numeric.append(central_difference(loss, leaf, along))
        analytic.append(0.0 if leaf.grad is None else (leaf.grad * along).sum().item())
        missing += [name] if leaf.grad is None else []
    found = {"numeric": torch.tensor(numeric), "autograd": torch.tensor(analytic)}
    return {**found, "without gradient": ", ".join(missing)[:200]}


@torch.no_grad()
def central_difference(loss: Callable[[], float], leaf: Tensor, along: Tensor, step: float = 1e-2) -> float:
    """The slope of `loss` when `leaf` moves along a unit direction; the leaf is as before afterwards."""
    original = leaf.clone()
    leaf.copy_(original + step * along)
    above = loss()
    leaf.copy_(original - step * along)
    below = loss()
    leaf.copy_(original)
    return (above - below) / (2 * step)
