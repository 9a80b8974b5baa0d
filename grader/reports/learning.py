"""What a training item measured, as facts and curves for every output. Figures in, words and numbers out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grader.assignment.assignment import SHARES
from grader.model import CheckResult, Line
from grader.once import Once
from grader.text import one_line
from grader.thresholds import of_training

DRAWABLE = 1e100  # beyond it the differences of two values overflow


@dataclass(frozen=True, kw_only=True)
class Series:
    """One line of a plot: (step, value), and the level that it is to reach, if any."""

    name: str
    points: tuple[tuple[float, float], ...]
    level: float | None = None
    end: float | None = None


@dataclass(frozen=True, kw_only=True)
class Learning:
    """A training for a reader: labelled facts, and the curves that can be drawn."""

    facts: tuple[tuple[str, str], ...]
    series: tuple[Series, ...]


def learning_of(result: CheckResult | None) -> Learning | None:
    """The training behind a result; None when there was none."""
    return None if result is None or of_training(result) is None else _learning_once(result)


def _learning(result: CheckResult) -> Learning:
    found = of_training(result)
    assert found is not None
    return Learning(facts=tuple(_facts(found)), series=tuple(_series(found)))


# Every output of a report asks for it, and a curve has hundreds of points.
_learning_once = Once(_learning, most=64)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Several trainings side by side, as reports of experiments show them: a header, and (cells, best) a training."""

    header: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], bool], ...]


def comparison_of(lines: Sequence[Line]) -> Comparison | None:
    """The trainings among some lines; None when fewer than two were measured, or not by one metric on one source."""
    found = [(line, of_training(line.result)) for line in lines]
    measured = [(line, entry) for line, entry in found if entry is not None and _counts(entry)]
    if len(measured) < 2 or len({(entry["metric"], entry["source"]) for _, entry in measured}) > 1:
        return None
    metric = str(measured[0][1]["metric"])
    beside = list(dict.fromkeys(str(name) for _, entry in measured for name in _beside(entry)))
    values = [float(str(entry["value"])) for _, entry in measured]
    best = min(values) if metric in ("perplexity", "loss") else max(values)
    header = ("Training", f"{metric.replace('_', ' ')}, held out", *(one_line(name, 60) for name in beside))
    # What a training held on the GPU is what reports of experiments ask for; the process itself says nothing there.
    on_gpu = all(isinstance(entry.get("gpu_peak_mib"), (int, float)) for _, entry in measured)
    memory = "GPU memory" if on_gpu else "memory"
    rows = [_compared(line, entry, beside, "gpu_" if on_gpu else "") for line, entry in measured]
    return Comparison(
        header=(*header, "training, s", "evaluation, s", f"{memory} on average, MiB", "at most, MiB"),
        rows=tuple((row, value == best) for row, value in zip(rows, values, strict=True)),
    )


def _counts(found: Mapping[str, object]) -> bool:
    value = found.get("value")
    measured = type(value) is float or (type(value) is int and abs(value) < DRAWABLE)
    named = isinstance(found.get("metric"), str) and isinstance(found.get("source"), str)
    return found.get("counts") is True and measured and named


def _compared(line: Line, found: Mapping[str, object], beside: Sequence[str], place: str) -> tuple[str, ...]:
    extra = [_beside(found).get(name) for name in beside]
    shares = [found.get("metric") in SHARES and str(found.get("metric")) in name for name in beside]
    cells = [
        f"{value:.1%}" if share and isinstance(value, float) else _plain(value)
        for value, share in zip(extra, shares, strict=True)
    ]
    costs = ("seconds", "evaluation_seconds", f"{place}steady_mib", f"{place}peak_mib")
    rest = (_plain(found.get(name)) for name in costs)
    return (one_line(line.title) or line.item, _figure(found, "value"), *cells, *rest)


def _beside(found: Mapping[str, object]) -> Mapping[str, object]:
    beside = found.get("beside")
    return beside if isinstance(beside, Mapping) else {}


def _plain(value: object) -> str:
    """A number without an exponent; an en dash for none."""
    if isinstance(value, (int, float)):
        if not math.isfinite(value):
            return f"{value:g}"
        return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
    return "\N{EN DASH}"


def _facts(found: Mapping[str, object]) -> list[tuple[str, str]]:
    facts = []
    if type(found.get("value")) in (int, float):
        facts.append(("Measured", f"{_figure(found, 'value')} ({one_line(str(found.get('counted', '')), 300)})"))
    beside = found.get("beside")
    if isinstance(beside, Mapping) and beside:
        facts.append(("Beside it", ", ".join(f"{one_line(str(k), 60)} {_short(v)}" for k, v in beside.items())))
    facts.append(("Earned by" if _counts(found) else "How", _way(found)))
    facts.append(("Training", _effort(found)))
    if memory := _memory(found, "gpu_"):
        facts.append(("GPU memory", f"{memory} (tensors, as the worker reported)"))
    if memory := _memory(found, ""):
        facts.append(("Memory beside it" if _memory(found, "gpu_") else "Memory", memory))
    claims = found.get("claims")
    if isinstance(claims, Mapping) and claims:
        shown = ", ".join(f"{one_line(str(k), 40)} {_short(v)}" for k, v in claims.items())
        facts.append(("Reported by the code", shown))
    return facts


def _way(found: Mapping[str, object]) -> str:
    source = "data made by code" if found.get("source") == "made" else str(found.get("data") or "real data")
    if found.get("way") == "checkpoint":
        return f"evaluating the checkpoint that was handed in, on {one_line(source, 100)}"
    judged = "the judge computed the figure" if _counts(found) else "there is no figure that counts"
    return f"training again here, on {one_line(source, 100)}; {judged}"


def _effort(found: Mapping[str, object]) -> str:
    parts = [f"{found.get('steps')} of {found.get('budget')} steps", f"{_short(found.get('seconds'))} s"]
    if found.get("steps_per_second"):
        parts.append(f"{_short(found['steps_per_second'])} steps/s")
    parts += [f"evaluation {_short(found.get('evaluation_seconds'))} s", f"on {_device(found)}"]
    return ", ".join(parts)


def _device(found: Mapping[str, object]) -> str:
    name = f" ({one_line(str(found['gpu']), 80)})" if found.get("gpu") else ""
    return one_line(str(found.get("device")), 40) + name


def _memory(found: Mapping[str, object], place: str) -> str:
    if not found.get(f"{place}peak_mib"):
        return ""
    most, average = found[f"{place}peak_mib"], found.get(f"{place}steady_mib")
    return f"at most {_short(most)} MiB, {_short(average)} MiB on average once settled"


def _figure(found: Mapping[str, object], name: str) -> str:
    value = float(str(found[name]))
    return f"{value:.1%}" if found.get("metric") in SHARES else f"{value:.4g}"


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else one_line(str(value), 40)


def _series(found: Mapping[str, object]) -> list[Series]:
    """The reported loss, and the metric with its threshold; a perplexity's curve is exp of the training loss."""
    curve = found.get("curve")
    points = [point for point in curve if _is_point(point)] if isinstance(curve, Sequence) else []
    names = list(dict.fromkeys(name for _, values in points for name in values))
    metric = str(found.get("metric"))
    series = [Series(name=name, points=_line(points, name)) for name in names if name != metric]
    measured = _line(points, metric)
    if not measured and metric == "perplexity" and "loss" in names:
        measured = tuple((step, math.exp(min(loss, 50.0))) for step, loss in _line(points, "loss"))
    level, value = found.get("bar"), found.get("value")
    ends = _number(value)
    if not measured and ends is not None and points:
        measured = ((float(points[-1][0]), ends),)
    if measured:
        title = "training perplexity" if metric == "perplexity" else metric.replace("_", " ")
        series.append(Series(name=title, points=measured, level=_number(level), end=ends))
    return series


def _is_point(point: object) -> bool:
    # The usual types first: to ask for the abstract ones takes as long as everything else here.
    if not isinstance(point, (list, tuple, Sequence)) or len(point) != 2 or not isinstance(point[1], (dict, Mapping)):
        return False
    return _number(point[0]) is not None


def _line(points: Sequence[tuple[int, Mapping[str, float]]], name: str) -> tuple[tuple[float, float], ...]:
    pairs = [(step, values.get(name)) for step, values in points]
    return tuple([(float(step), float(v)) for step, v in pairs if isinstance(v, (int, float)) and abs(v) < DRAWABLE])


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and abs(value) < DRAWABLE else None
