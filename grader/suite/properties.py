"""Properties that a check may demand beside its values, each of which the same call's values were compared before.

    values = student.run(layer, case)
    assert_agrees(values, reference.run(layer, case))
    properties.causal(student, layer, case, values, "x", axis=1)

Each raises Disagreement with a sentence for the student. The result is the first value that the probe returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from grader.suite.agreement import kind_of, require, require_close
from grader.suite.cases import Case
from grader.worker.loading import Probe

Values = Mapping[str, object]
CALLS = 16  # that chance makes alike for few entries and a small rate only


class Runs(Protocol):
    """The side that is asked."""

    def run(self, probe: Probe, case: object, **options: object) -> Values: ...


def rows_sum_to_one(side: Runs, probe: Probe, case: Case, values: Values, axis: int = -1) -> None:
    """The result is not negative and sums to one along an axis."""
    out = _result(values)
    require(bool((out >= 0).all()), "The result should not be negative anywhere.")
    total = out.sum(axis)
    require_close(total, torch.ones_like(total), f"the sum along axis {axis}")


def causal(side: Runs, probe: Probe, case: Case, values: Values, name: str, axis: int = 1) -> None:
    """What comes later along an axis of an input changes nothing before it in the result."""
    out, inputs = _result(values), dict(case.inputs())
    given = _tensor(inputs[name])
    length = given.shape[axis]
    cut = 1 + case.draw().integer(0, length) if length > 1 else 1
    if cut >= length:
        cut = length - 1
    if cut < 1:
        return
    changed = given.clone()
    changed.narrow(axis, cut, length - cut).copy_(_other(given, case).narrow(axis, cut, length - cut))
    after = _result(side.run(probe, {**inputs, name: changed}))
    what = f"the result before position {cut}, when only what comes later in {name} is changed,"
    require(after.shape == out.shape, f"The result has another shape when {name} is changed.")
    require_close(after.narrow(axis, 0, cut), out.narrow(axis, 0, cut), what)


def equivariant(side: Runs, probe: Probe, case: Case, values: Values, name: str, axis: int = 0) -> None:
    """Another order of an input along an axis is the same order of the result."""
    out, inputs = _result(values), dict(case.inputs())
    given = _tensor(inputs[name])
    order = case.draw().permutation(given.shape[axis])
    after = _result(side.run(probe, {**inputs, name: given.index_select(axis, order).contiguous()}))
    require_close(after, out.index_select(axis, order), f"the result for {name} in another order along axis {axis}")


def ignores(side: Runs, probe: Probe, case: Case, values: Values, name: str, mask: str) -> None:
    """Entries of an input where the mask is 0 have no influence on the result where it is not."""
    out, inputs = _result(values), dict(case.inputs())
    given, seen = _tensor(inputs[name]), _tensor(inputs[mask]).bool()
    wide = seen.reshape(*seen.shape, *(1,) * (given.dim() - seen.dim()))
    after = _result(side.run(probe, {**inputs, name: torch.where(wide, given, _other(given, case))}))
    if out.shape[: seen.dim()] == seen.shape and after.shape == out.shape:
        out, after = out[seen], after[seen]
    require_close(after, out, f"the result, when {name} is changed only where {mask} is 0,")


def restores(side: Runs, probe: Probe, case: Case, values: Values, name: str) -> None:
    """The result is the input again."""
    require_close(next(iter(values.values())), case.inputs()[name], f"the result should be {name} again; it")


def steady(side: Runs, probe: Probe, case: Case, values: Values) -> None:
    """In evaluation a second call gives the same."""
    again = side.run(probe, case, mode="eval", again=1)
    require_close(_result(again), _result(side.run(probe, case, mode="eval")), "a second result in evaluation mode")


def drops(side: Runs, probe: Probe, case: Case, values: Values) -> None:
    """In training calls differ: dropout is there, and on."""
    first, *others = (_result(side.run(probe, case, mode="train", again=again)) for again in range(CALLS))
    same = all(first.shape == other.shape and bool((first == other).all()) for other in others)
    require(not same, f"In training mode {CALLS} calls gave the same: is there dropout, and is it on?")


def _result(values: Values) -> Tensor:
    return _tensor(next(iter(values.values())))


def _tensor(value: object) -> Tensor:
    require(isinstance(value, Tensor), f"The result should be a tensor, it is {kind_of(value)}.")
    assert isinstance(value, Tensor)
    return value


def _other(given: Tensor, case: Case) -> Tensor:
    """Other values that may stand there: noise, or for whole numbers the given ones in another order."""
    generator = torch.Generator().manual_seed(case.draw().integer(0, 1 << 30))
    if given.is_floating_point():
        return torch.randn(given.shape, generator=generator, dtype=torch.float64).to(given.dtype)
    flat = given.flatten()
    return flat[torch.randperm(len(flat), generator=generator)].reshape(given.shape)
