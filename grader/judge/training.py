"""Training items of one submission: train in one worker, evaluate in others, and store what the judge measured.

A training runs once per submission and seed, never for an explanation. What the worker reports while it trains (steps,
losses) is a claim and is shown as one; the figure comes from the weights alone.
"""

from __future__ import annotations

import base64
import hashlib
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import TypeVar

import pytest
import torch

from grader.assignment import Budget, Item, Limits, Training, TrainingWay
from grader.datasets.source import DamagedData, DataSource, MissingData
from grader.errors import SandboxError
from grader.judge.calls import cloned
from grader.judge.drawing import inner_of
from grader.judge.plugin import Handed, JudgePlugin, Stage
from grader.judge.recording import Recorded
from grader.judge.sides import Ended, ReferenceSide, Side
from grader.judge.verdicts import KILLED, Verdict, of_disagreement, of_observation
from grader.model import (
    DATA_REASON,
    CheckResult,
    Died,
    Malformed,
    Observation,
    OutOfMemory,
    Raised,
    TimedOut,
    Values,
    unjudged,
)
from grader.pieces import Assembly, batches
from grader.sandbox.base import Process, Sandbox, Site, ask, request_tree
from grader.sandbox.missing import missing_module
from grader.suite.agreement import Disagreement
from grader.suite.metrics import Measure
from grader.suite.training import Counterpart, Trained
from grader.text import clean, one_line
from grader.thresholds import FIGURES, misses_narrowly
from grader.wire import WireError, encode
from grader.worker.loading import Probe

T = TypeVar("T")

MISSING_MODULES = 8
CURVE_POINTS = 200
STORED_EXAMPLES = 40_000
EVALUATION = 2  # times what the training may take
TRIES = 2  # the second one only in the grey zone

Alone = Callable[[bool], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class Gym:
    """Where trainings of one submission take place, and with what. `alone(True)` waits until no other training runs."""

    sandbox: Sandbox
    site: Site
    source: DataSource
    seed: str
    alone: Alone


@dataclass
class Attempt:
    """One training with one seed, as it grows; kept whatever happens to it.

    `gpu` names the GPU, `moved` says why the training was not made there after all.
    """

    curve: tuple[tuple[int, Mapping[str, float]], ...] = ()
    memory_mib: tuple[float, ...] = ()
    gpu_mib: tuple[float, ...] = ()
    device: str = "cpu"
    gpu: str = ""
    moved: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    seconds: float = 0.0
    evaluation_seconds: float = 0.0
    measure: Measure | None = None
    beside: Mapping[str, float] = field(default_factory=dict)
    way: TrainingWay = "retrained"
    note: str = ""
    doubt: str = ""
    data: str = ""
    verdict: CheckResult | None = None
    started: bool = False
    trained: bool = False

    def stage(self, budget: int) -> str:
        """How far it had come when it ended; "" when nothing had begun."""
        if self.trained:
            return "The training had ended; this happened while the trained model was evaluated."
        if not self.started:
            return ""
        if not self.curve:
            return f"No step of the {budget} had been reported."
        return f"The last of the {budget} steps that was reported is {self.curve[-1][0]}."


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
            self._process = self._run.worker()
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
        """The same weights in a virgin process."""
        return WorkerPredictor(self._run, self._probe, self._trained, self._options)


class TrainingRun:
    """The `training` fixture: one attempt at one item of one submission."""

    def __init__(self, gym: Gym, item: Item, budget: Budget, number: int, reference: ReferenceSide) -> None:
        self._gym = gym
        self._site = gym.site
        self._reference = reference
        self._needs_gpu = item.needs.gpu
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
        self.draw = torch.Generator().manual_seed(int.from_bytes(digest[4:12], "big") >> 1)

    # --- for tests --------------------------------------------------------------------------------------------

    def data(self, build: Callable[[DataSource, torch.Generator], T]) -> T:
        """The task's data, relabelled by the run's secret stream."""
        return build(self.source, self.draw)

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
        tree = {"place": place, "pieces": batch, "last": last, "cpu_seconds": self._limits.cpu_seconds}
        observation = ask(process, "give", encode(tree), self._limits)
        if not isinstance(observation, Values):
            raise Ended(observation)

    def _take(self, process: Process, place: str) -> dict[str, torch.Tensor]:
        assembly, first = Assembly(), True
        # One deadline for all pieces: a worker that sleeps before each must not hold up the judge for hours.
        deadline = time.monotonic() + self._limits.wall_seconds
        while True:
            tree = {"place": place, "first": first, "cpu_seconds": self._limits.cpu_seconds}
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
        self, process: Process, probe: Probe, inputs: Mapping[str, object], options: Mapping[str, object]
    ) -> Observation:
        """Run one probe in a worker."""
        request = request_tree(
            probe=getattr(probe, "__name__", ""),
            inputs=cloned(inputs),
            options=options,
            binding=0,
            seed=self._seed,
            trace=False,
            limits=self._limits,
        )
        return ask(process, "run", request, self._limits)

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
        while True:
            process = self.worker()
            self._give_data(process, given)
            self.attempt.started = True
            started = time.perf_counter()
            observation = self.ask(process, probe, {}, options)
            self.attempt.seconds = time.perf_counter() - started
            self.attempt.curve = observation.notes.progress
            self.attempt.memory_mib = observation.notes.memory_mib
            self.attempt.gpu_mib = observation.notes.gpu_mib
            self.attempt.device, self.attempt.gpu = self._site.device, "" if process.gpu is None else process.gpu.name
            if not self.preload(observation):
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


class TrainingJudge:
    """Judges training items of one submission; two attempts at most."""

    def __init__(self, plugin: JudgePlugin, gym: Gym, sides: tuple[Side, ReferenceSide], handed: Handed) -> None:
        self._plugin = plugin
        self._gym = gym
        self._sides = sides
        self._handed = handed

    def judge(self, recorded: Recorded) -> CheckResult:
        """The item's result. Never raises: what goes wrong on the grader's side is a grader error."""
        started = time.perf_counter()
        result = self._judge(recorded)
        return replace(result, seconds=round(time.perf_counter() - started, 6))

    def _judge(self, recorded: Recorded) -> CheckResult:
        item, training = recorded.item, recorded.item.training
        assert training is not None
        source = self._gym.source.kind
        budget = training.budget(source)
        if budget is None:
            return _skipped(item, "this item has no training on real data; use the made data")
        evidence = self._plugin.assignment.evidence_of(item.id, source)
        attempts: list[Attempt] = []
        for number in range(TRIES):
            attempt = self._attempt(recorded, budget, number)
            attempts.append(attempt)
            measure = attempt.measure
            if measure is None or attempt.verdict is not None:
                break
            if not misses_narrowly(training, budget, evidence, measure.value, measure.standard_error):
                break
        return _result(item, training, budget, self._gym, attempts)

    def _attempt(self, recorded: Recorded, budget: Budget, number: int) -> Attempt:
        student, reference = self._sides
        run = TrainingRun(self._gym, recorded.item, budget, number, reference)
        ended: list[CheckResult] = []

        def perform(test: pytest.Function, fixtures: dict[str, object]) -> None:
            if (result := _performed(recorded.item, test, fixtures, run)) is not None:
                ended.append(result)

        try:
            with self._plugin.staged(Stage(student, reference, self._handed, perform, run)):
                trouble = self._plugin.run(recorded.item.id, log=False)
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"
        if ended:
            run.attempt.verdict = ended[0]
        elif trouble or run.attempt.measure is None:
            run.attempt.verdict = unjudged(recorded.item.id, clean(trouble or "the test measured nothing", 6000))
        return run.attempt


def _performed(item: Item, test: pytest.Function, fixtures: dict[str, object], run: TrainingRun) -> CheckResult | None:
    """Run the test's body; what ended it before its end, as a result."""
    try:
        inner_of(test.obj)(**fixtures)
    except Disagreement as disagreement:
        return _judged(item, of_disagreement(disagreement))
    except Ended as ended:
        verdict = of_observation(ended.observation)
        stage = run.attempt.stage(run.steps) if verdict.status == "failed" else ""
        return _judged(item, replace(verdict, message="\n".join(filter(None, (verdict.message, stage)))))
    except MissingData as missing:
        return _skipped(item, missing.message, str(missing))
    except DamagedData as damaged:
        return unjudged(item.id, clean(str(damaged), 6000))
    return None


def _judged(item: Item, verdict: Verdict) -> CheckResult:
    message = clean(verdict.message, 4000)
    return CheckResult(item=item.id, status=verdict.status, reason=verdict.reason, message=message)


def _skipped(item: Item, reason: str, staff: str = "") -> CheckResult:
    """Not run for want of data; `staff` says what to put where, which is no concern of students."""
    message = f"Skipped: {clean(reason, 3000)}"
    return CheckResult(
        item=item.id, status="skipped", reason=DATA_REASON, message=message, staff=clean(staff or reason, 3000)
    )


def _result(item: Item, training: Training, budget: Budget, gym: Gym, attempts: list[Attempt]) -> CheckResult:
    """The best attempt's figure with everything that was seen; or why there is none."""
    valid = [attempt for attempt in attempts if attempt.verdict is None and attempt.measure is not None]
    sign = 1 if training.higher_is_better else -1
    best = max(valid, key=lambda a: sign * a.measure.value) if valid else attempts[0]  # type: ignore[union-attr]
    figures = _figures(training, budget, gym, best, attempts)
    notes = [note for note in (best.note, best.moved) if note]
    if best.verdict is not None:
        verdict = replace(best.verdict, notes=(*best.verdict.notes, *notes))
        return replace(verdict, figures={FIGURES: figures}) if best.curve else verdict
    assert best.measure is not None
    if len(attempts) > 1:
        shown = " and ".join(f"{a.measure.value:.4g}" for a in attempts if a.measure is not None)
        notes.append(f"The first figure missed narrowly, so it was trained again: {shown}; the better counts.")
    if outside := _impossible(training, best.measure.value):
        notes.append(outside)
    if best.doubt:
        notes.append(f"{best.doubt} A person should look at it.")
    # Status and credit are provisional: scoring decides them from the manifest's threshold.
    return CheckResult(item=item.id, status="passed", credit=1.0, notes=tuple(notes), figures={FIGURES: figures})


def _impossible(training: Training, value: float) -> str:
    if not training.possible or training.possible[0] <= value <= training.possible[1]:
        return ""
    low, high = training.possible
    return f"The figure {value:.4g} is outside what is possible here ({low:g} to {high:g}): a person should look at it."


def _figures(training: Training, budget: Budget, gym: Gym, best: Attempt, attempts: list[Attempt]) -> dict[str, object]:
    measure = best.measure
    steps = max((step for step, _ in best.curve), default=0)
    return {
        "counts": measure is not None and best.verdict is None,
        "source": gym.source.kind,
        "data": best.data or ("" if gym.source.made else budget.substitute or training.data),
        "metric": training.metric,
        "counted": training.counted,
        "value": measure.value if measure else None,
        "standard_error": measure.standard_error if measure else None,
        "runs": [attempt.measure.value for attempt in attempts if attempt.measure is not None],
        "beside": dict(best.beside),
        "way": best.way,
        "device": best.device,
        "gpu": best.gpu,
        "steps": steps,
        "budget": budget.steps,
        "seconds": round(best.seconds, 3),
        "evaluation_seconds": round(best.evaluation_seconds, 3),
        "steps_per_second": round(steps / best.seconds, 3) if best.seconds else None,
        "peak_mib": peak(best.memory_mib),
        "steady_mib": steady(best.memory_mib),
        "gpu_peak_mib": peak(best.gpu_mib),
        "gpu_steady_mib": steady(best.gpu_mib),
        "claims": {k: v for k, v in list(best.values.items())[:20] if isinstance(v, (bool, int, float))},
        "curve": [[step, dict(values)] for step, values in thinned(best.curve)],
        "examples": stored(measure.per_example) if measure else None,
        "outside": bool(best.doubt or (measure and _impossible(training, measure.value))),
    }


def peak(samples: Sequence[float]) -> float | None:
    """The greatest amount of memory; None when none was seen."""
    return round(max(samples), 1) if samples else None


def steady(samples: Sequence[float]) -> float | None:
    """The average over the second half, when a training has settled; None when nothing was seen."""
    settled = samples[len(samples) // 2 :]
    return round(sum(settled) / len(settled), 1) if settled else None


def thinned(curve: tuple[tuple[int, Mapping[str, float]], ...]) -> list[tuple[int, Mapping[str, float]]]:
    """At most 200 points, the first and the last among them."""
    if len(curve) <= CURVE_POINTS:
        return list(curve)
    last = len(curve) - 1
    return [curve[round(i * last / (CURVE_POINTS - 1))] for i in range(CURVE_POINTS)]


def stored(examples: torch.Tensor) -> dict[str, object]:
    """Per-example results in a form that fits into a line of the journal: half precision or bytes, compressed."""
    kept = examples.reshape(-1)[:STORED_EXAMPLES]
    small = kept.half() if kept.is_floating_point() else kept.to(torch.int16)
    raw = zlib.compress(small.numpy().tobytes(), 9)
    return {
        "count": len(examples),
        "dtype": str(small.dtype).removeprefix("torch."),
        "zlib": base64.b64encode(raw).decode(),
    }
