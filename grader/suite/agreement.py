"""Comparison: two trees of tensors and numbers, a bound per dtype, and the words that a student reads.

The rule for a tensor: same shape, same dtype, everything finite, and for every element

    |actual - expected| <= atol + rtol * max|expected|

The bound is relative to the tensor's largest entry, because a sum of large terms may cancel to a small entry whose
own relative error says nothing. Integers, flags and strings must be equal.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy
import torch
from torch import Tensor

from grader.assignment.assignment import Tolerance
from grader.suite.diagnose import relation

DEFAULT_TOLERANCES: Mapping[str, Tolerance] = {
    "float64": Tolerance(rtol=1e-9, atol=1e-10),
    "float32": Tolerance(rtol=3e-5, atol=3e-6),
    "bfloat16": Tolerance(rtol=2e-2, atol=2e-3),
    "float16": Tolerance(rtol=4e-3, atol=4e-4),
}
# Set once by the judge from the manifest; the defaults hold in plain scripts that try a suite out.
tolerances: ContextVar[Mapping[str, Tolerance]] = ContextVar("tolerances", default=DEFAULT_TOLERANCES)
# How often values were compared with the reference's; the gate asks only tests that do. Numbers count where inputs are
# drawn: the answer to a fixed question may be zero, or stated roughly.
comparisons: ContextVar[int] = ContextVar("comparisons", default=0)
# The largest share of a bound that a tensor which agreed has used up; calibration reads it.
share_used: ContextVar[float] = ContextVar("share_used", default=0.0)


# Whether a mismatch may tell the expected value: the judge says so of each test. Of a fixed question it is the answer.
reveals: ContextVar[bool] = ContextVar("reveals", default=True)
TELLING = ("values differ", "NaN or infinite")


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """What differs. `reason` is the short word for tables, `lines` are the sentences for the student.

    `further` finds more of them. That is dear, and most mismatches are never shown.
    """

    name: str
    reason: str
    lines: tuple[str, ...] = ()
    figures: Mapping[str, object] = field(default_factory=dict)
    further: Callable[[], tuple[str, ...]] = field(default=tuple, compare=False)

    def told(self) -> tuple[str, ...]:
        """All sentences."""
        return (*self.lines, *self.further())


class Disagreement(Exception):
    """The submission's values are not what the check demands. The only outcome that is shrunk."""

    def __init__(self, mismatches: Sequence[Mismatch]) -> None:
        self.mismatches = tuple(mismatches)
        super().__init__(self.mismatches)

    def __str__(self) -> str:
        return "\n".join(line for mismatch in self.mismatches for line in mismatch.told())


def closeness(disagreement: Disagreement | None) -> tuple[float, ...]:
    """How near a disagreement is to none, to be compared with another's; nothing is further than no values at all."""
    if disagreement is None:
        return (0.0,)
    found = disagreement.mismatches
    wrong = [_number(mismatch, "wrong", 1.0) / max(_number(mismatch, "of", 1.0), 1.0) for mismatch in found]
    far = [math.log1p(_number(mismatch, "difference", math.inf)) for mismatch in found]
    return (1.0, -float(len(found)), -sum(wrong), -sum(far))


def _number(mismatch: Mismatch, name: str, otherwise: float) -> float:
    value = mismatch.figures.get(name)
    return float(value) if isinstance(value, (int, float)) else otherwise


class PartialCredit(Exception):
    """Raised by `partial` and `doubtful`: the item ends with part of its points, or waits for a person."""

    def __init__(
        self, credit: float, message: str, *, doubtful: bool = False, figures: Mapping[str, object] | None = None
    ) -> None:
        self.credit = credit
        self.figures = figures or {}
        self.message = message
        self.doubtful = doubtful
        super().__init__(message)


def assert_agrees(
    actual: object,
    expected: object,
    *,
    only: Collection[str] = (),
    rtol: float | None = None,
    atol: float | None = None,
    reveal: bool | None = None,
) -> None:
    """Compare two trees; every name of `expected` must be in `actual`. Raises Disagreement.

    `only` restricts the comparison to these top-level names; `rtol` and `atol` override the manifest's bounds.
    `reveal`: whether expected values are told; by default those of drawn cases are, and those of fixed questions, which
    are the answers, are not.
    """
    if only and isinstance(expected, Mapping) and isinstance(actual, Mapping):
        unknown = set(only) - set(expected)
        if unknown:
            raise KeyError(f"the probe returns no value named {', '.join(sorted(unknown))}")
        expected = {name: expected[name] for name in only}
    comparisons.set(comparisons.get() + _floats(expected))
    found = differences(actual, expected, rtol=rtol, atol=atol)
    if found and not (reveals.get() if reveal is None else reveal):
        found = [_untold(mismatch, actual) for mismatch in found]
    if found:
        raise Disagreement(found)


def _untold(mismatch: Mismatch, actual: object) -> Mismatch:
    """The mismatch without the expected value, or how far it is."""
    if mismatch.reason not in TELLING:
        return mismatch
    value = actual.get(mismatch.name) if isinstance(actual, Mapping) else None
    shown = f": it is {value!r}"[:200] if isinstance(value, (bool, int, float, str)) else ""
    return _mismatch(mismatch.name, mismatch.reason, f"{mismatch.name} is not right{shown}.")


def _floats(value: object) -> int:
    """The number of non-empty floating-point tensors in a tree, and of numbers that follow from drawn inputs."""
    if isinstance(value, float):
        return int(reveals.get())
    if isinstance(value, Tensor):
        return int(value.is_floating_point() and value.numel() > 0)
    if isinstance(value, Mapping):
        return sum(map(_floats, value.values()))
    return sum(map(_floats, value)) if isinstance(value, (list, tuple)) else 0


def require(condition: bool | Tensor, message: str) -> None:
    """Demand a property; `message` tells the student what should hold. Raises Disagreement."""
    if not bool(condition):
        raise Disagreement([Mismatch(name="", reason="a property does not hold", lines=(message,))])


def require_close(
    actual: object, expected: object, what: str, *, rtol: float | None = None, atol: float | None = None
) -> None:
    """Demand that two values of the submission agree; `what` says which. Raises Disagreement."""
    found = differences(actual, expected, rtol=rtol, atol=atol, path=what)
    if found:
        raise Disagreement(found)


def require_different(first: Tensor, second: Tensor, what: str) -> None:
    """Demand that two tensors differ clearly; `what` says why they should. Raises Disagreement."""
    for value in (first, second):
        if not isinstance(value, Tensor):
            text = f"{what} (One of the two is {kind_of(value)}.)"
            raise Disagreement([Mismatch(name="", reason="wrong type", lines=(text,))])
    if first.shape == second.shape and _mismatch_of_tensors("", first, second, None, None) is None:
        raise Disagreement([Mismatch(name="", reason="values do not differ", lines=(what,))])


def partial(credit: float, message: str) -> None:
    """End the item with `credit` in [0, 1]; `message` tells the student why."""
    if not 0.0 <= credit <= 1.0:
        raise ValueError(f"credit must be between 0 and 1, got {credit}")
    raise PartialCredit(credit, message)


def doubtful(message: str) -> None:
    """End an item that seems right and that something else contradicts: it waits for a person, who reads `message`."""
    raise PartialCredit(1.0, message, doubtful=True)


# --- comparison -----------------------------------------------------------------------------------------------


def differences(
    actual: object, expected: object, *, rtol: float | None = None, atol: float | None = None, path: str = ""
) -> list[Mismatch]:
    """Every mismatch between two trees, in the order of the expected one.

    A top-level name with an underscore in front is an aside: a test may tell it, and nobody compares it.
    """
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping):
            return [_kind_mismatch(path, actual, expected)]
        found = []
        for name, value in expected.items():
            if not path and str(name).startswith("_"):
                continue
            inner = f"{path}.{name}" if path else str(name)
            if name not in actual:
                found.append(_mismatch(inner, "a value is missing", f"{inner} is missing from the result."))
            else:
                found.extend(differences(actual[name], value, rtol=rtol, atol=atol, path=inner))
        return found
    if isinstance(expected, (list, tuple)):
        if not isinstance(actual, (list, tuple)):
            return [_kind_mismatch(path, actual, expected)]
        if len(actual) != len(expected):
            text = f"{path} should have {len(expected)} entries, it has {len(actual)}."
            return [_mismatch(path, "wrong length", text)]
        keyed, found = _is_keyed(expected), []
        for index, (mine, theirs) in enumerate(zip(actual, expected, strict=True)):
            inner = f"{path}[{index}]"
            if keyed and _is_pair(mine) and mine[0] == theirs[0]:
                inner, mine, theirs = f"{inner}[1] (for {theirs[0]})", mine[1], theirs[1]
            found.extend(differences(mine, theirs, rtol=rtol, atol=atol, path=inner))
        return found
    mismatch = _leaf_mismatch(path, actual, expected, rtol, atol)
    return [mismatch] if mismatch else []


def _is_keyed(pairs: Sequence[Any]) -> bool:
    """Whether pairs are, or read like, a dict with whole numbers as keys, sent in the order of digits."""
    return all(map(_is_pair, pairs)) and all(f"{one[0]}," < f"{other[0]}," for one, other in itertools.pairwise(pairs))


def _is_pair(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and len(value) == 2 and type(value[0]) is int


def _leaf_mismatch(
    path: str, actual: object, expected: object, rtol: float | None, atol: float | None
) -> Mismatch | None:
    if isinstance(expected, Tensor):
        if actual is None and "gradient" in path:
            name = path.removeprefix("gradients.")
            text = f"{name} received no gradient: it is detached from the output, or not used."
            return _mismatch(path, "no gradient", text)
        if not isinstance(actual, Tensor):
            return _kind_mismatch(path, actual, expected)
        return _mismatch_of_tensors(path, actual, expected, rtol, atol)
    if isinstance(expected, float) and not isinstance(expected, bool):
        if isinstance(actual, bool) or not isinstance(actual, (int, float)):
            return _kind_mismatch(path, actual, expected)
        return _mismatch_of_numbers(path, float(actual), expected, rtol, atol)
    if type(actual) is not type(expected):
        return _kind_mismatch(path, actual, expected)
    if actual != expected:
        return _mismatch(path, "values differ", f"{path} should be {expected!r}, it is {repr(actual)[:200]}.")
    return None


def _mismatch_of_numbers(
    path: str, actual: float, expected: float, rtol: float | None, atol: float | None
) -> Mismatch | None:
    rule = tolerances.get().get("float32", DEFAULT_TOLERANCES["float32"])
    bound = (rule.atol if atol is None else atol) + (rule.rtol if rtol is None else rtol) * abs(expected)
    if (distance := abs(actual - expected)) <= bound:
        share_used.set(max(share_used.get(), distance / bound if bound else 0.0))
        return None
    if (math.isnan(expected) and math.isnan(actual)) or actual == expected:
        return None
    return _mismatch(
        path,
        "values differ",
        _unlike(path, actual, expected, bound),
        {"difference": abs(actual - expected), "bound": bound},
    )


def _unlike(path: str, actual: float, expected: float, bound: float) -> str:
    return f"{path} should be {expected:.6g}, it is {actual:.6g} (allowed difference {bound:.1e})."


def _mismatch_of_tensors(
    path: str, actual: Tensor, expected: Tensor, rtol: float | None, atol: float | None
) -> Mismatch | None:
    if actual.shape != expected.shape:
        text = f"{path} should have shape {tuple(expected.shape)}, it has shape {tuple(actual.shape)}."
        return _mismatch(path, "wrong shape", text)
    if actual.dtype != expected.dtype:
        return _mismatch(path, "wrong dtype", f"{path} should be of {word(expected)}, it is of {word(actual)}.")
    if expected.numel() == 0:
        return None
    if torch.equal(actual, expected):
        return None  # the same bits, as most right answers are: no bound need be looked for
    if not expected.is_floating_point():
        return _mismatch_of_integers(path, actual, expected)
    wide_actual, wide_expected = actual.double(), expected.double()
    distance = (wide_actual - wide_expected).abs()
    worst, scale = distance.max().item(), wide_expected.abs().max().item()
    if not math.isfinite(worst + scale):
        if (mismatch := _not_finite(path, actual, expected)) is not None:
            return mismatch
        known = wide_expected.isfinite()
        distance = torch.where(known, distance, torch.zeros(()).double())
        worst = distance.max().item()
        scale = wide_expected[known].abs().max().item() if bool(known.any()) else 0.0
    rule = tolerances.get().get(word(expected), DEFAULT_TOLERANCES["float32"])
    bound = (rule.atol if atol is None else atol) + (rule.rtol if rtol is None else rtol) * scale
    if worst <= bound:
        share_used.set(max(share_used.get(), worst / bound if bound else 0.0))
        return None
    return _described(path, actual, expected, distance, worst, bound)


def word(tensor: Tensor) -> str:
    """Its dtype as torch and NumPy both call it."""
    return str(tensor.dtype).removeprefix("torch.")


def _not_finite(path: str, actual: Tensor, expected: Tensor) -> Mismatch | None:
    # Where the reference itself is infinite (a masked score), the submission must be infinite in the same way.
    bad = ~actual.isfinite() & expected.isfinite()
    differs = ~expected.isfinite() & ~(actual == expected) & ~(actual.isnan() & expected.isnan())
    count = int((bad | differs).sum())
    if count == 0:
        return None
    index = tuple(int(i) for i in (bad | differs).nonzero()[0])
    value = actual[index].item()
    text = (
        f"{path} holds {count} of {actual.numel()} entries that are NaN or infinite where a finite number is expected; "
        f"the first is {value} at {index}."
        if bool(bad.any())
        else f"{path} should be {expected[index].item()} at {index}, it is {value:.6g}."
    )
    return _mismatch(path, "NaN or infinite", text, {"count": count, "index": list(index)})


def _mismatch_of_integers(path: str, actual: Tensor, expected: Tensor) -> Mismatch | None:
    wrong = actual != expected
    count = int(wrong.sum())
    if count == 0:
        return None
    index = tuple(int(i) for i in wrong.nonzero()[0])
    text = (
        f"{path}: {count} of {actual.numel()} entries differ, the first at {index}: "
        f"{actual[index].item()} where {expected[index].item()} is expected; shape {tuple(actual.shape)}."
    )
    return _mismatch(path, "values differ", text, {"count": count, "of": actual.numel(), "index": list(index)})


def _described(path: str, actual: Tensor, expected: Tensor, distance: Tensor, worst: float, bound: float) -> Mismatch:
    if expected.dim() == 0:
        figures = {"wrong": 1, "of": 1, "difference": worst, "index": [], "bound": bound}
        return _mismatch(path, "values differ", _unlike(path, actual.item(), expected.item(), bound), figures)
    wrong, total = int((distance > bound).sum()), distance.numel()
    # Not torch.unravel_index: its first call imports half a second of symbolic shapes, in every judge anew.
    index = tuple(int(i) for i in numpy.unravel_index(int(distance.argmax()), tuple(distance.shape)))
    figures = {"wrong": wrong, "of": total, "difference": worst, "index": list(index), "bound": bound}

    def sentences() -> tuple[str, ...]:
        lines = (
            f"{path}: {wrong} of {total} entries differ ({wrong / total:.0%}).",
            f"Greatest difference {worst:.3g} at {index}: {actual[index].item():.6g} where "
            f"{expected[index].item():.6g} is expected; allowed is {bound:.1e}.",
            f"Shape {tuple(actual.shape)}, {actual.dtype}.",
        )
        related = relation(actual.double(), expected.double(), bound)
        return lines if related is None else (*lines, related)

    return Mismatch(name=path, reason="values differ", figures=figures, further=sentences)


def kind_of(value: object) -> str:
    """What a value is, in a student's words."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    names = {bool: "True or False", int: "a whole number", float: "a number", str: "a string", type(None): "None"}
    if isinstance(value, Mapping):
        return "a dict"
    if isinstance(value, (list, tuple)):
        return f"a list or tuple of {len(value)}"
    return names.get(type(value), type(value).__name__)


def _kind_mismatch(path: str, actual: object, expected: object) -> Mismatch:
    return _mismatch(path, "wrong type", f"{path} should be {kind_of(expected)}, it is {kind_of(actual)}.")


def _mismatch(path: str, reason: str, text: str, figures: Mapping[str, object] | None = None) -> Mismatch:
    return Mismatch(name=path, reason=reason, lines=(text,), figures=figures or {})
