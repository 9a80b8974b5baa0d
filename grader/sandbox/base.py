"""The `Sandbox` interface, and the conversation with one worker.

A back end starts workers that are confined to one submission's files. Everything a worker says is turned into an
`Observation` here; the rules hold for all back ends (`tests/sandbox/test_conformance.py`).
"""

from __future__ import annotations

import json
import math
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from grader.assignment.assignment import Limits
from grader.model import (
    Died,
    Malformed,
    Notes,
    NotImplementedYet,
    Observation,
    OutOfMemory,
    Raised,
    TimedOut,
    Values,
)
from grader.probing import MAX_CANDIDATES, MAX_CHOICES, MAX_NAME
from grader.sandbox.gpu import Gpu
from grader.text import clean
from grader.wire.frames import Channel, ChannelClosed, Encoded, Frame, FrameTimeout, WireError, encode
from grader.worker.loading import FileSpec

START_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Site:
    """What a worker is given of one submission: its files, and the suite's settings for loading them.

    On `device` "cuda", `gpu` are the variables that say which one (`grader.sandbox.gpu.chosen`).
    """

    root: Path
    files: Sequence[FileSpec]
    absent: Sequence[str] = ()
    globals: Mapping[str, object] = field(default_factory=dict)
    device: str = "cpu"
    gpu: Mapping[str, str] = field(default_factory=dict)

    def tree(self, root: str, scratch: str) -> dict[str, object]:
        """The content of an `open` request: root and scratch folder ("" for none) as the worker sees them."""
        files = [{"id": f.id, "path": f.path, "expected": f.expected, "kind": f.kind} for f in self.files]
        settings = {"absent": list(self.absent), "globals": dict(self.globals), "device": self.device}
        return {"root": root, "scratch": scratch, "files": files, **settings}


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a worker's process ended; both None when that cannot be found out.

    `hung_up`: it had closed its channel and went on, so that it was killed. `starved`: the kernel killed for want of
    memory while it lived; None where that cannot be found out.
    """

    signal: int | None = None
    code: int | None = None
    hung_up: bool = False
    starved: bool | None = None


class Process(Protocol):
    """A started worker, as a back end sees it. `gpu` is what it found before it saw student code, if it has one."""

    channel: Channel
    dead: bool
    gpu: Gpu | None

    def kill(self) -> None:
        """End the process and everything it started. Safe to call twice."""
        ...

    def ending(self) -> Ending:
        """How it ended; waits a short time."""
        ...

    def output(self, since: int = 0) -> str:
        """What arrived on descriptors 1 and 2 after the first `since` bytes, capped."""
        ...

    def written(self) -> int:
        """How many bytes arrived there."""
        ...

    def memory_mib(self) -> float | None:
        """The memory that the process holds now, in MiB; None where that cannot be seen."""
        ...

    def processor_seconds(self) -> float | None:
        """The processor time that it has used, as the system counts it; None where that cannot be seen."""
        ...

    def starved_seconds(self) -> float | None:
        """How long it was ready to run and others had the processors; None where that cannot be seen."""
        ...


class Sandbox(Protocol):
    """A back end."""

    protections: Mapping[str, str]
    forks: bool  # a fresh worker costs milliseconds, not seconds

    def start(self, site: Site, limits: Limits) -> Process:
        """A worker with the submission opened. Raises SandboxError: an infrastructure fault."""
        ...

    def preload(self, modules: Sequence[str]) -> bool:
        """Have later workers hold these modules from the start. False when this back end has no need of it."""
        ...

    def close(self) -> None:
        """End what the back end keeps running."""
        ...


SIGXCPU = 24
MAX_PROGRESS = 2000
MOST_STARVED = 3.0


def ask(process: Process, kind: str, encoded: Encoded, limits: Limits, wall: float | None = None) -> Observation:
    """Send one request and judge the answer's form. Kills the worker unless it ends in values or an exception.

    `encoded` is the request's tree; `wall` seconds (default: the limits') are the deadline for the whole exchange.
    Both clocks are read here, outside the process: nothing that runs in it can stop or restart them.
    """
    request = secrets.token_hex(8)
    heard, clocks = Heard(), _Clocks(process, limits.cpu_seconds, limits.wall_seconds if wall is None else wall)
    observation: Observation
    try:
        process.channel.send(request, kind, encoded, clocks.deadline)
        frame = _answer(process, request, heard, clocks)
        if frame.id != request or frame.kind != "answer" or not process.channel.idle():
            raise WireError("the worker sent something that was not asked for")
        observation = parse_answer(frame.tree, limits)
    except FrameTimeout:
        observation = TimedOut(seconds=limits.wall_seconds)
    except _ProcessorTimeSpent:
        observation = TimedOut(seconds=limits.cpu_seconds, clock="processor")
    except WireError as error:
        observation = Malformed(what=str(error))
    except ChannelClosed:
        observation = explain_end(process.ending(), limits)
    if not isinstance(observation, (Values, Raised, NotImplementedYet)):
        process.kill()
    return heard.added_to(observation, clocks.starved)


@dataclass
class Heard:
    """What was reported and measured while a request ran: it is kept however the request ends.

    The GPU's memory is a report: from outside, one process's share cannot be seen in every container.
    """

    progress: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    memory_mib: list[float] = field(default_factory=list)
    gpu_mib: list[float] = field(default_factory=list)

    def added_to(self, observation: Observation, starved: float) -> Observation:
        """The observation with it in its notes."""
        notes = replace(
            observation.notes,
            progress=tuple(self.progress),
            memory_mib=tuple(self.memory_mib),
            gpu_mib=tuple(self.gpu_mib),
            starved=starved,
        )
        return replace(observation, notes=notes)


class _ProcessorTimeSpent(Exception):
    """The worker has used the processor time of the request."""


class _Clocks:
    """The time that a worker may take for one request, by the clock and of processors.

    On a busy machine the clock stands still while the worker waits for a processor, or right code would lose points
    because of its neighbours; MOST_STARVED times as long at most, because a worker can be its own neighbour.
    """

    def __init__(self, process: Process, processor: float, wall: float) -> None:
        self._process = process
        self._end = math.inf if (used := process.processor_seconds()) is None else used + processor
        self._deadline, self._most = time.monotonic() + max(0.01, wall), MOST_STARVED * max(0.0, wall)
        self._before, self._starved = process.starved_seconds() or 0.0, 0.0

    @property
    def starved(self) -> float:
        """Seconds by which the clock stood still; of a process that has ended what was last known."""
        now = (self._process.starved_seconds() or 0.0) - self._before
        self._starved = max(self._starved, min(now, self._most))
        return self._starved

    @property
    def deadline(self) -> float:
        """When time is up, as far as it is known now."""
        return self._deadline + self.starved

    def wait(self) -> None:
        """Wait for something to read. Raises _ProcessorTimeSpent, FrameTimeout."""
        while True:
            used = self._process.processor_seconds()
            left = math.inf if used is None else self._end - used
            if left <= 0:
                raise _ProcessorTimeSpent
            if (seconds := self.deadline - time.monotonic()) <= 0:
                raise FrameTimeout
            # All its threads together use at most this much less time than all processors have.
            if self._process.channel.waits(min(seconds, max(left / (os.cpu_count() or 1), 0.02))):
                return


def _answer(process: Process, request: str, heard: Heard, clocks: _Clocks) -> Frame:
    """The first frame that is no progress. Raises WireError for too much progress."""
    while True:
        clocks.wait()
        frame = process.channel.receive(clocks.deadline)
        if frame.kind != "progress" or frame.id != request:
            return frame
        if len(heard.progress) >= MAX_PROGRESS:
            raise WireError(f"more than {MAX_PROGRESS} progress frames")
        heard.progress.append(parse_progress(frame.tree))
        if (reported := parse_gpu_memory(frame.tree)) is not None:
            heard.gpu_mib.append(reported)
        if (memory := process.memory_mib()) is not None:
            heard.memory_mib.append(memory)


def parse_progress(tree: Mapping[str, object]) -> tuple[int, dict[str, float]]:
    """(step, {name: number}) of a progress frame, which beside them holds a GPU's memory at most. Raises WireError."""
    step, values = tree.get("step"), tree.get("values")
    if set(tree) - {"gpu_mib"} != {"step", "values"} or type(step) is not int or not isinstance(values, Mapping):
        raise WireError("a progress frame holds exactly a step and values")
    if len(values) > 8 or not all(type(value) is float for value in values.values()):
        raise WireError("the values of a progress frame are at most eight numbers")
    return step, {_short(str(name)): float(str(value)) for name, value in values.items()}


def _short(name: str) -> str:
    """The name as it may be passed on: at most 40 bytes, however it is written there."""
    name = clean(name, 40)
    while len(json.dumps(name)) > 42:
        name = name[:-1]
    return name


def parse_gpu_memory(tree: Mapping[str, object]) -> float | None:
    """What tensors held on the GPU, in MiB, as the worker says. Raises WireError for what is no amount of memory."""
    if "gpu_mib" not in tree:
        return None
    amount = tree["gpu_mib"]
    if type(amount) is not float or not 0 <= amount < 1 << 24:
        raise WireError("the GPU memory of a progress frame is a number of MiB")
    return amount


def request_tree(
    *,
    probe: str,
    inputs: object,
    options: object,
    seed: int,
    binding: Sequence[str] = (),
    trace: bool = False,
) -> Encoded:
    """The tree of a `run` request."""
    return encode(
        {
            "probe": probe,
            "inputs": inputs,
            "options": options,
            "binding": list(binding),
            "seed": seed,
            "trace": trace,
        }
    )


def explain_end(ending: Ending, limits: Limits) -> Observation:
    """What a worker's end without an answer means."""
    if ending.hung_up:
        return Died(how="it closed its connection to the grader and went on")
    if ending.signal == SIGXCPU:
        return TimedOut(seconds=limits.cpu_seconds, clock="processor")
    if ending.signal is not None:
        return Died(how=signal_name(ending.signal), starved=ending.starved)
    if ending.code is not None:
        return Died(how=f"the process ended itself with exit status {ending.code}")
    return Died(how="the process ended without an answer")


def signal_name(number: int) -> str:
    """A signal in words: "killed by SIGSEGV (segmentation fault)"."""
    import signal

    try:
        known = signal.Signals(number)
        return f"killed by {known.name} ({(signal.strsignal(number) or '').lower()})"
    except ValueError:
        return f"killed by signal {number}"


# --- answers --------------------------------------------------------------------------------------------------


def parse_answer(tree: Mapping[str, object], limits: Limits) -> Observation:
    """An answer's tree as an Observation. Raises WireError for anything that is not of the known form."""
    notes = parse_notes(tree.get("notes"))
    status = tree.get("status")
    if status == "values":
        values = tree.get("values")
        if not isinstance(values, Mapping):
            raise WireError("the answer holds no values")
        return Values(values=values, notes=notes)
    if status == "not_implemented":
        return NotImplementedYet(what=_text(tree, "what", 400), notes=notes)
    if status == "out_of_memory":
        message = _text(tree, "message", 1200)
        return OutOfMemory(limit_mib=limits.memory_mib, message=message, trace=_trace(tree), notes=notes)
    if status == "raised":
        return Raised(
            kind=_text(tree, "kind", 100),
            message=_text(tree, "message", 1200),
            where=_text(tree, "where", 300),
            trace=_trace(tree),
            notes=notes,
        )
    raise WireError("the answer has no known status")


def _trace(tree: Mapping[str, object]) -> tuple[str, ...]:
    trace = tree.get("trace")
    if not isinstance(trace, list) or len(trace) > 20:
        raise WireError("the answer's trace is not a short list")
    return tuple(clean(str(line), 400) for line in trace)


def parse_notes(value: object) -> Notes:
    """The worker's notes, checked and capped. Raises WireError."""
    if not isinstance(value, Mapping):
        raise WireError("the answer has no notes")
    if not value:
        return Notes()
    return Notes(
        binding=_text(value, "binding", 400),
        choices=_choices(value.get("choices")),
        undeclared=value.get("undeclared") is True,
        prints=_count(value, "prints"),
        print_text=_text(value, "print_text", 6000),
        printing=_texts(value, "printing") or (),
        loading=_texts(value, "loading") or (),
        operations=_texts(value, "operations"),
        module_types=_texts(value, "module_types"),
        seconds=float(str(value.get("seconds", 0.0))) if isinstance(value.get("seconds"), float) else 0.0,
    )


def _choices(value: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, list) or len(value) > MAX_CHOICES:
        raise WireError(f"the answer's choices are not a list of at most {MAX_CHOICES}")
    choices = []
    for entry in value:
        if not isinstance(entry, list) or not 2 <= len(entry) <= MAX_CANDIDATES + 1:
            raise WireError("a choice of the answer does not hold its name and those of its candidates")
        if not all(isinstance(name, str) and len(name) <= MAX_NAME for name in entry):
            raise WireError("a choice of the answer has a name that is none, or too long")
        choices.append((entry[0], tuple(entry[1:])))
    return tuple(choices)


def _text(tree: Mapping[str, object], name: str, limit: int) -> str:
    value = tree.get(name)
    if not isinstance(value, str):
        raise WireError(f"the answer's {name} is not a string")
    return clean(value, limit)


def _count(tree: Mapping[str, object], name: str) -> int:
    value = tree.get(name)
    if type(value) is not int or not 0 <= value < 1 << 40:
        raise WireError(f"the answer's {name} is not a count")
    return value


def _texts(tree: Mapping[str, object], name: str) -> tuple[str, ...] | None:
    value = tree.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or len(value) > 1000:
        raise WireError(f"the answer's {name} is not a list of at most 1000 strings")
    return tuple(clean(str(entry), 300) for entry in value)
