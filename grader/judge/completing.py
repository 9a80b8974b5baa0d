"""What a recording gains before it goes where no reference is: values of all known mistakes, and marks of chance.

A call depends on chance when the reference answers otherwise under other random streams. Such a call is worth something
only on a machine with the same streams.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy
import torch

from grader.errors import GraderError
from grader.judge.calls import Call, Key
from grader.judge.sides import ReferenceSide
from grader.judge.stock import Stock
from grader.judge.submissions import Trial
from grader.wire.frames import encode

SHIFT = 7919


class _Shifted(torch.Generator):
    """A probe's own generator, with another stream than it asks for."""

    def manual_seed(self, seed: int) -> torch.Generator:
        return super().manual_seed(seed + SHIFT)


def complete(trial: Trial, stock: Stock) -> None:
    """Compute and keep everything. Raises GraderError when there is nothing to complete, OSError."""
    if stock.folder is None or not trial.reference.is_here:
        raise GraderError("; ".join(stock.notes) or "no recording is kept in this run, or the reference is not here")
    for mistake in trial.variants.mistakes:
        for item in set(mistake.fails) & set(trial.records):
            for key in trial.records[item].keys:
                trial.variants.values(mistake, trial.book.calls[key])
    calls = [trial.book.calls[Key(call.probe, call.case, call.options)] for call in stock.calls]
    stock.mark([number for number, call in enumerate(calls) if depends_on_chance(trial.reference, call)])


def depends_on_chance(reference: ReferenceSide, call: Call) -> bool:
    """Whether the answer is another one under other random streams."""
    with _other_streams():
        again = encode(reference.compute(call, shift=SHIFT))
    return again != call.answer


@contextmanager
def _other_streams() -> Iterator[None]:
    """Shift the seeds that a probe sets itself."""
    with (
        patch.object(torch, "manual_seed", _shifted(torch.manual_seed)),
        patch.object(torch.random, "manual_seed", _shifted(torch.random.manual_seed)),
        patch.object(torch, "Generator", _Shifted),
        patch.object(random, "seed", _shifted(random.seed)),
        patch.object(numpy.random, "seed", _shifted(numpy.random.seed)),
        patch.object(numpy.random, "default_rng", _shifted(numpy.random.default_rng)),
    ):
        yield


def _shifted(seed: Callable[..., Any]) -> Callable[[int], Any]:
    return lambda number: seed(number + SHIFT)
