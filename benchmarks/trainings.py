"""The tables of docs/measurements.md: what the references reached, from the evidence that `grader calibrate` stored.

python -m benchmarks.trainings        print both tables, to be put into the page
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from grader.assignment.assignment import Assignment, Budget, Evidence, Item, source_of
from grader.assignment.locate import known_slugs
from grader.commands.shared import open_assignment

HEADER = (
    "| assignment, item | data | steps | mean (spread), seeds | worst style | threshold | fails right ones | seconds |",
    "|---|---|---|---|---|---|---|---|",
)


def assignments() -> list[Assignment]:
    """All assignments of this checkout."""
    return [open_assignment(slug, None)[1] for slug in known_slugs()]


def table(source: str) -> list[str]:
    """The rows of one source of data, "made" or "real", without the header."""
    return [row for assignment in assignments() for row in _rows(assignment, source)]


def _rows(assignment: Assignment, source: str) -> Iterator[str]:
    for item in assignment.items:
        for key, evidence in assignment.evidence.get(item.id, {}).items():
            if source_of(key) == source:
                yield _row(assignment.slug, item, evidence, source)


def _row(slug: str, item: Item, evidence: Evidence, source: str) -> str:
    assert item.training is not None
    budget = item.training.budget(source)
    assert budget is not None
    device = "" if evidence.device == "cpu" else f" on {evidence.device}"
    cells = (
        f"`{slug}` {item.id} ({item.training.metric.replace('_', ' ')})",
        evidence.data,
        str(evidence.steps),
        f"{evidence.mean:.4g} ({evidence.spread:.2g}), {len(evidence.seeds)}",
        _worst(evidence),
        _threshold(budget, item.training.beats),
        f"{evidence.false_fail:.2%}",
        f"{evidence.seconds:.0f}{device}",
    )
    return f"| {' | '.join(cells)} |"


def _worst(evidence: Evidence) -> str:
    """The style that fails most often, unless that is how the reference begins; "–" where none was measured."""
    if not evidence.worst:
        return "the reference" if evidence.styles else "–"
    figures = evidence.styles[evidence.worst]
    spread = f" ({statistics.stdev(figures):.2g})" if len(figures) > 1 else ""
    return f"{evidence.worst}: {statistics.fmean(figures):.4g}{spread}, {len(figures)}"


def _threshold(budget: Budget, beats: str | None) -> str:
    wanted = f"beats {beats}" if beats is not None else f"{budget.full:g}"
    return f"{wanted} ({budget.origin})"


if __name__ == "__main__":
    for source in ("real", "made"):
        print("\n".join(("", *HEADER, *table(source))))
