"""Training items of a manifest: what their parts say about each other, and the evidence file beside the manifest."""

from __future__ import annotations

import math
from pathlib import Path

from grader.assignment.assignment import SHARES, Assignment, Budget, Evidence, Item, Predictions, Training
from grader.assignment.types import BAD, Reading, Where, build, suggestion
from grader.assignment.yaml import Table, read
from grader.errors import AuthorError

EVIDENCE = "evidence.yaml"
SOURCES = ("made", "real")


def read_evidence(suite: Path) -> dict[str, dict[str, Evidence]]:
    """What `grader calibrate` found out, by item and source; empty without the file. Raises AuthorError."""
    path = suite / EVIDENCE
    if not path.is_file():
        return {}
    root, reading = read(path), Reading()
    if not isinstance(root, Table):
        raise AuthorError("expected items with their evidence; write it by `grader calibrate`", path, 1)
    found = build(dict[str, dict[str, Evidence]], root, (), reading)
    if found is BAD or reading.problems:
        line, message = min(reading.problems)
        raise AuthorError(f"{message}; write it anew by `grader calibrate`", path, line)
    assert isinstance(found, dict)
    return found


def check_training(assignment: Assignment, item: Item, where: Where, reading: Reading) -> None:
    """Note what cannot mean anything in one training item."""
    training = item.training
    where = (*where, "training")
    if training is None:
        if where in reading.lines:
            reading.bad(reading.line(*where), f"{item.id}: training is empty: expected metric, counted and made")
        return
    if item.kind == "manual":
        reading.bad(reading.line(*where), f"{item.id} is graded by a person, so nothing is trained: drop `training`")
    for name in SOURCES:
        budget = training.budget(name)
        if budget is not None:
            _budget(training, budget, (*where, name), reading)
            _threshold(training, budget, (*where, name), reading)
    if training.possible and (len(training.possible) != 2 or training.possible[0] >= training.possible[1]):
        reading.bad(reading.line(*where, "possible"), "possible: expected the least and the greatest figure, as [0, 1]")
    if training.real is not None and not training.data:
        reading.bad(reading.line(*where), f"{item.id} trains on real data: name the set in `data`")
    rivals = [entry.id for entry in assignment.items if entry.training is not None and entry.id != item.id]
    if training.beats is not None and training.beats not in rivals:
        known = ", ".join(rivals) or "none"
        reading.bad(reading.line(*where, "beats"), f"beats {training.beats!r}: expected a training item ({known})")
    elif training.beats is not None and _metric_of(assignment, training.beats) != training.metric:
        reading.bad(reading.line(*where, "beats"), f"{item.id} and {training.beats} are measured by different metrics")
    elif _beats_itself(assignment, item.id):
        reading.bad(reading.line(*where, "beats"), f"{item.id} beats {training.beats}, which must beat it in turn")


def check_predictions(assignment: Assignment, item: Item, where: Where, reading: Reading) -> None:
    """Note labels that are not there, a mark that no figure reaches, and cut-offs in the wrong order."""
    wanted, where = item.predictions, (*where, "predictions")
    if wanted is None:
        return
    if not (assignment.suite / wanted.labels).is_file() or ".." in Path(wanted.labels).parts:
        known = sorted(path.name for path in assignment.suite.glob("*.csv"))
        there = f"; there is {', '.join(known)}{suggestion(wanted.labels, known)}" if known else ""
        reading.bad(reading.line(*where, "labels"), f"labels: no file {wanted.labels!r} beside the manifest{there}")
    most = 1.0 if wanted.higher_is_better else math.inf
    if not 0 <= wanted.full <= most:
        reading.bad(reading.line(*where, "full"), f"full is {wanted.full:g}, expected a figure from 0 to {most:g}")
    _curve(wanted, wanted.full, wanted.credit, reading.line(*where, "credit"), reading)


def _threshold(training: Training, budget: Budget, where: Where, reading: Reading) -> None:
    """Without a threshold every figure would earn everything; one that no figure can reach fails everybody."""
    line = reading.line(*where, "full")
    if budget.full is None:
        if training.beats is None:
            reading.bad(line, f"{where[-1]}: the threshold is missing: give `full`, the figure that earns everything")
        return
    natural = (0.0, 1.0) if training.metric in SHARES else (0.0, math.inf)
    low, high = training.possible if len(training.possible) == 2 else natural
    if not low <= budget.full <= high:
        advice = "; shares are written as 0.8, not 80" if training.metric in SHARES else ""
        reading.bad(line, f"full is {budget.full:g}, expected a figure from {low:g} to {high:g}{advice}")


def _metric_of(assignment: Assignment, name: str) -> str:
    training = assignment.item(name).training
    return training.metric if training is not None else ""


def _beats_itself(assignment: Assignment, name: str) -> bool:
    """Whether the chain of `beats` comes back to its begin."""
    beats = {entry.id: entry.training.beats for entry in assignment.items if entry.training is not None}
    place = beats.get(name)
    for _ in beats:
        if place is None or place == name:
            break
        place = beats.get(place)
    return place == name


def _budget(training: Training, budget: Budget, where: Where, reading: Reading) -> None:
    for name in ("steps", "seconds", "memory_mib"):
        if getattr(budget, name) <= 0:
            reading.bad(reading.line(*where, name), f"{name} is {getattr(budget, name)}, expected more than 0")
    line = reading.line(*where, "credit")
    if budget.credit and budget.full is None:
        reading.bad(line, "credit needs `full`, the figure that earns everything")
        return
    _curve(training, budget.full or 0.0, budget.credit, line, reading)


def _curve(
    measured: Training | Predictions, full: float, credit: tuple[tuple[float, ...], ...], line: int, reading: Reading
) -> None:
    if any(len(point) != 2 or not 0 <= point[1] <= 1 for point in credit):
        reading.bad(line, "credit: expected pairs of a figure and a credit from 0 to 1, such as [[0.6, 0.5]]")
        return
    sign = 1 if measured.higher_is_better else -1
    figures = [sign * figure for figure in (full, *(point[0] for point in credit))]
    credits = [1.0, *(point[1] for point in credit)]
    if figures != sorted(figures, reverse=True) or credits != sorted(credits, reverse=True):
        reading.bad(line, "credit: expected the points from the best figure to the worst, with falling credit")
