"""Whether an answer hangs on random streams. Such a value is worth something only where the streams are the same."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy
import torch

from grader.judge.calls import Call
from grader.judge.sides import ReferenceSide
from grader.wire.frames import encode

SHIFT = 7919


class _Shifted(torch.Generator):
    """A probe's own generator, with another stream than it asks for."""

    def manual_seed(self, seed: int) -> torch.Generator:
        return super().manual_seed(seed + SHIFT)


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
