"""One training as it goes, and the result that the attempts at an item lead to.

What the worker reported while it trained (steps, losses) is a claim and is stored as one; the figure comes from the
weights alone.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch

from grader.assignment.assignment import Budget, Item, Training, TrainingWay
from grader.model import CheckResult
from grader.suite.metrics import Measure
from grader.text import one_line
from grader.thresholds import FIGURES

CURVE_POINTS = 200
STORED_EXAMPLES = 40_000


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


def result_of(item: Item, budget: Budget, source: str, attempts: list[Attempt]) -> CheckResult:
    """The best attempt's figure with everything that was seen; or why there is none."""
    valid = [attempt for attempt in attempts if attempt.verdict is None and attempt.measure is not None]
    training = item.training
    assert training is not None
    sign = 1 if training.higher_is_better else -1
    best = max(valid, key=lambda a: sign * a.measure.value) if valid else attempts[0]  # type: ignore[union-attr]
    figures = figures_of(training, budget, source, best, attempts)
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


def figures_of(
    training: Training, budget: Budget, source: str, best: Attempt, attempts: list[Attempt]
) -> dict[str, object]:
    """What is stored of a training: the best attempt's figure, and everything that was seen beside it."""
    measure = best.measure
    steps = max((step for step, _ in best.curve), default=0)
    return {
        "counts": measure is not None and best.verdict is None,
        "source": source,
        "data": best.data or ("" if source == "made" else budget.substitute or training.data),
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
        "claims": {one_line(k, 40): v for k, v in list(best.values.items())[:20] if isinstance(v, (bool, int, float))},
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
