"""`grader grade --plan`: how long a run will take, per device, and what that costs, before anything runs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

from grader.assignment.assignment import Assignment, Evidence, Item, evidence_key
from grader.commands.runs import DEVICES
from grader.errors import UsageError
from grader.run.engine import Trainings
from grader.text import one_line
from grader.wording import plural

HOUR = 3600.0
UNITS = {"cpu": "hours of a processor", "cuda": "hours of a GPU"}
Prices = Mapping[str, float]  # of an hour of one processor or GPU, by device


@dataclass(frozen=True)
class _Estimate:
    """What one training takes, and how that is known: measured on it, measured elsewhere times a factor, or a limit."""

    seconds: float
    origin: str
    kind: Literal["measured", "factor", "limit", "none"]


def prices_of(given: Sequence[str]) -> Prices:
    """From texts such as cuda=2.50. Raises UsageError."""
    found: dict[str, float] = {}
    for text in given:
        device, _, amount = text.partition("=")
        try:
            price = float(amount)
        except ValueError:
            price = math.nan
        if device not in DEVICES or device in found or not 0 <= price < math.inf:
            raise UsageError(
                f"--price {text!r}: expected a device, {' or '.join(DEVICES)}, with the price of an hour of one, once, "
                "such as cuda=2.50"
            )
        found[device] = price
    return found


def text(
    assignment: Assignment,
    items: Sequence[str],
    trainings: Trainings,
    count: int,
    jobs: int,
    prices: Prices | None = None,
) -> str:
    """One line per training item with its seconds on the chosen device, and the hours of the whole class on each.

    Seconds come from the evidence that `grader calibrate` stored for this source of data and this device; else from
    that of another device, times what other trainings took on both; else from the manifest's limit.
    """
    chosen = [assignment.item(name) for name in items]
    trained = [item for item in chosen if item.training is not None]
    others = plural(len(chosen) - len(trained), "item")
    lines = [f"{assignment.slug}: {others} without training, well under a minute each way"]
    for item in trained:
        estimate = _estimate(item, assignment, trainings)
        seconds = None if estimate.kind == "none" else estimate.seconds
        lines.append(f"  {item.id:28} {_shown(seconds):>10}  {estimate.origin}")
    if trained and trainings.source == "off":
        lines.append("Nothing will be trained: --training made or --training real turns it on.")
    elif trained:
        # The chosen device comes last: that is what the reader asked for.
        for device in sorted(DEVICES, key=lambda name: name == trainings.device):
            lines += _whole(trained, assignment, replace(trainings, device=device), (count, jobs), prices or {})
        room = ", fewer if the GPU's memory is too small for them" if trainings.device == "cuda" else ""
        lines.append(f"That is {plural(count, 'submission')} with {plural(jobs, 'job')}{room}.")
    return "\n".join(lines) + "\n"


def _whole(
    trained: Sequence[Item], assignment: Assignment, trainings: Trainings, work: tuple[int, int], prices: Prices
) -> list[str]:
    """The time of one submission and of all of them on one device, how it is known, and the hours and their price.

    `work`: how many submissions, and how many side by side.
    """
    count, jobs = work
    found = [_estimate(item, assignment, trainings) for item in trained]
    kinds = Counter(estimate.kind for estimate in found)
    needed = len(found) - kinds["none"]
    total = sum(estimate.seconds for estimate in found)
    together = total * count / max(1, min(jobs, count))
    about = "at most" if kinds["limit"] else "about"
    known = f"{kinds['measured']} of {needed} trainings measured"
    known += f", {kinds['factor']} elsewhere, times its factor" if kinds["factor"] else ""
    known += f", {kinds['limit']} by the manifest's limit" if kinds["limit"] else ""
    device = trainings.device
    hours = total * count / HOUR
    cost = f", {hours * prices[device]:,.2f} at {prices[device]:,.2f} an hour" if device in prices else ""
    return [
        f"On {device}: {about} {_shown(total)} for one submission, {about} {_shown(together)} for all ({known}).",
        f"  For all: {about} {hours:,.1f} {UNITS[device]}{cost}.",
    ]


def _estimate(item: Item, assignment: Assignment, trainings: Trainings) -> _Estimate:
    assert item.training is not None
    if trainings.source == "off":
        return _Estimate(0.0, "not trained", "none")
    budget = item.training.budget(trainings.source)
    if budget is None:
        return _Estimate(0.0, f"no training on {trainings.source} data", "none")
    if item.needs.gpu and trainings.device == "cpu":
        return _Estimate(0.0, "needs a GPU: skipped", "none")
    evidence = assignment.evidence.get(item.id, {}).get(evidence_key(trainings.source, trainings.device))
    if evidence is not None:
        return _Estimate(evidence.seconds, f"measured on the reference, {evidence.steps} steps", "measured")
    most = f"at most, {budget.steps} steps"
    if (other := _elsewhere(item, assignment, trainings)) is None:
        return _Estimate(budget.seconds, f"{most} (not measured on {trainings.device})", "limit")
    device, found = other
    of = f"{_shown(found.seconds)} on {one_line(found.device, 60)}"
    ratios = _ratios(assignment, trainings, device)
    if not ratios:
        return _Estimate(budget.seconds, f"{most} (measured elsewhere only: {of})", "limit")
    factor = median(ratios)
    origin = f"{of}, times {factor:.2g} as for {plural(len(ratios), 'training')} measured on both"
    return _Estimate(found.seconds * factor, origin, "factor")


def _elsewhere(item: Item, assignment: Assignment, trainings: Trainings) -> tuple[str, Evidence] | None:
    """(device, evidence) of the same training on the same data, from hardware that was not asked for."""
    known = assignment.evidence.get(item.id, {})
    others = (device for device in DEVICES if device != trainings.device)
    found = ((device, known.get(evidence_key(trainings.source, device))) for device in others)
    return next(((device, evidence) for device, evidence in found if evidence is not None), None)


def _ratios(assignment: Assignment, trainings: Trainings, other: str) -> list[float]:
    """What each training that was measured on both devices takes here, as a multiple of what it takes there."""
    here, there = (evidence_key(trainings.source, device) for device in (trainings.device, other))
    both = [found for found in assignment.evidence.values() if here in found and there in found]
    return [found[here].seconds / found[there].seconds for found in both if found[there].seconds > 0]


def _shown(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} hours"
