"""What a training probe finds on `modules` beside the files: its data, its weights, a counter of steps.

The training split comes before the probe runs and the trained weights leave after it, in pieces
(`grader.wire.pieces`), so that neither is limited by the size of a frame.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch

from grader.wire.pieces import Assembly, Piece, batches

T = TypeVar("T")
Report = Callable[[int, dict[str, float]], None]


class BudgetSpent(BaseException):
    """The budget of optimiser steps is used up. Outside `Exception`, so that a student's handler does not stop it."""


@dataclass
class Counter:
    """How many optimiser steps were made."""

    steps: int = 0


class TrainingRoom:
    """The training side of `modules`. Holds tensors only; a worker's memory limit is their cap."""

    def __init__(self) -> None:
        self.device = "cpu"
        self._cache: dict[str, object] = {}
        self.on_progress: Report | None = None
        self._arriving: dict[str, Assembly] = {}
        self._arrived: dict[str, dict[str, torch.Tensor]] = {}
        self._kept: dict[str, dict[str, torch.Tensor]] = {}
        self._leaving: Iterator[list[Piece]] | None = None

    # --- for probes -------------------------------------------------------------------------------------------

    @property
    def given(self) -> Mapping[str, torch.Tensor]:
        """The training split: named tensors that the judge sent before the probe."""
        return self._taken("data")

    def cached(self, name: str, make: Callable[[], T]) -> T:
        """What `make` builds on first use, kept for later probes, such as the model with the given weights."""
        if name not in self._cache:
            self._cache[name] = make()
        return self._cache[name]  # type: ignore[return-value]

    def given_weights(self) -> dict[str, torch.Tensor]:
        """The trained weights under evaluation, as a state_dict: a copy, so that a probe may change it."""
        return {name: tensor.clone() for name, tensor in self._taken("weights").items()}

    def keep_start(self, state: Mapping[str, torch.Tensor]) -> None:
        """Keep a copy of the weights before the first step, so that the judge sees whether training moved them."""
        self._kept["start"] = copied(state)

    def keep(self, state: Mapping[str, torch.Tensor]) -> None:
        """Keep a copy of the trained weights, which the judge fetches after the probe."""
        self._kept["weights"] = copied(state)

    def report(self, step: int, **values: float) -> None:
        """Tell the judge how far a long probe has come, such as `modules.report(3, loss=0.7)`."""
        if self.on_progress is not None:
            self.on_progress(int(step), {name: float(value) for name, value in values.items()})

    @contextlib.contextmanager
    def counting(self, limit: int, every: int = 0) -> Iterator[Counter]:
        """Count optimiser steps and end the block quietly after `limit`, however deep in the student's loop.

        With `every`, the loss of the last `backward` is reported at the first, every `every`-th and the last step.
        """
        # Optimisers are dear to import, and only workers that train have them.
        from torch.optim.optimizer import register_optimizer_step_post_hook

        counter = Counter()
        seen: dict[str, torch.Tensor] = {}  # stays empty when gradients are asked for in another way
        backward: Callable[..., None] = torch.Tensor.backward

        def remember(tensor: torch.Tensor, *arguments: object, **options: object) -> None:
            if tensor.numel() == 1:
                seen["loss"] = tensor.detach()  # read when it is reported: reading waits for a GPU
            backward(tensor, *arguments, **options)

        def count(*_: object) -> None:
            counter.steps += 1
            if every and (counter.steps == 1 or counter.steps % every == 0 or counter.steps == limit):
                self.report(counter.steps, **{name: float(value) for name, value in seen.items()})
            if counter.steps >= limit:
                raise BudgetSpent

        handle = register_optimizer_step_post_hook(count)
        torch.Tensor.backward = remember  # type: ignore[method-assign, assignment]
        try:
            with contextlib.suppress(BudgetSpent):
                yield counter
        finally:
            torch.Tensor.backward = backward  # type: ignore[method-assign]
            handle.remove()

    # --- for the service --------------------------------------------------------------------------------------

    def give(self, place: str, batch: object, last: bool) -> None:
        """Take in one batch of pieces for a place ("data" or "weights")."""
        assembly = self._arriving.setdefault(place, Assembly())
        assembly.add(batch)
        if last:
            self._arrived[place] = self._arriving.pop(place).finished()

    def arrange(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Put weights in place at once, for a probe that runs in the judge; what was built before is dropped."""
        self._arrived["weights"] = dict(weights)
        self._cache = {}

    def take(self, place: str, first: bool) -> list[Piece] | None:
        """The next batch of what a probe kept ("weights" or "start"); None at its end."""
        if first:
            self._leaving = batches(self._kept.get(place, {}))
        return next(self._leaving, None) if self._leaving is not None else None

    def _taken(self, place: str) -> dict[str, torch.Tensor]:
        return self._arrived.get(place, {})


def copied(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors of a state_dict on the CPU, in memory of their own; entries that are no tensors are left out."""
    plain = {name: value.detach() for name, value in state.items() if isinstance(value, torch.Tensor)}
    return {name: value.cpu() if value.device.type != "cpu" else value.clone() for name, value in plain.items()}
