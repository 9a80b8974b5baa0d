"""The `student` and `reference` fixtures: one interface, two places where the probe runs."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch

from grader.assignment.assignment import Limits
from grader.judge.bindings import Binding, lets_choose
from grader.judge.calls import Call, Key, as_mapping, cloned, detached, key_of, make_call
from grader.model import Notes, Observation, Raised, TimedOut, Values
from grader.sandbox.base import MOST_STARVED, Process, ask
from grader.sandbox.starving import starved_here
from grader.suite.agreement import Disagreement, Mismatch, kind_of
from grader.wire.frames import Encoded
from grader.worker.loading import Modules, Probe
from grader.worker.running import seed_everything

MAX_NOTES = 20


class Ended(BaseException):
    """The submission gave no values. Outside `Exception`, so that neither a test nor Hypothesis handles it."""

    def __init__(self, observation: Observation) -> None:
        self.observation = observation
        super().__init__(type(observation).__name__)


class NoReference(BaseException):
    """The reference would have to run, and is not here. Outside `Exception`, as `Ended` is."""


class Side(Protocol):
    """What a test sees as `student` and as `reference`."""

    def run(self, probe: Probe, case: object, **options: object) -> Mapping[str, object]:
        """The probe's values on this side."""
        ...

    def fresh(self) -> Side:
        """The same side in a virgin process."""
        ...


@dataclass
class Book:
    """Every call that the reference has answered, by key."""

    calls: dict[Key, Call] = field(default_factory=dict)
    _kept: int = 0

    def keep(self) -> None:
        """Keep the calls that there are now for good."""
        self._kept = len(self.calls)
        for call in self.calls.values():
            call.kept = True

    def forget(self) -> None:
        """Drop the calls that were made since `keep`, such as those of smaller cases for one submission."""
        while len(self.calls) > self._kept:
            self.calls.popitem()

    def call(self, probe: Probe, case: object, options: Mapping[str, object]) -> Call:
        """The call of that key, made when it is new."""
        key = key_of(probe, case, options)
        found = self.calls.get(key)
        if found is None:
            found = self.calls[key] = make_call(probe, case, options)
        return found


class ReferenceSide:
    """Runs probes on trusted code in this process: the reference, or a known-wrong variant of it.

    Without modules it knows what the book knows, and anything else raises NoReference.
    """

    def __init__(self, modules: Modules | None, book: Book, probes: Mapping[str, Probe]) -> None:
        self._modules = modules
        self._book = book
        self._probes = probes
        self.used: dict[Key, None] = {}
        self.asked: dict[Key, Call] = {}  # of late

    def run(self, probe: Probe, case: object, **options: object) -> Mapping[str, object]:
        """The expected values, computed once per call."""
        call = self._book.call(probe, case, options)
        self.used.setdefault(call.key)
        self.asked[call.key] = call
        if call.expected is None:
            call.learn(self.compute(call))
        assert call.expected is not None
        return call.expected

    def probe(self, name: str) -> Probe:
        """The probe of that name."""
        return self._probes[name]

    def call(self, key: Key) -> Call:
        """What was asked under that key."""
        return self._book.calls[key]

    @property
    def is_here(self) -> bool:
        """Whether it can run."""
        return self._modules is not None

    def compute(
        self, call: Call, change: Callable[[object], object] = lambda value: value, *, shift: int = 0
    ) -> Mapping[str, object]:
        """Run the probe now, on fresh inputs, which may be changed before; with `shift`, under another seed."""
        modules = self._ready(f"The test asks the reference for `{call.key.probe}` with values that were not recorded")
        inputs, options = call.inputs_and_options()
        given = as_mapping(change(inputs))
        seed_everything(call.key.seed + shift)
        with modules.probing():
            return as_mapping(detached(self._probes[call.key.probe](modules, **given, **options)))

    def with_weights(
        self, probe: Probe, weights: Mapping[str, torch.Tensor], arguments: Mapping[str, object]
    ) -> Mapping[str, object] | None:
        """A predicting probe with weights that were trained elsewhere; None where they do not fit. Nothing is kept."""
        modules = self._ready("The trained model must be held against the reference")
        modules.arrange(weights)
        own = {name: cloned(value) for name, value in arguments.items()}
        try:
            with modules.probing():
                values = detached(self._probes[probe.__name__](modules, **own))
        except (RuntimeError, KeyError):  # what load_state_dict raises for strange names and shapes
            return None
        finally:
            modules.arrange({})
        assert isinstance(values, dict)
        return values

    def _ready(self, why: str) -> Modules:
        if self._modules is None:
            raise NoReference(f"{why}, and this run has a recording and no reference solution.")
        return self._modules

    def reads(self, reading: Mapping[str, object]) -> Side:
        """The reference as a student who follows this reading."""
        return _Reading(self, reading) if reading else self

    def fresh(self) -> ReferenceSide:
        """Itself: the reference keeps no state between calls, as every run of the suite shows."""
        return self


class _Reading:
    """The reference under another reading: its options go to every probe that knows them."""

    def __init__(self, reference: ReferenceSide, reading: Mapping[str, object]) -> None:
        self._reference = reference
        self._reading = reading

    def run(self, probe: Probe, case: object, **options: object) -> Mapping[str, object]:
        """The expected values of this reading."""
        known = inspect.signature(probe).parameters
        takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
        own = {name: value for name, value in self._reading.items() if takes_all or name in known}
        return self._reference.run(probe, case, **{**options, **own})

    def fresh(self) -> _Reading:
        """Itself."""
        return self


@dataclass
class Answers:
    """What the submission answered on one case, so that it is compared with several readings and asked once."""

    _all: dict[Key, list[Observation]] = field(default_factory=dict)
    _used: dict[Key, int] = field(default_factory=dict)

    def rewind(self) -> None:
        """The test's body starts again."""
        self._used.clear()

    def again(self, key: Key) -> Observation | None:
        """The answer to this call when the body came here before."""
        place, known = self._used.get(key, 0), self._all.get(key, [])
        if place >= len(known):
            return None
        self._used[key] = place + 1
        return known[place]

    def keep(self, key: Key, observation: Observation) -> None:
        """Keep a new answer."""
        self._all.setdefault(key, []).append(observation)
        self._used[key] = len(self._all[key])


@dataclass
class Desk:
    """What the judge of one submission keeps while an item runs."""

    ask: Callable[[Encoded, Limits, float], Observation]
    fresh_worker: Callable[[], Process]
    limits: Limits
    binding: Binding = field(default_factory=Binding)
    deadline: float = 0.0
    starved: float = 0.0  # what workers have waited for a processor since then, less what we had before
    prints: int = 0
    print_text: str = ""
    printing: set[str] = field(default_factory=set)
    item_text: str = ""
    notes: dict[str, None] = field(default_factory=dict)
    seen: list[tuple[Call, Mapping[str, object]]] = field(default_factory=list)
    last: tuple[Call, Observation] | None = None
    answers: Answers | None = None
    several: bool = False  # whether more than one reading is tried
    observed: list[Notes] | None = None  # what was seen of each run, where runs are traced

    def begin(self, limits: Limits) -> None:
        """A new item with its own limits."""
        self.limits = limits
        self.give(limits.wall_seconds)
        self.binding = Binding()
        self.answers, self.several = None, False
        self.notes.clear()
        self.item_text = ""
        self.last = None

    @property
    def left(self) -> float:
        """The seconds that the item may still take: while others have the processors the clock stands still."""
        starved = min(self.starved + starved_here(), MOST_STARVED * self.limits.wall_seconds)
        return self.deadline + starved - time.monotonic()

    def give(self, seconds: float) -> None:
        """Let the item take that long from now on."""
        self.starved = -starved_here()
        self.deadline = time.monotonic() + seconds

    def hear(self, notes: Notes) -> None:
        """Keep what the worker said beside its values."""
        self.prints += notes.prints
        self.printing.update(notes.printing)
        if notes.prints and len(self.print_text) < 2000:
            self.print_text += notes.print_text
        if len(self.item_text) < 2000:
            self.item_text += notes.print_text
        # A worker may say something new with every answer.
        for line in notes.loading[: MAX_NOTES - len(self.notes)]:
            self.notes.setdefault(line)


class StudentSide:
    """Runs probes in the sandbox."""

    def __init__(self, desk: Desk, book: Book, process: Process | None = None) -> None:
        self._desk = desk
        self._book = book
        self._process = process

    def run(self, probe: Probe, case: object, **options: object) -> Mapping[str, object]:
        """The submission's values. Raises Ended when there are none, Disagreement when they are of another kind."""
        desk = self._desk
        call = self._book.call(probe, case, options)
        left = desk.left
        if left <= 0:
            raise Ended(TimedOut(seconds=desk.limits.wall_seconds))
        known = desk.answers.again(call.key) if desk.answers is not None and self._process is None else None
        observation = known or self._ask(probe, call, left)
        desk.last = (call, observation)
        if not isinstance(observation, Values):
            raise Ended(observation)
        desk.seen.append((call, observation.values))
        # Where there are several readings, another one may have values of another kind.
        if not desk.several and (mismatch := _other_kind(call, observation.values)) is not None:
            raise Disagreement([mismatch])
        return observation.values

    def _ask(self, probe: Probe, call: Call, left: float) -> Observation:
        desk = self._desk
        request = call.request(desk.binding.asked(call.key.probe), trace=desk.observed is not None)
        if self._process is None:
            observation = desk.ask(request, desk.limits, left)
        else:
            observation = ask(self._process, "run", request, desk.limits, left)
        desk.starved += observation.notes.starved
        if desk.observed is None:
            desk.hear(observation.notes)
        elif isinstance(observation, (Values, Raised)):
            desk.observed.append(observation.notes)
        if lets_choose(probe):
            desk.binding.hear(call.key.probe, observation.notes)
        if desk.answers is not None and self._process is None:
            desk.answers.keep(call.key, observation)
        return observation

    def fresh(self) -> StudentSide:
        """The same submission in a worker of its own."""
        return StudentSide(self._desk, self._book, self._desk.fresh_worker())


def other_kind(path: str, actual: object, expected: object) -> Mismatch | None:
    """A place where the submission's tree is not even of the reference's kind, so that no test need stumble over it."""
    if isinstance(expected, Mapping):
        if not isinstance(actual, Mapping):
            return _kinds(path, actual, expected)
        for name, value in expected.items():
            inner = f"{path}.{name}" if path else str(name)
            if name not in actual:
                text = f"{inner} is missing from the result."
                return Mismatch(name=inner, reason="a value is missing", lines=(text,))
            if (found := other_kind(inner, actual[name], value)) is not None:
                return found
        return None
    if isinstance(expected, (list, tuple)):
        return _other_list(path, actual, expected)
    if isinstance(expected, torch.Tensor):
        if isinstance(actual, torch.Tensor) or (actual is None and "gradient" in path):
            return None
        return _kinds(path, actual, expected)
    if isinstance(expected, (int, float)) and not isinstance(actual, (int, float)):
        return _kinds(path, actual, expected)
    return None


def _other_list(path: str, actual: object, expected: Sequence[object]) -> Mismatch | None:
    if not isinstance(actual, (list, tuple)):
        return _kinds(path, actual, expected)
    pairs = enumerate(zip(actual, expected, strict=False))
    found = (other_kind(f"{path}[{index}]", mine, theirs) for index, (mine, theirs) in pairs)
    return next((mismatch for mismatch in found if mismatch is not None), None)


def _kinds(path: str, actual: object, expected: object) -> Mismatch:
    text = f"{path} should be {kind_of(expected)}, it is {kind_of(actual)}."
    return Mismatch(name=path, reason="wrong type", lines=(text,))


def _other_kind(call: Call, actual: Mapping[str, object]) -> Mismatch | None:
    return None if call.expected is None else other_kind("", actual, call.expected)


def other_form(seen: list[tuple[Call, Mapping[str, object]]]) -> Mismatch | None:
    """The first value that is not of the reference's kind, shape or dtype, among the runs of an item."""
    for call, actual in seen:
        if (found := _other_kind(call, actual)) is not None:
            return found
        if (found := _other_shape("", actual, call.expected)) is not None:
            return found
    return None


def _other_shape(path: str, actual: object, expected: object) -> Mismatch | None:
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for name, value in expected.items():
            if (found := _other_shape(f"{path}.{name}" if path else str(name), actual.get(name), value)) is not None:
                return found
    if isinstance(expected, (list, tuple)) and isinstance(actual, (list, tuple)):
        for index, (mine, theirs) in enumerate(zip(actual, expected, strict=False)):
            if (found := _other_shape(f"{path}[{index}]", mine, theirs)) is not None:
                return found
    if isinstance(expected, torch.Tensor) and isinstance(actual, torch.Tensor):
        if actual.shape != expected.shape:
            text = f"{path} should have shape {tuple(expected.shape)}, it has shape {tuple(actual.shape)}."
            return Mismatch(name=path, reason="wrong shape", lines=(text,))
        if actual.dtype != expected.dtype:
            text = f"{path} should be of {expected.dtype}, it is of {actual.dtype}."
            return Mismatch(name=path, reason="wrong dtype", lines=(text,))
    return None
