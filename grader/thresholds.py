"""A measured figure and the manifest's threshold → status and credit. Pure, so that a new threshold runs no code.

The judge stores what it measured in `CheckResult.figures["training"]`; scoring calls `decided` before it adds up. The
judge uses the same functions for one thing only: whether a figure misses so narrowly that it is measured again.

The rule of the grey zone: a figure that misses what earns everything by less than three spreads of the reference's
seeds (or of the style that spreads most, or twice its own standard error, if that is more) is measured once more from
another seed, and the better of the two counts. Where that one misses as narrowly, a person decides.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from grader.assignment.assignment import SHARES, Assignment, Budget, Evidence, Item, Predictions, Training
from grader.model import NARROW_REASON, CheckResult, Graded

FIGURES = "training"
PREDICTED = "predictions"  # as FIGURES, of what was handed in
SPREADS = 3.0
THRESHOLD = "the threshold"


def decided(graded: Graded, assignment: Assignment) -> Graded:
    """The results with status and credit of every measured figure as the manifest wants them now."""
    changed = {
        item.id: _decide(item, graded.results[item.id], graded, assignment)
        if measured(graded.results[item.id])
        else _without_a_figure(graded.results[item.id])
        for item in assignment.items
        if item.training is not None and item.id in graded.results
    }
    return replace(graded, results={**graded.results, **changed}) if changed else graded


def _without_a_figure(result: CheckResult) -> CheckResult:
    """A training without a figure has no credit, whatever was stored: a pass by itself would be nobody's decision."""
    if result.status != "passed" and result.credit == 0:
        return result
    message = "No figure is stored for this training; run it again."
    return replace(result, status="grader_error", credit=0.0, message=message)


def of_training(result: CheckResult | None) -> Mapping[str, object] | None:
    """All that is stored of a training, whether its figure counts or not; None when there was none."""
    found = result.figures.get(FIGURES) if result is not None else None
    return found if found is not None and isinstance(found, Mapping) else None


def is_doubtful(result: CheckResult | None) -> bool:
    """Whether what was measured is impossible or in doubt."""
    found = of_training(result)
    return found is not None and found.get("outside") is True


def on_made_data(result: CheckResult | None) -> bool:
    """Whether a training ran on data made by code, which shows that it learns, not what the handout asks for."""
    found = of_training(result)
    return found is not None and found.get("source") == "made"


def measured(result: CheckResult) -> Mapping[str, object] | None:
    """What was measured, when there is a figure that may count: honest, and on known data."""
    found = of_training(result)
    if found is None or found.get("counts") is not True:
        return None
    complete = type(found.get("value")) in (float, int) and isinstance(found.get("source"), str)
    return found if complete else None


def figure_of(result: CheckResult) -> float | None:
    """The figure that may count; None when there is none."""
    found = measured(result) or result.figures.get(PREDICTED)
    return float(str(found["value"])) if isinstance(found, Mapping) else None


def bar_of(item: Item, budget: Budget, graded: Graded, assignment: Assignment) -> tuple[float | None, str]:
    """The figure that earns everything, and where it comes from; the stricter one of threshold and rival."""
    training = item.training
    assert training is not None
    if training.beats is None:
        return budget.full, THRESHOLD
    rival, whose = _rival(training.beats, str(_source(graded.results[item.id])), graded, assignment)
    if rival is None or (budget.full is not None and better(training, budget.full, rival)):
        return budget.full, THRESHOLD
    return rival, whose


def _rival(name: str, source: str, graded: Graded, assignment: Assignment) -> tuple[float | None, str]:
    found = graded.results.get(name)
    figures = measured(found) if found is not None else None
    if figures is not None and figures.get("source") == source and _earned(name, graded, assignment):
        return figure_of(graded.results[name]), f"the figure of {name}"
    evidence = assignment.evidence_of(name, source)
    return (evidence.mean if evidence else None), f"the reference's figure of {name}"


def _earned(name: str, graded: Graded, assignment: Assignment) -> bool:
    return _decide(assignment.item(name), graded.results[name], graded, assignment).credit > 0


def _source(result: CheckResult) -> object:
    figures = measured(result)
    return figures["source"] if figures else ""


def _decide(item: Item, result: CheckResult, graded: Graded, assignment: Assignment) -> CheckResult:
    training, figures = item.training, measured(result)
    assert training is not None
    assert figures is not None
    budget = training.budget(str(figures["source"]))
    if budget is None:
        return replace(
            result, status="grader_error", credit=0.0, message="The manifest has no threshold for this data."
        )
    value = figure_of(result)
    assert value is not None
    full, origin = bar_of(item, budget, graded, assignment)
    credit = credit_for(training, budget, full, value)
    sentence = _sentence(training, budget, figures, full, origin)
    result = replace(result, figures={**result.figures, FIGURES: {**figures, "bar": full}})
    if credit >= 1:
        return replace(result, status="passed", credit=1.0, reason="", message="", notes=_noted(result, sentence))
    evidence = assignment.evidence_of(item.id, str(figures["source"]))
    error = float(str(figures.get("standard_error") or 0.0))
    if _tries(figures) > 1 and misses_narrowly(training, budget, evidence, value, error):
        return replace(result, status="failed", credit=credit, reason=NARROW_REASON, message=sentence)
    reason = "below the threshold" if training.higher_is_better else "above the threshold"
    return replace(result, status="failed", credit=credit, reason=reason, message=sentence)


def _tries(figures: Mapping[str, object]) -> int:
    runs = figures.get("runs")
    return len(runs) if isinstance(runs, Sequence) else 1


def _noted(result: CheckResult, sentence: str) -> tuple[str, ...]:
    return result.notes if sentence in result.notes else (sentence, *result.notes)


def better(training: Training | Predictions, a: float, b: float) -> bool:
    """Whether figure `a` is strictly better than `b`."""
    return a > b if training.higher_is_better else a < b


def credit_for(
    training: Training | Predictions, budget: Budget | Predictions, full: float | None, value: float
) -> float:
    """Credit in [0, 1]. NaN earns nothing; without any threshold every finite figure earns everything."""
    if not math.isfinite(value):
        return 0.0
    if full is None or value == full or better(training, value, full):
        return 1.0
    # From the best figure to the worst: the first point is what earns everything.
    curve = [(full, 1.0), *((point[0], point[1]) for point in budget.credit if better(training, full, point[0]))]
    for (upper, more), (lower, less) in pairwise(curve):
        if value == lower or better(training, value, lower):
            return less + (more - less) * (value - lower) / (upper - lower)
    return 0.0


def misses_narrowly(training: Training, budget: Budget, evidence: Evidence | None, value: float, error: float) -> bool:
    """Whether the figure is in the grey zone below (for a perplexity above) what earns everything."""
    if budget.full is None or credit_for(training, budget, budget.full, value) >= 1 or not math.isfinite(value):
        return False
    return abs(value - budget.full) <= grey(evidence, error)


def grey(evidence: Evidence | None, error: float) -> float:
    """The width of the grey zone: three spreads of seeds, of whatever style, or two standard errors of the figure."""
    return max(SPREADS * evidence.widest if evidence else 0.0, 2 * error)


def margins(training: Training, budget: Budget, figures: Sequence[float], rivals: Sequence[float]) -> list[float]:
    """By how much each figure clears its bar; negative where it misses. `rivals` are figures to beat, seed by seed."""
    sign = 1 if training.higher_is_better else -1
    bars = [budget.full] * len(figures) if budget.full is not None else [-sign * math.inf] * len(figures)
    if training.beats is not None:
        pairs = zip(bars, rivals, strict=True)
        bars = [sign * max(sign * bar, sign * rival) for bar, rival in pairs]
    return [sign * (figure - bar) for figure, bar in zip(figures, bars, strict=True)]


def false_fail(cleared: Sequence[float], *, again: bool, alike: Sequence[float] = ()) -> float:
    """The chance that one more seed misses its bar, from at least two margins.

    A prediction from few seeds: Student's t with n - 1 degrees of freedom around their mean. `again`: what misses
    within the grey zone is tried a second time, and a person decides where it misses again. `alike`: margins around
    another mean, of what spreads alike; both say how far (pooled), so that a single margin of its own is enough.
    """
    if math.inf in cleared:
        return 0.0
    if not all(map(math.isfinite, (*cleared, *alike))):
        return 1.0  # the reference itself diverged
    groups = [group for group in (cleared, alike) if group]
    freedom = sum(len(group) - 1 for group in groups)
    squares = sum((margin - statistics.fmean(group)) ** 2 for group in groups for margin in group)
    count, mean, spread = len(cleared), statistics.fmean(cleared), math.sqrt(squares / freedom)
    if spread == 0:
        return 0.0 if mean >= 0 else 1.0
    scale = spread * math.sqrt(1 + 1 / count)
    return student_tail((mean + (SPREADS * spread if again else 0.0)) / scale, freedom)


def student_tail(t: float, freedom: int) -> float:
    """P(T > t) of Student's distribution, by Simpson's rule over the angle (T = sqrt(freedom) tan a)."""
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(math.pi)
    low, high, steps = math.atan(t / math.sqrt(freedom)), math.pi / 2, 2000
    width = (high - low) / steps
    weights = [1 if i in (0, steps) else 4 if i % 2 else 2 for i in range(steps + 1)]
    area = sum(w * math.cos(low + i * width) ** (freedom - 1) for i, w in enumerate(weights)) * width / 3
    return min(1.0, max(0.0, scale * area))


def _sentence(
    training: Training, budget: Budget, figures: Mapping[str, object], full: float | None, origin: str
) -> str:
    """What was measured and what was wanted, for the student."""
    name = training.metric.replace("_", " ").capitalize()
    error = float(str(figures.get("standard_error") or 0.0))
    shown = _number(training, figures["value"]) + (f" ± {_number(training, error)}" if error else "")
    where = "made data" if figures["source"] == "made" else str(figures.get("data") or training.data)
    return f"{name} {shown}, measured on {where}{_wanted(training, budget, full, origin)}."


def _wanted(training: Training, budget: Budget, full: float | None, origin: str) -> str:
    if full is None:
        return ""
    tried = f" (tried on {budget.substitute}; not measured on the course's data)" if budget.substitute else ""
    if origin != THRESHOLD:
        return f"; wanted better than {_number(training, full)}, {origin}{tried}"
    whose = "as the handout says" if budget.origin == "handout" else "our threshold"
    side = "least" if training.higher_is_better else "most"
    return f"; wanted at {side} {_number(training, full)}, {whose}{tried}"


def _number(training: Training, value: object) -> str:
    number = float(str(value))
    return f"{number:.1%}" if training.metric in SHARES else f"{number:.4g}"
