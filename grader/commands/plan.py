"""`grader grade --plan`: how long a run will take, per device, before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from grader.assignment.assignment import Assignment, Evidence, Item, evidence_key
from grader.commands.shared import DEVICES
from grader.run.engine import Trainings
from grader.text import one_line
from grader.wording import plural


def text(assignment: Assignment, items: Sequence[str], trainings: Trainings, count: int, jobs: int) -> str:
    """One line per training item with its seconds on the chosen device, and the hours of the whole class on each.

    Seconds come from the evidence that `grader calibrate` stored for this source of data and this device; where there
    is none, the limit of the manifest stands in for them and is marked.
    """
    chosen = [assignment.item(name) for name in items]
    trained = [item for item in chosen if item.training is not None]
    others = plural(len(chosen) - len(trained), "item")
    lines = [f"{assignment.slug}: {others} without training, well under a minute each way"]
    for item in trained:
        seconds, origin = _seconds(item, assignment, trainings)
        lines.append(f"  {item.id:28} {_shown(seconds):>10}  {origin}")
    if trained and trainings.source == "off":
        lines.append("Nothing will be trained: --training made or --training real turns it on.")
    elif trained:
        # The chosen device comes last: that is what the reader asked for.
        for device in sorted(DEVICES, key=lambda name: name == trainings.device):
            lines.append(_whole(trained, assignment, replace(trainings, device=device), count, jobs))
        room = ", fewer if the GPU's memory is too small for them" if trainings.device == "cuda" else ""
        lines.append(f"That is {plural(count, 'submission')} with {plural(jobs, 'job')}{room}.")
    return "\n".join(lines) + "\n"


def _whole(trained: Sequence[Item], assignment: Assignment, trainings: Trainings, count: int, jobs: int) -> str:
    """The time of one submission and the hours of all of them on one device, and how much of that is measured."""
    found = [(_seconds(item, assignment, trainings)[0], _is_measured(item, assignment, trainings)) for item in trained]
    needed = [(seconds, known) for seconds, known in found if seconds is not None]
    total = sum(seconds for seconds, _ in needed)
    together = total * count / max(1, min(jobs, count))
    known = sum(known for _, known in needed)
    about = "about" if known == len(needed) else "at most"
    measured = f"{known} of {len(needed)} trainings measured"
    elsewhere = [
        item
        for item in trained
        if not _is_measured(item, assignment, trainings) and _elsewhere(item, assignment, trainings)
    ]
    measured += f", {len(elsewhere)} on other hardware" if elsewhere else ""
    return (
        f"On {trainings.device}: {about} {_shown(total)} for one submission, {about} {_shown(together)} for all "
        f"({measured})."
    )


def _is_measured(item: Item, assignment: Assignment, trainings: Trainings) -> bool:
    return evidence_key(trainings.source, trainings.device) in assignment.evidence.get(item.id, {})


def _seconds(item: Item, assignment: Assignment, trainings: Trainings) -> tuple[float | None, str]:
    assert item.training is not None
    if trainings.source == "off":
        return None, "not trained"
    budget = item.training.budget(trainings.source)
    if budget is None:
        return None, f"no training on {trainings.source} data"
    if item.needs.gpu and trainings.device == "cpu":
        return None, "needs a GPU: skipped"
    evidence = assignment.evidence.get(item.id, {}).get(evidence_key(trainings.source, trainings.device))
    if evidence is not None:
        return evidence.seconds, f"measured on the reference, {evidence.steps} steps"
    most = f"at most, {budget.steps} steps"
    if (other := _elsewhere(item, assignment, trainings)) is None:
        return budget.seconds, f"{most} (not measured on {trainings.device})"
    device, found = other
    of = f"{_shown(found.seconds)} on {one_line(found.device, 60)}"
    ratios = _ratios(assignment, trainings, device)
    if not ratios:
        return budget.seconds, f"{most} (measured elsewhere only: {of})"
    factor = median(ratios)
    return found.seconds * factor, f"{of}, times {factor:.2g} as for {plural(len(ratios), 'training')} measured on both"


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
