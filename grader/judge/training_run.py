"""The `training` fixture: train in one worker, evaluate in others, all of them a submission's."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TypeVar

import torch

from grader.assignment.assignment import Budget, Item, Limits, TrainingWay
from grader.datasets.source import DataSource, LostData, MissingData
from grader.errors import SandboxError
from grader.judge.attempt import Attempt
from grader.judge.calls import cloned
from grader.judge.sides import Ended, ReferenceSide
from grader.judge.verdicts import KILLED, of_observation
from grader.model import Died, Malformed, Observation, OutOfMemory, Raised, TimedOut, Values
from grader.sandbox.base import Process, Sandbox, Site, ask, request_tree
from grader.sandbox.missing import missing_module
from grader.suite.cases import generator_of
from grader.suite.metrics import Measure
from grader.suite.training import Counterpart, Trained
from grader.text import one_line
from grader.wire.frames import WireError, encode
from grader.wire.pieces import MAX_BYTES, Assembly, batches
from grader.worker.loading import Probe

T = TypeVar("T")

MISSING_MODULES = 8
EVALUATION = 2  # times what the training may take

Alone = Callable[[bool], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class Gym:
    """Where trainings of one submission take place, and with what. `alone(True)` waits until no other training runs.

    `data`: as for a `Trial`.
    """

    sandbox: Sandbox
    site: Site
    source: DataSource
    seed: str
    alone: Alone
    data: Mapping[str, str] = field(default_factory=dict)


class WorkerPredictor:
    """A trained model in a worker of its own."""

    def __init__(self, run: TrainingRun, probe: Probe, trained: Trained, options: Mapping[str, object]) -> None:
        self._run = run
        self._probe = probe
        self._trained = trained
        self._options = options
        self._process: Process | None = None
        self.draw = run.draw

    def __call__(self, batch: Mapping[str, object]) -> Mapping[str, object]:
        """The probe's values. Raises Ended when there are none, or when all answers together took too long."""
        self._run.require_time()
        if self._process is None or self._process.dead:
            self._process = self._run.predicting()
            self._run.give(self._process, "weights", self._trained.weights)
        started = time.perf_counter()
        observation = self._run.ask(self._process, self._probe, batch, self._options)
        self._run.attempt.evaluation_seconds += time.perf_counter() - started
        if self._run.preload(observation) or self._run.leaves_the_gpu(observation):
            self._process = None
            return self(batch)
        if not isinstance(observation, Values):
            raise Ended(observation)
        return observation.values

    def fresh(self) -> WorkerPredictor:
        """The same weights in a virgin process, which is alone: this one, which has seen the batches, is ended."""
        self._run.end_predicting()
        return WorkerPredictor(self._run, self._probe, self._trained, self._options)


class TrainingRun:
    """The `training` fixture: one attempt at one item of one submission."""

    def __init__(self, gym: Gym, item: Item, budget: Budget, number: int, reference: ReferenceSide) -> None:
        self._gym = gym
        self._site = gym.site
        self._reference = reference
        self._needs_gpu = item.needs.gpu
        self._had_data = gym.data.get(item.id) == ""
        self._limits = Limits(
            wall_seconds=2 * budget.seconds, cpu_seconds=budget.seconds, memory_mib=budget.memory_mib, output_kib=64
        )
        self._modules_left = MISSING_MODULES
        self.source = gym.source
        self.steps = budget.steps
        self.attempt = Attempt(device=gym.site.device)
        digest = hashlib.sha256(f"{gym.seed}\0{item.id}\0{number}".encode()).digest()
        self._seed = int.from_bytes(digest[:4], "big")
        # Another stream than the worker's, which knows its seed.
        self.draw = generator_of(digest[4:])
        self._predicting: Process | None = None

    # --- for tests --------------------------------------------------------------------------------------------

    def data(self, build: Callable[[DataSource, torch.Generator], T]) -> T:
        """The task's data, relabelled by the run's secret stream."""
        try:
            return build(self.source, self.draw)
        except MissingData as missing:
            if not self._had_data:
                raise
            raise LostData(f"The data was there when this run began, and is there no more. {missing}") from None

    def train(self, probe: Probe, *, given: Mapping[str, torch.Tensor], **options: object) -> Trained:
        """Train in a fresh worker. Raises Ended when no weights come back."""
        with self._gym.alone(False):
            process, observation = self._train(probe, given, options)
        if others_may_be_to_blame(observation, self._site.device):
            with self._gym.alone(True):
                process, observation = self._train(probe, given, options)
        if self.leaves_the_gpu(observation):
            return self.train(probe, given=given, **options)
        if not isinstance(observation, Values):
            raise Ended(observation)
        self.attempt.values, self.attempt.trained = observation.values, True
        weights, start = self._take(process, "weights"), self._take(process, "start")
        process.kill()
        return Trained(
            weights=weights,
            start=start,
            curve=observation.notes.progress,
            values=observation.values,
            seconds=self.attempt.seconds,
        )

    def predictor(self, probe: Probe, trained: Trained, **options: object) -> WorkerPredictor:
        """The trained model in a fresh worker."""
        return WorkerPredictor(self, probe, trained, options)

    def counterpart(self, probe: Probe, trained: Trained, **options: object) -> Counterpart:
        """The reference with the submission's weights, here in the judge: they are tensors, nothing of its code."""

        def run(batch: Mapping[str, object]) -> Mapping[str, object] | None:
            return self._reference.with_weights(probe, trained.weights, {**batch, **options})

        return run

    def measured(
        self,
        measure: Measure,
        *,
        data: str = "",
        beside: Mapping[str, float] | None = None,
        way: TrainingWay = "retrained",
        note: str = "",
        doubt: str = "",
    ) -> None:
        """Store the item's figure."""
        self.attempt.doubt = doubt
        self.attempt.measure, self.attempt.beside = measure, dict(beside or {})
        self.attempt.way, self.attempt.note, self.attempt.data = way, note, data

    # --- the conversation -------------------------------------------------------------------------------------

    def worker(self) -> Process:
        """A fresh worker with the item's limits."""
        return self._gym.sandbox.start(self._site, self._limits)

    def predicting(self) -> Process:
        """A fresh worker for a predictor, when no other is left that could tell it what it saw."""
        self.end_predicting()
        self._predicting = self.worker()
        return self._predicting

    def end_predicting(self) -> None:
        """End the worker that predicts, and wait until it is gone with every lock that it held."""
        if self._predicting is not None:
            self._predicting.kill()
            self._predicting.ending()
            self._predicting = None

    def require_time(self) -> None:
        """Raises Ended when evaluation has had its time: many slow answers must not hold up the judge for hours."""
        seconds = EVALUATION * self._limits.wall_seconds
        if self.attempt.evaluation_seconds > seconds:
            raise Ended(TimedOut(seconds=seconds))

    def give(self, process: Process, place: str, tensors: Mapping[str, torch.Tensor]) -> None:
        """Send named tensors in pieces. Raises Ended when the worker does not take them."""
        waiting: list[dict[str, object]] = []
        for batch in batches(tensors):
            if waiting:
                self._send(process, place, waiting, last=False)
            waiting = batch
        self._send(process, place, waiting, last=True)

    def _give_data(self, process: Process, given: Mapping[str, torch.Tensor]) -> None:
        """Send the training split. No line of the student has run yet, so it is never their fault when that fails."""
        try:
            self.give(process, "data", given)
        except Ended as ended:
            what = of_observation(ended.observation).message
            size = sum(tensor.nbytes for tensor in given.values()) / (1 << 20)
            raise SandboxError(
                f"the worker did not take the training split of {size:.0f} MiB: {what} Does `memory_mib`, "
                f"{self._limits.memory_mib}, leave room for it?"
            ) from None

    def _send(self, process: Process, place: str, batch: object, *, last: bool) -> None:
        tree = {"place": place, "pieces": batch, "last": last}
        observation = ask(process, "give", encode(tree), self._limits)
        if not isinstance(observation, Values):
            raise Ended(observation)

    def _take(self, process: Process, place: str) -> dict[str, torch.Tensor]:
        # What a worker holds cannot be more than it was given memory for.
        assembly, first = Assembly(min(MAX_BYTES, self._limits.memory_mib << 20)), True
        # One deadline for all pieces: a worker that sleeps before each must not hold up the judge for hours.
        deadline = time.monotonic() + self._limits.wall_seconds
        while True:
            tree = {"place": place, "first": first}
            left = deadline - time.monotonic()
            observation = ask(process, "take", encode(tree), self._limits, left)
            if not isinstance(observation, Values):
                raise Ended(observation)
            pieces, first = observation.values.get("pieces"), False
            try:
                if pieces is None:
                    return assembly.finished()
                assembly.add(pieces)
            except WireError as error:
                process.kill()
                raise Ended(Malformed(what=str(error))) from None

    def ask(
        self,
        process: Process,
        probe: Probe,
        inputs: Mapping[str, object],
        options: Mapping[str, object],
        wall: float | None = None,
    ) -> Observation:
        """Run one probe in a worker."""
        request = request_tree(
            probe=getattr(probe, "__name__", ""),
            inputs=cloned(inputs),
            options=options,
            seed=self._seed,
            trace=False,
        )
        return ask(process, "run", request, self._limits, wall)

    def leaves_the_gpu(self, observation: Observation) -> bool:
        """Go on with the processor when student code raised on the GPU, unless the item demands that it run there."""
        if self._site.device == "cpu" or self._needs_gpu or not isinstance(observation, Raised):
            return False
        self._site = replace(self._site, device="cpu", gpu={})
        if not self.attempt.curve:
            self.attempt.device = "cpu"
        self.attempt.moved = (
            f"On the GPU your code raised {observation.kind} ({one_line(observation.message, 300)}), so the processor "
            "was used instead."
        )
        return True

    def preload(self, observation: Observation) -> bool:
        """Have the zygote import what a worker missed. False when that does not help."""
        name = missing_module(observation)
        if name is None:
            return False
        self._modules_left -= 1
        return self._modules_left >= 0 and self._gym.sandbox.preload([name])

    def _train(
        self, probe: Probe, given: Mapping[str, torch.Tensor], options: Mapping[str, object]
    ) -> tuple[Process, Observation]:
        left = self._limits.wall_seconds  # for all tries together: a submission can claim to miss a module
        while True:
            process = self.worker()
            self._give_data(process, given)
            self.attempt.started = True
            started = time.perf_counter()
            observation = self.ask(process, probe, {}, options, left)
            self.attempt.seconds = time.perf_counter() - started
            left -= self.attempt.seconds
            self.attempt.curve = observation.notes.progress
            self.attempt.memory_mib = observation.notes.memory_mib
            self.attempt.gpu_mib = observation.notes.gpu_mib
            self.attempt.device, self.attempt.gpu = self._site.device, "" if process.gpu is None else process.gpu.name
            if left <= 0 or not self.preload(observation):
                return process, observation
            process.kill()


def others_may_be_to_blame(observation: Observation, device: str) -> bool:
    """Whether a training may have ended so because others ran beside it; it is repeated alone before that counts."""
    match observation:
        case TimedOut(clock="wall"):
            return True  # of the processor's time
        case OutOfMemory():
            return device != "cpu"  # a GPU's memory belongs to everybody; on the CPU every process has its own limit
        case Died(how=how):
            return how == KILLED  # as the system does when the machine's memory runs out
        case _:
            return False
