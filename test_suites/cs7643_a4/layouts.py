"""The ways in which students lay out weights whose names the handout leaves free: candidates for binding.

Roles are oriented as in the handout: `x @ W`, so input weights are (input, hidden). Declared order comes first.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from grader.probing import BindingError, Candidate, Slot, layers, parameters

GATES = "ifgo"
ORDERS = ["ifgo", "ifog", "figo", "fiog", "fgio", "gifo"]
ORDERS += [order for order in map("".join, itertools.permutations(GATES)) if order not in ORDERS]


@dataclass(frozen=True)
class Grid:
    """A slot whose parameter holds all four gates side by side, each gate made of several roles.

    `inner` says how a gate is made: the "sum" of its roles, or the roles below each other ("cat0"). `transposed` as
    for `Slot`. One-dimensional for biases, (rows, 4 * hidden) for weights.
    """

    parameter: nn.Parameter
    gates: tuple[tuple[str, ...], ...]
    inner: str = "sum"
    transposed: bool = False

    def write(self, values: Mapping[str, Tensor]) -> None:
        """Write the roles' values into the parameter."""
        made = [self._gate([values[role] for role in roles]) for roles in self.gates]
        value = torch.cat(made, dim=-1)
        with torch.no_grad():
            self.parameter.copy_(value.t() if self.transposed else value)

    def _gate(self, tensors: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(tensors)) if self.inner == "cat0" else sum(tensors[1:], tensors[0])

    def read_gradients(self, values: Mapping[str, Tensor]) -> dict[str, Tensor | None]:
        """The gradient of each role, or None for all when the parameter received none."""
        gradient = self.parameter.grad
        if gradient is None:
            return {role: None for roles in self.gates for role in roles}
        gradient = gradient.t() if self.transposed else gradient
        found: dict[str, Tensor | None] = {}
        for roles, piece in zip(self.gates, gradient.chunk(len(self.gates), dim=-1), strict=True):
            parts = piece.split([len(values[role]) for role in roles]) if self.inner == "cat0" else [piece] * len(roles)
            found.update((role, part.clone()) for role, part in zip(roles, parts, strict=True))
        return found


# --- VanillaRNN ----------------------------------------------------------------------------------------------------


def step_candidates(net: nn.Module, part: str, inputs: int, hidden: int, size: int) -> list[Candidate]:
    """Where the layer `part` ("hidden" or "output") of `size` units may be: roles part_x, part_h, part_b1, part_b2.

    One linear layer over input and state, in either order; one for each; or bare parameters.
    """
    x, h, both_biases = f"{part}_x", f"{part}_h", (f"{part}_b1", f"{part}_b2")
    found = []
    for name, layer in _linears(net, size, inputs + hidden):
        for first, second in ((x, h), (h, x)):
            slots = [Slot(layer.weight, (first, second), "cat0", transposed=True), *_bias(layer, both_biases)]
            found.append(Candidate(f"{name} reads {first}, then {second}", tuple(slots)))
    for (name, of_input), (other, of_state) in itertools.product(
        _linears(net, size, inputs), _linears(net, size, hidden)
    ):
        slots = [Slot(of_input.weight, (x,), transposed=True), Slot(of_state.weight, (h,), transposed=True)]
        found.append(Candidate(f"{name} and {other}", tuple(slots + _two_biases(of_input, of_state, both_biases))))
    found.extend(_bare_step(net, (x, h), both_biases, (inputs, hidden, size)))
    if not found:
        raise BindingError(
            f"{type(net).__name__} has no linear layer from input and hidden state ({inputs} + {hidden} features) to "
            f"{size} features for the {part}. Are all layers assigned to self in __init__?"
        )
    return found


def _bare_step(
    net: nn.Module, weights: tuple[str, str], biases: tuple[str, str], sizes: tuple[int, int, int]
) -> list[Candidate]:
    inputs, hidden, size = sizes
    bare = [parameter for _, parameter in parameters(net, (size,))]
    slots = [Slot(bare[0], biases)] if len(bare) == 1 else [Slot(p, (b,)) for p, b in zip(bare, biases, strict=False)]
    found = [
        Candidate(f"{name}, one parameter", (Slot(joint, weights, "cat0"), *slots))
        for name, joint in parameters(net, (inputs + hidden, size))
    ]
    for (name, first), (other, second) in itertools.product(
        parameters(net, (inputs, size)), parameters(net, (hidden, size))
    ):
        pair = (Slot(first, weights[:1]), Slot(second, weights[1:]))
        found.append(Candidate(f"{name} and {other}", (*pair, *slots)))
    return found


def _linears(net: nn.Module, rows: int, columns: int) -> list[tuple[str, nn.Linear]]:
    return [
        (name, layer)
        for name, layer in layers(net, nn.Linear)
        if isinstance(layer, nn.Linear) and tuple(layer.weight.shape) == (rows, columns)
    ]


def _bias(layer: nn.Linear, roles: tuple[str, ...]) -> list[Slot]:
    return [] if layer.bias is None else [Slot(layer.bias, roles)]


def _two_biases(first: nn.Linear, second: nn.Linear, roles: tuple[str, str]) -> list[Slot]:
    if first.bias is None or second.bias is None:
        return _bias(first if second.bias is None else second, roles)
    return [Slot(first.bias, roles[:1]), Slot(second.bias, roles[1:])]


# --- LSTM ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """What `see` shows of a parameter: one gate of four that lie on each other, or a row as a vector.

    It is written, and its gradient read, as if it were a parameter.
    """

    parameter: nn.Parameter
    see: Callable[[Tensor], Tensor]

    @property
    def shape(self) -> torch.Size:
        """Of what is seen."""
        return self.see(self.parameter).shape

    @property
    def grad(self) -> Tensor | None:
        """The gradient of what is seen."""
        return None if self.parameter.grad is None else self.see(self.parameter.grad)

    def copy_(self, value: Tensor) -> None:
        """Write what is seen."""
        self.see(self.parameter.detach()).copy_(value)


AnySlot = Slot | Grid
Found = nn.Parameter | Part
Layout = tuple[str, Callable[[str], list[AnySlot]]]


def lstm_candidates(net: nn.Module, inputs: int, hidden: int) -> list[Candidate]:
    """Where the gates' weights may be: roles w_g (inputs, hidden), u_g (hidden, hidden), bw_g, bu_g (hidden,).

    Four parameters of each shape, in any order of the gates; input and hidden weight below each other; all gates side
    by side, or on each other; each of these as bare parameters or inside linear layers; one bias per gate or two, each
    a vector or one row.
    """
    own = _parts(net)
    weights = _gate_weights(own, inputs, hidden, False) or _gate_weights(own, inputs, hidden, True)
    biases = _gate_biases(own, hidden)
    if weights is None or not biases:
        shapes = ", ".join(f"{name} {tuple(parameter.shape)}" for name, parameter in net.named_parameters())
        raise BindingError(
            f"LSTM needs for each of its four gates an input weight {(inputs, hidden)}, a hidden weight "
            f"{(hidden, hidden)} and biases {(hidden,)}; it has {shapes[:600] or 'no parameters'}"
        )
    first, *others = biases
    tried = [(order, first) for order in ORDERS] + [(order, other) for other in others for order in ORDERS[:8]]
    return [
        Candidate(
            f"{weights[0]}; gates in the order {' '.join(order)}; {biases[0]}",
            (*weights[1](order), *biases[1](order)),
        )
        for order, biases in tried
    ]


def _parts(net: nn.Module) -> list[Found]:
    """The parameters, those with a row alone as vectors; where gates lie on each other, gate by gate."""
    found: list[Found] = []
    stacked = any(parameter.dim() == 3 and len(parameter) == 4 for parameter in net.parameters())
    for parameter in net.parameters():
        if stacked and len(parameter) == 4:
            found.extend(Part(parameter, lambda whole, gate=gate: whole[gate].squeeze()) for gate in range(4))
        else:
            found.append(Part(parameter, torch.squeeze) if 1 in parameter.shape else parameter)
    return found


def _gate_weights(own: Sequence[Found], inputs: int, hidden: int, transposed: bool) -> Layout | None:
    """The layout that the parameters' shapes show, or None."""

    def of(rows: int, columns: int) -> list[Found]:
        shape = (columns, rows) if transposed else (rows, columns)
        return [part for part in own if tuple(part.shape) == shape]

    style = "transposed weights" if transposed else "weights"
    w, u, joint = of(inputs, hidden), of(hidden, hidden), of(inputs + hidden, hidden)
    if len(w) >= 4 and len(u) >= 4:
        return (
            f"{style} per gate",
            lambda order: _one_each(order, w, "w_", transposed) + _one_each(order, u, "u_", transposed),
        )
    if len(joint) >= 4:
        return f"{style} per gate over input and state", lambda order: [
            Slot(parameter, (f"w_{gate}", f"u_{gate}"), "cat0", transposed)
            for gate, parameter in zip(order, joint, strict=False)
        ]
    w, u, joint = of(inputs, 4 * hidden), of(hidden, 4 * hidden), of(inputs + hidden, 4 * hidden)
    if w and u:
        return f"{style} side by side", lambda order: [
            Slot(parameter, tuple(role + gate for gate in order), "cat1", transposed)
            for role, parameter in (("w_", w[0]), ("u_", u[0]))
        ]
    if joint:
        return f"{style} side by side over input and state", lambda order: [
            Grid(joint[0], tuple((f"w_{gate}", f"u_{gate}") for gate in order), "cat0", transposed)
        ]
    return None


def _one_each(order: str, found: Sequence[Found], role: str, transposed: bool = False) -> list[AnySlot]:
    return [Slot(parameter, (role + gate,), "sum", transposed) for gate, parameter in zip(order, found, strict=False)]


def _gate_biases(own: Sequence[Found], hidden: int) -> list[Layout]:
    """The layouts that the biases may have, none where there are too few."""
    each, wide = ([part for part in own if tuple(part.shape) == (size,)] for size in (hidden, 4 * hidden))
    if len(wide) >= 2:
        return [("two biases side by side", lambda order: [
            Slot(parameter, tuple(role + gate for gate in order), "cat0")
            for role, parameter in zip(("bw_", "bu_"), wide, strict=False)
        ])]  # fmt: skip
    if wide:
        return [("one bias side by side", lambda order: [Grid(wide[0], tuple((f"bw_{g}", f"bu_{g}") for g in order))])]
    if len(each) >= 8:
        return [
            (name, lambda order, of_input=of_input, of_state=of_state: [
                *_one_each(order, of_input, "bw_"), *_one_each(order, of_state, "bu_")
            ])
            for name, of_input, of_state in (
                ("two biases per gate", each[::2], each[1::2]),
                ("input biases first", each[:4], each[4:]),
            )
        ]  # fmt: skip
    return [] if len(each) < 4 else [("one bias per gate", lambda order: [
        Slot(parameter, (f"bw_{gate}", f"bu_{gate}")) for gate, parameter in zip(order, each, strict=False)
    ])]  # fmt: skip


# --- the context layer of later semesters ----------------------------------------------------------------------------


def context_candidates(net: nn.Module, hidden: int, embedding: int) -> list[Candidate]:
    """Where the layer over context and embedding may be: roles mix_context, mix_embedded and mix_bias."""
    found = []
    for name, layer in _linears(net, embedding, hidden + embedding):
        for roles in (("mix_context", "mix_embedded"), ("mix_embedded", "mix_context")):
            slots = (Slot(layer.weight, roles, "cat0", transposed=True), *_bias(layer, ("mix_bias",)))
            found.append(Candidate(f"{name} reads {roles[0]}, then {roles[1]}", slots))
    if not found:
        had = ", ".join(f"{name} ({own.in_features} to {own.out_features})" for name, own in layers(net, nn.Linear))
        raise BindingError(
            "Decoder with attention needs a linear layer from encoder_hidden_size + emb_size features to emb_size "
            f"features, because the recurrent layer reads its result: here {hidden} + {embedding} to {embedding}; "
            f"it has {had or 'no linear layers'}"
        )
    return found
