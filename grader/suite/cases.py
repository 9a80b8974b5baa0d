"""Cases: frozen records of integers, flags and a seed, from which a check's inputs are drawn.

A case is its own cache key, is short enough to print for a student, and reproduces a check for an appeal.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor

if TYPE_CHECKING:
    # Imported by the functions that need it: a suite of fixed cases does without it.
    from hypothesis import strategies as st

T = TypeVar("T")


SEED_WORDS, WORD = 8, 16  # of a case: 128 bits, drawn in pieces, since Hypothesis prefers small numbers to large ones
_STATE, _WORDS = 24, 624  # where the state of torch's Mersenne Twister begins, and how many words it has


def generator_of(*key: object) -> torch.Generator:
    """A generator that follows from plain values, by hashing into its whole state: of a seed torch takes 32 bits."""
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state()
    raw = bytearray(hashlib.shake_256(repr(key).encode()).digest(4 * _WORDS))
    words = torch.frombuffer(raw, dtype=torch.int32).to(torch.int64) & 0xFFFFFFFF
    state[_STATE : _STATE + 8 * _WORDS].view(torch.int64).copy_(words)
    return generator.set_state(state)


class Draw:
    """Tensors from one seeded generator. Every call draws on; the same seed gives the same sequence.

    Floats are of `dtype`, float32 unless a case asks for another (`self.draw(torch.float64)`).
    """

    def __init__(self, seed: int, dtype: torch.dtype = torch.float32) -> None:
        self._generator = generator_of(seed)
        self._dtype = dtype

    def normal(self, *shape: int, std: float = 1.0, mean: float = 0.0) -> Tensor:
        """Floats of that shape, normally distributed."""
        return torch.randn(shape, generator=self._generator, dtype=self._dtype) * std + mean

    def uniform(self, *shape: int, low: float = 0.0, high: float = 1.0) -> Tensor:
        """Floats of that shape, uniform in [low, high)."""
        return torch.rand(shape, generator=self._generator, dtype=self._dtype) * (high - low) + low

    def number(self, low: float = 0.0, high: float = 1.0) -> float:
        """One number, uniform in [low, high)."""
        return float(self.uniform(1, low=low, high=high))

    def integers(self, *shape: int, low: int = 0, high: int) -> Tensor:
        """int64 of that shape, uniform in [low, high)."""
        return torch.randint(low, high, shape, generator=self._generator)

    def integer(self, low: int, high: int) -> int:
        """One integer in [low, high)."""
        return int(self.integers(1, low=low, high=high).item())

    def mask_lengths(self, batch: int, time: int) -> Tensor:
        """float32 (batch, time): 1 up to a random length of at least 1, then 0; the first row is never padded."""
        lengths = self.integers(batch, low=1, high=time + 1)
        lengths[0] = time
        return (torch.arange(time) < lengths[:, None]).float()

    def permutation(self, size: int) -> Tensor:
        """int64 (size,): a random order."""
        return torch.randperm(size, generator=self._generator)

    def choice(self, sequence: Sequence[T]) -> T:
        """One element."""
        return sequence[self.integer(0, len(sequence))]


@dataclass(frozen=True)
class Case:
    """The base of all cases. Subclasses are frozen dataclasses of ints, flags and short strings with `inputs()`."""

    def draw(self, dtype: torch.dtype = torch.float32) -> Draw:
        """A generator seeded by the whole record, so that two cases that differ anywhere draw different tensors."""
        record = repr(sorted(dataclasses.asdict(self).items()))
        return Draw(int.from_bytes(hashlib.sha256(record.encode()).digest(), "big"), dtype)

    def inputs(self) -> Mapping[str, object]:
        """What the probe gets as keyword arguments."""
        raise NotImplementedError

    def weight(self) -> int:
        """How large the case is: of two failing ones the lighter is shown."""
        numbers = [value for name, value in dataclasses.asdict(self).items() if name != "seed" and type(value) is int]
        return sum(abs(number) for number in numbers)


def sizes(low: int, high: int) -> st.SearchStrategy[int]:
    """A size from `low` to `high`, both included."""
    from hypothesis import strategies as st

    return st.integers(low, high)


def flags() -> st.SearchStrategy[bool]:
    """True or False."""
    from hypothesis import strategies as st

    return st.booleans()


def one_of(*values: T) -> st.SearchStrategy[T]:
    """One of the values, the first being the simplest."""
    from hypothesis import strategies as st

    return st.sampled_from(values)


def cases(
    kind: type[T], /, *, distinct: Mapping[str, tuple[int, int]] | None = None, **fields: object
) -> st.SearchStrategy[T]:
    """A strategy for a `Case` class.

    `distinct` gives fields with their range (both ends included) that must be pairwise different, so that shapes tell
    them apart; other fields are strategies or fixed values. A field `seed` is drawn unless it is given.
    """
    from hypothesis import strategies as st

    ranges = dict(distinct or {})
    strategies = {
        name: field if isinstance(field, st.SearchStrategy) else st.just(field) for name, field in fields.items()
    }
    if "seed" in getattr(kind, "__dataclass_fields__", {}) and "seed" not in strategies:
        words = st.tuples(*[st.integers(0, 2**WORD - 1)] * SEED_WORDS)
        strategies["seed"] = words.map(lambda drawn: sum(word << WORD * place for place, word in enumerate(drawn)))

    built: st.SearchStrategy[T] = _built()(kind, ranges, strategies)
    return built


@functools.cache
def _built() -> Callable[..., Any]:
    """One strategy for all: Hypothesis reads the source of each function that it makes a strategy of."""
    from hypothesis import strategies as st

    @st.composite
    def build(draw: Any, kind: type[T], ranges: Mapping[str, tuple[int, int]], strategies: Mapping[str, Any]) -> T:
        taken: dict[str, int] = {}
        for name, (low, high) in ranges.items():
            free = [size for size in range(low, high + 1) if size not in taken.values()]
            if not free:
                raise ValueError(f"{kind.__name__}: the range of {name} leaves no size that is still free")
            taken[name] = draw(st.sampled_from(free))
        return kind(**taken, **{name: draw(strategy) for name, strategy in strategies.items()})

    return build
