"""Curves as inline SVG for the page, and as one line of blocks for the terminal.

The page allows neither scripts nor pictures and must be equal for equal reports, which plotting libraries break (a
script, a date, style rules for the whole page); two axes and a polyline need none.
"""

from __future__ import annotations

import base64
import functools
import math
from collections.abc import Callable, Sequence
from html import escape

from grader.reports.learning import Series

WIDTH, HEIGHT = 318, 150
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 24, 24
BLOCKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 40
OVERLAID = 60
# What the page's own style says, for a picture that stands alone, on light and dark alike.
ALONE = """.curve{font:11px sans-serif;fill:none;background:#fff}.curve text{fill:#555}.curve .name{fill:#111}
.curve .tick,.curve .level-name{text-anchor:end}.curve .grid{stroke:#ddd}
.curve polyline{stroke:#2456a6;stroke-width:1.6}
.curve circle{fill:#2456a6}.curve .level{stroke:#a65a00;stroke-dasharray:5 3}.curve .level-name{fill:#a65a00}"""


@functools.lru_cache(maxsize=64)  # for the student's page and that of staff
def svg(series: Series) -> str:
    """One panel: the line, the threshold dashed, what the judge measured as a dot at the end. Safe to insert."""
    steps = [step for step, _ in series.points]
    values = [value for _, value in series.points]
    extra = [value for value in (series.level, series.end) if value is not None]
    low, high = _range([*values, *extra])
    first, last = min(steps, default=0.0), max(steps, default=1.0)

    def x(step: float) -> float:
        share = (step - first) / (last - first) if last > first else 1.0
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - min(value, high)) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = _frame(series, (low, high), (first, last), y)
    parts += _level(series.level, y)
    if len(series.points) > 1:
        line = " ".join([f"{x(step):.1f},{y(value):.1f}" for step, value in series.points])
        parts.append(f'<polyline points="{line}"/>')
    if series.end is not None:
        parts.append(f'<circle cx="{x(last):.1f}" cy="{y(series.end):.1f}" r="3.5"/>')
    return _panel(parts, escape(_described(series), quote=True))


def _level(level: float | None, y: Callable[[float], float]) -> list[str]:
    if level is None:
        return []
    place = y(level)
    return [
        f'<line class="level" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{place:.1f}" y2="{place:.1f}"/>',
        f'<text class="level-name" x="{WIDTH - RIGHT}" y="{place - 4:.1f}">wanted {_tick(level)}</text>',
    ]


def _panel(parts: Sequence[str], label: str) -> str:
    return (
        f'<svg class="curve" role="img" aria-label="{label}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}">{"".join(parts)}</svg>'
    )


def overlay(name: str, passed: Sequence[Series], others: Sequence[Series], level: float | None) -> str:
    """Many curves over one another, those of `passed` apart from `others`, on common axes. Safe to insert."""
    drawn = [*passed, *others]
    values = [value for series in drawn for _, value in series.points]
    values += [value for value in (*(series.end for series in drawn), level) if value is not None]
    steps = [step for series in drawn for step, _ in series.points]
    low, high = _range(values)
    first, last = min(steps, default=0.0), max(steps, default=1.0)

    def x(step: float) -> int:
        return round(LEFT + ((step - first) / (last - first) if last > first else 1.0) * (WIDTH - LEFT - RIGHT))

    def y(value: float) -> float:
        return TOP + (high - min(value, high)) / (high - low) * (HEIGHT - TOP - BOTTOM)

    parts = [*_frame(Series(name=name, points=()), (low, high), (first, last), y), *_level(level, y)]
    for kind, some in (("others", others), ("passed", passed)):
        lines = "".join(_path(series, x, y) for series in some)
        ends = [(one.points[-1][0], one.end) for one in some if one.points and one.end is not None]
        dots = "".join(f"M{x(step)} {y(value):.1f}h0" for step, value in ends)
        parts += [f'<path class="{kind}" d="{lines}"/>'] if lines else []
        parts += [f'<path class="{kind} ends" d="{dots}"/>'] if dots else []
    wanted = f", wanted {_tick(level)}" if level is not None else ""
    return _panel(parts, escape(f"{name}: {len(drawn)} curves, {len(passed)} passed{wanted}", quote=True))


def _path(series: Series, x: Callable[[float], int], y: Callable[[float], float]) -> str:
    """A line in few characters; of a long curve as many points as the panel can show."""
    count = len(series.points)
    places = range(count) if count <= OVERLAID else (i * (count - 1) // (OVERLAID - 1) for i in range(OVERLAID))
    picked = [series.points[place] for place in places]
    return "M" + "L".join(f"{x(step)} {y(value):.1f}" for step, value in picked) if count > 1 else ""


def picture(series: Series) -> str:
    """The same as an address that holds a whole picture."""
    whole = svg(series).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    whole = whole.replace(">", f"><style>{ALONE}</style>", 1)
    return "data:image/svg+xml;base64," + base64.b64encode(whole.encode()).decode()


def _frame(
    series: Series, values: tuple[float, float], steps: tuple[float, float], y: Callable[[float], float]
) -> list[str]:
    (low, high), (first, last) = values, steps
    parts = [f'<text class="name" x="{LEFT}" y="14">{escape(series.name)}</text>']
    for value in (low, (low + high) / 2, high):
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 5}" y="{y(value) + 4:.1f}">{_tick(value)}</text>')
    parts.append(f'<text class="step" x="{LEFT}" y="{HEIGHT - 7}">step {first:.0f}</text>')
    parts.append(f'<text class="tick" x="{WIDTH - RIGHT}" y="{HEIGHT - 7}">{last:.0f}</text>')
    return parts


def _range(values: Sequence[float]) -> tuple[float, float]:
    """The range to draw. The start of a curve may be hundreds of times its end, which would flatten everything else:
    the upper end is at most five times the median.
    """
    ordered = sorted(values) or [0.0, 1.0]
    low, high, median = ordered[0], ordered[-1], ordered[len(ordered) // 2]
    if median > 0:
        high = min(high, 5 * median)
    margin = 0.06 * (high - low) if high > low else max(0.5, 0.06 * abs(high))
    # No axis says that a loss went below zero when none did.
    return max(0.0, low - margin) if low >= 0 else low - margin, high + margin


def _tick(value: float) -> str:
    if value != 0 and (abs(value) >= 10_000 or abs(value) < 0.001):
        return f"{value:.0e}"
    return f"{value:.3g}"


def _described(series: Series) -> str:
    if not series.points:
        return series.name
    start, end = series.points[0][1], series.points[-1][1]
    wanted = f", wanted {_tick(series.level)}" if series.level is not None else ""
    measured = f", measured {_tick(series.end)}" if series.end is not None else ""
    return f"{series.name} from {_tick(start)} to {_tick(end)} over {series.points[-1][0]:.0f} steps{measured}{wanted}"


@functools.lru_cache(maxsize=64)
def spark(series: Series) -> str:
    """`loss ▇▅▃▂▁ 2.3 → 0.41 (60 steps)`."""
    values = [value for _, value in series.points]
    if len(values) < 2:
        return _described(series)
    width = min(SPARK_WIDTH, len(values))
    picked = [values[round(i * (len(values) - 1) / (width - 1))] for i in range(width)]
    low, high = min(picked), max(picked)
    span = high - low if high > low else 1.0
    blocks = "".join(BLOCKS[math.floor((value - low) / span * (len(BLOCKS) - 1) + 0.5)] for value in picked)
    return f"{series.name} {blocks} {_tick(values[0])} → {_tick(values[-1])} ({series.points[-1][0]:.0f} steps)"
