"""Examination of a suite with the reference alone: how large is rounding noise, and what would wrongly pass?

Noise: the reference, computed in float64, is put in the student's place; the largest share of a bound that float32's
rounding uses up says how much room an honest submission has. Where that says nothing, since the reference computes in
float64 itself or cannot, its inputs are off by their last bit. Gate: the reference's own values, blanked, made constant
or perturbed by one part in a thousand, are put there; a test that compares values must object. Forgeries: adversaries
answer there (`grader.judge.forging`); every test must object, for none of them has a solution. Gradients that are zero
in every case agree with any that are nearly so: the loss that was chosen hides what is wrong with them. Runs: the
functions of the reference that run for an item; a change of any other cannot change its verdict.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import CodeType, FrameType

import pytest
import torch

from grader.judge.calls import cloned
from grader.judge.drawing import inner_of
from grader.judge.forging import FORGERS, ForgingSide, mixtures
from grader.judge.plugin import Handed, JudgePlugin, Stage
from grader.judge.reference_run import Recorded, chosen
from grader.judge.sides import Book, Ended, ReferenceSide, Side
from grader.model import Examination
from grader.parsing.functions import name_of
from grader.suite.agreement import Disagreement, PartialCredit, comparisons, differences, share_used, tolerances
from grader.worker.loading import Probe

Change = Callable[[torch.Tensor], torch.Tensor]
PERTURBATION = 1e-3


def blanked(tensor: torch.Tensor) -> torch.Tensor:
    """All zeros."""
    return torch.zeros_like(tensor)


def constant(tensor: torch.Tensor) -> torch.Tensor:
    """Every entry the mean; one more where all entries are equal already."""
    known = tensor[tensor.isfinite()]
    mean = known.mean().item() if known.numel() else 0.0
    return torch.full_like(tensor, mean + 1.0 if bool((tensor == mean).all()) else mean)


def perturbed(tensor: torch.Tensor) -> torch.Tensor:
    """Every entry off by up to one part in a thousand of the largest."""
    generator = torch.Generator().manual_seed(tensor.numel())
    scale = tensor[tensor.isfinite()].abs().max() if bool(tensor.isfinite().any()) else torch.tensor(0.0)
    signs = torch.randint(0, 2, tensor.shape, generator=generator).to(tensor.dtype) * 2 - 1
    return tensor + PERTURBATION * scale * signs


GATE: Mapping[str, Change] = {"zeros": blanked, "a constant": constant, "a relative error of 1e-3": perturbed}


class ChangedSide:
    """A student who hands in the reference's values, changed."""

    def __init__(self, reference: ReferenceSide, change: Change) -> None:
        self._reference = reference
        self._change = change

    def run(self, probe: Probe, case: object, **options: object) -> Mapping[str, object]:
        """The changed values."""
        tree = cloned(self._reference.run(probe, case, **options))
        changed = change_floats(tree, self._change)
        assert isinstance(changed, dict)
        return changed

    def fresh(self) -> ChangedSide:
        """Itself."""
        return self


class Float64Side:
    """A student who computes as the reference does, in float64."""

    def __init__(self, reference: ReferenceSide, book: Book) -> None:
        self._reference = reference
        self._book = book

    def run(self, probe: Probe, case: object, **options: object) -> Mapping[str, object]:
        """The values, rounded at the end to the dtypes that the reference gives."""
        call = self._book.call(probe, case, options)
        torch.set_default_dtype(torch.float64)
        try:
            wide = self._reference.compute(call, lambda inputs: change_floats(inputs, torch.Tensor.double))
        finally:
            torch.set_default_dtype(torch.float32)
        values = cast_like(wide, self._reference.run(probe, case, **options))
        assert isinstance(values, dict)
        return values

    def fresh(self) -> Float64Side:
        """Itself."""
        return self


class NudgedSide(Float64Side):
    """A student whose inputs are off by their last bit: says something of a reference that cannot run in float64."""

    def run(self, probe: Probe, case: object, **options: object) -> Mapping[str, object]:
        """The values for the nudged inputs."""
        call = self._book.call(probe, case, options)
        values = self._reference.compute(call, lambda inputs: change_floats(inputs, nudged))
        return cast_like(values, self._reference.run(probe, case, **options))  # type: ignore[return-value]


class RunningSide(Float64Side):
    """A student who computes as the reference does, whose code is remembered as it runs."""

    def __init__(self, reference: ReferenceSide, book: Book) -> None:
        super().__init__(reference, book)
        self.codes: dict[CodeType, None] = {}

    def run(self, probe: Probe, case: object, **options: object) -> Mapping[str, object]:
        """The values, computed again."""

        def note(frame: FrameType, event: str, _: object) -> None:
            if event == "call":
                self.codes.setdefault(frame.f_code)

        call = self._book.call(probe, case, options)
        sys.setprofile(note)
        try:
            return self._reference.compute(call)
        finally:
            sys.setprofile(None)

    def names(self, folder: Path) -> tuple[str, ...]:
        """The functions that ran, of the files below a folder."""
        own = (code for code in self.codes if Path(code.co_filename).is_relative_to(folder))
        return tuple(sorted({name_of(code) for code in own}))


class SeenSide(ChangedSide):
    """A student who hands in the reference's values as they are, which are remembered."""

    def __init__(self, reference: ReferenceSide) -> None:
        super().__init__(reference, lambda tensor: tensor)
        self.gradients: dict[str, list[torch.Tensor]] = {}
        self.is_wide = False

    def run(self, probe: Probe, case: object, **options: object) -> Mapping[str, object]:
        """The values."""
        values = super().run(probe, case, **options)
        for name, tensor in named_floats(values):
            self.is_wide = self.is_wide or tensor.dtype == torch.float64
            if "gradient" in name and tensor.numel():
                self.gradients.setdefault(name, []).append(tensor)
        return values

    def vanishing(self) -> tuple[str, ...]:
        """The gradients that are within their bound of zero in every case, where they are half of all or more.

        Fewer may well be: that of a key's bias, which moves all scores alike.
        """
        found = tuple(name for name, seen in self.gradients.items() if all(map(_is_nothing, seen)))
        return found if 2 * len(found) >= len(self.gradients) else ()


def _is_nothing(tensor: torch.Tensor) -> bool:
    return not differences(torch.zeros_like(tensor), tensor)


def nudged(tensor: torch.Tensor) -> torch.Tensor:
    """Off by up to one unit in the last place; what holds whole numbers alone (a mask) is left as it is."""
    if bool((tensor == tensor.round()).all()):
        return tensor
    generator = torch.Generator().manual_seed(tensor.numel())
    signs = torch.randint(-1, 2, tensor.shape, generator=generator).to(tensor.dtype)
    return tensor * (1 + torch.finfo(tensor.dtype).eps * signs)


def examine(
    plugin: JudgePlugin, recorded: Recorded, reference: ReferenceSide, handed: Handed, template: Handed, book: Book
) -> Examination:
    """Measure the noise of one item (None where float64 cannot be used), try its gate, and have adversaries try it.

    `template` are the files that an adversary hands in.
    """

    def objections(
        side: Side, files: Handed = handed, routes: tuple[str, ...] = recorded.routes, *, first: bool = False
    ) -> list[Exception | None]:
        return _objections(plugin, replace(recorded, routes=routes), Stage(side, reference, files, _nothing), first)

    lets_pass = []
    for name, change in GATE.items():
        comparisons.set(0)
        if not any(objections(ChangedSide(reference, change))) and comparisons.get() > 0:
            lets_pass.append(name)
    noise = _measured(objections, Float64Side(reference, book))
    noise = noise or _measured(objections, NudgedSide(reference, book))
    seen = SeenSide(reference)
    own = _measured(objections, seen)  # what a test compares with a formula of its own
    noise = own if noise is None or (own or 0.0) > noise else noise
    running = RunningSide(reference, book)
    objections(running)
    earned_by: list[str] = []
    for route in recorded.routes:

        def earns(side: Side, route: str = route) -> bool:
            return _earns(objections(side, template, (route,), first=True))

        earned_by += _adversaries(reference, book, earns)
    return Examination(
        noise=noise,
        bound=tolerances.get()["float64" if seen.is_wide else "float32"].rtol,
        lets_pass=tuple(lets_pass),
        earned_by=tuple(dict.fromkeys(earned_by)),
        vanishing=seen.vanishing(),
        runs=None if plugin.reads_files(recorded.item.id) else running.names(plugin.assignment.reference),
    )


def _adversaries(reference: ReferenceSide, book: Book, earns: Callable[[ForgingSide], bool]) -> Iterator[str]:
    """The names of those that earn; mixtures are tried where none of the plain ones does."""
    paths: list[str] = []
    earned = False
    for name, forge in FORGERS.items():
        side = ForgingSide(reference, book, forge)
        if earns(side):
            earned = True
            yield name
        paths = max(paths, side.paths, key=len)
    if not earned and any(earns(ForgingSide(reference, book, forge)) for forge in mixtures(paths)):
        yield "some values always the same, others ever new"


def _earns(objections: list[Exception | None]) -> bool:
    """Whether a student with these objections has at least a part of the points."""
    return bool(objections) and all(
        error is None or (isinstance(error, PartialCredit) and error.credit > 0) for error in objections
    )


def _measured(objections: Callable[[Side], list[Exception | None]], side: Side) -> float | None:
    """The largest share of a bound that this side's values use up; None where nothing was compared, or not all ran."""
    share_used.set(0.0)
    comparisons.set(0)
    found = objections(side)
    if any(error and not isinstance(error, Disagreement) for error in found):
        return None
    if any(found):
        return max(share_used.get(), 1.0) if comparisons.get() else None
    return share_used.get() if comparisons.get() or share_used.get() else None


def _nothing(test: pytest.Function, fixtures: dict[str, object]) -> None:
    """Replaced for every run."""


def cast_like(value: object, model: object) -> object:
    """A tree with the dtypes of another."""
    if isinstance(value, torch.Tensor) and isinstance(model, torch.Tensor):
        return value.to(model.dtype) if value.is_floating_point() else value
    if isinstance(value, Mapping) and isinstance(model, Mapping):
        return {name: cast_like(entry, model.get(name)) for name, entry in value.items()}
    if isinstance(value, list) and isinstance(model, list) and len(value) == len(model):
        return [cast_like(entry, other) for entry, other in zip(value, model, strict=True)]
    return value


def change_floats(value: object, change: Change) -> object:
    """A tree with `change` applied to its floating-point tensors and numbers."""
    if isinstance(value, float):
        return change(torch.tensor(value, dtype=torch.float64)).item()
    if isinstance(value, torch.Tensor):
        return change(value) if value.is_floating_point() and value.numel() else value
    if isinstance(value, Mapping):
        return {name: change_floats(entry, change) for name, entry in value.items()}
    if isinstance(value, list):
        return [change_floats(entry, change) for entry in value]
    return value


def named_floats(value: object, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """The floating-point tensors of a tree, with the names that lead to them."""
    if isinstance(value, torch.Tensor) and value.is_floating_point():
        yield name, value
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from named_floats(entry, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for entry in value:
            yield from named_floats(entry, name)


def _objections(plugin: JudgePlugin, recorded: Recorded, stage: Stage, first: bool) -> list[Exception | None]:
    """What the item's test has against this student, case by case; up to the `first` case that earns nothing."""
    found: list[Exception | None] = []

    def perform(test: pytest.Function, fixtures: dict[str, object]) -> None:
        for drawn in recorded.cases:
            found.append(_objection(inner_of(test.obj), fixtures, drawn, recorded))
            if first and not _earns(found):
                break

    with plugin.staged(replace(stage, perform=perform)):
        plugin.run(recorded.item.id, log=False)
    return found


def _objection(
    inner: Callable[..., object], fixtures: dict[str, object], drawn: dict[str, object], recorded: Recorded
) -> Exception | None:
    for route in recorded.routes:
        found = []
        for reading in recorded.readings.values():
            used = share_used.get()
            error = _objection_to(inner, {**fixtures, **drawn, **chosen(fixtures, route, reading)})
            if error is None:
                break
            share_used.set(used)  # how near another reading's values lie says nothing about rounding
            found.append(error)
        else:
            return found[0]
    return None


def _objection_to(inner: Callable[..., object], arguments: dict[str, object]) -> Exception | None:
    try:
        inner(**arguments)
    except Exception as error:
        # A disagreement, part of the credit, or a test that stumbles: the student would fail it as well.
        return error
    except Ended:  # a file that the template does not have
        return Disagreement([])
    return None
