"""Training probes for a model that is a plain module: fitted to what the judge sent, asked about what it holds back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

T = TypeVar("T")
SHOWN = 16  # rows whose answers show whether the weights are all that was learnt
WARM = 0.05  # of the steps, in which the rate rises


class Room(Protocol):
    """The part of `modules` that training needs."""

    device: str

    @property
    def given(self) -> Mapping[str, Tensor]: ...
    def given_weights(self) -> dict[str, Tensor]: ...
    def cached(self, name: str, make: Callable[[], T]) -> T: ...
    def keep_start(self, state: Mapping[str, Tensor]) -> None: ...
    def keep(self, state: Mapping[str, Tensor]) -> None: ...
    def report(self, step: int, **values: float) -> None: ...


def fitted(modules: Room, net: nn.Module, *, steps: int, batch: int, rate: float) -> dict[str, object]:
    """Fit a classifier of rows, or of positions, by Adam and cross-entropy, from `inputs` and `labels`.

    The rate rises over the first steps and falls along half a cosine. Returns `inputs` that it was trained on and its
    `logits` for them, in evaluation: a model of which the weights are all answers so in another process as well.
    """
    inputs, labels = modules.given["inputs"], modules.given["labels"]
    net = net.to(modules.device)
    modules.keep_start(net.state_dict())
    net.train()
    optimiser = torch.optim.Adam(net.parameters(), lr=rate)
    for step in range(1, steps + 1):
        share = step / steps
        for group in optimiser.param_groups:
            group["lr"] = rate * min(share / WARM, 0.5 * (1 + math.cos(math.pi * share)) + 0.01)
        rows = torch.randint(len(inputs), (batch,))
        logits = net(_ready(inputs[rows]).to(modules.device))
        loss = functional.cross_entropy(logits.flatten(0, -2), labels[rows].flatten().to(modules.device))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        if step == 1 or step == steps or step % max(1, steps // 40) == 0:
            modules.report(step, loss=loss.item())
    net.eval()
    modules.keep(net.state_dict())
    with torch.no_grad():
        shown = inputs[:SHOWN].contiguous()
        return {"inputs": shown, "logits": net(_ready(shown).to(modules.device)).cpu()}


def predicted(modules: Room, make: Callable[[], nn.Module], inputs: Tensor) -> dict[str, object]:
    """The logits of the trained model."""

    def build() -> nn.Module:
        net = make()
        net.load_state_dict(modules.given_weights())
        return net.to(modules.device).eval()

    net = modules.cached("model", build)
    with torch.no_grad():
        return {"logits": net(_ready(inputs).to(modules.device)).cpu()}


def _ready(inputs: Tensor) -> Tensor:
    """Pictures as floats from 0 to 1; words as they are."""
    return inputs.float() / 255 if inputs.dtype == torch.uint8 else inputs
