"""The evidence of thresholds: from measured runs of the reference to `evidence.yaml`. Written by machine only."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from grader.assignment.assignment import Assignment, Evidence, Item, Training, source_of
from grader.assignment.training import EVIDENCE, read_evidence
from grader.errors import UsageError
from grader.model import CheckResult
from grader.thresholds import false_fail, margins, measured

HEADER = "# Written by `grader calibrate`: what the reference reached over several seeds. Do not edit by hand.\n"
# The greatest chance of failing a right submission, without a person, that a shipped threshold may have. Handouts' own
# thresholds, few seeds and rivals, which vary themselves, allow no smaller chance to be predicted.
SAFE, SAFE_ELSEWHERE = 0.001, 0.01
MANY = 5  # seeds
LEAST_SEEDS = 3  # to say anything about a spread
CHANGED = 1e-4  # by how much a stored chance may be off before it is another threshold's

Found = Mapping[str, Mapping[str, Evidence]]  # by item and `evidence_key`


def measured_of(item: Item, runs: Mapping[str, CheckResult], source: str, versions: str) -> Evidence:
    """The evidence of one item from its runs by seed; what follows from a threshold is not in it yet."""
    training = item.training
    assert training is not None
    budget = training.budget(source)
    assert budget is not None
    found = [measured(result) or {} for result in runs.values()]
    figures = tuple(round(float(str(entry["value"])), 6) for entry in found)
    return Evidence(
        figures=figures,
        seeds=tuple(runs),
        **_moments(figures),
        false_fail=1.0,
        steps=budget.steps,
        seconds=round(statistics.fmean(float(str(entry["seconds"])) for entry in found), 2),
        device=str(found[0]["device"]),
        data="made by code" if source == "made" else str(found[0]["data"] or training.data),
        versions=versions,
        memory_mib=round(max(float(str(entry["peak_mib"] or 0)) for entry in found), 1),
    )


def joined(entry: Evidence, more: Evidence) -> Evidence:
    """Evidence of two measurements with different seeds. Raises UsageError when they measured different things."""
    for name in ("steps", "data", "device", "versions"):
        before, now = getattr(entry, name), getattr(more, name)
        if before != now:
            raise UsageError(
                f"the evidence that is there has {name} {before}, what was measured now {now}: measure all of it, with "
                "--seeds and without --more"
            )
    figures = (*entry.figures, *more.figures)
    seconds = (entry.seconds * len(entry.figures) + more.seconds * len(more.figures)) / len(figures)
    return dataclasses.replace(
        entry,
        figures=figures,
        seeds=(*entry.seeds, *more.seeds),
        **_moments(figures),
        seconds=round(seconds, 2),
        memory_mib=max(entry.memory_mib, more.memory_mib),
    )


def _moments(figures: Sequence[float]) -> dict[str, Any]:
    spread = statistics.stdev(figures) if len(figures) > 1 else 0.0
    return {"mean": round(statistics.fmean(figures), 6), "spread": round(spread, 6)}


def assessed(item: Item, entry: Evidence, rivals: Sequence[float], source: str) -> Evidence:
    """The evidence with its chance of a false failure: that of the worst style, which is named."""
    training = item.training
    assert training is not None
    budget = training.budget(source)
    assert budget is not None
    reference = margins(training, budget, entry.figures, rivals)
    chances = {"": _chance(training, reference)}
    for style, figures in entry.styles.items():
        bars = [statistics.fmean(rivals)] * len(figures) if rivals else []
        # A style may spread more than the reference: where it was trained often enough, it speaks for itself.
        alike = reference if len(figures) < LEAST_SEEDS else ()
        chances[style] = _chance(training, margins(training, budget, figures, bars), alike)
    worst = max(chances, key=lambda style: chances[style])
    return dataclasses.replace(entry, worst=worst, false_fail=chances[worst])


def _chance(training: Training, cleared: Sequence[float], alike: Sequence[float] = ()) -> float:
    return round(false_fail(cleared, again=training.beats is None, alike=alike), 6)


def with_present_thresholds(assignment: Assignment) -> dict[str, dict[str, Evidence]]:
    """The stored evidence, each chance worked out anew from its figures and from what the manifest wants now."""
    return {
        item.id: {key: _reassessed(item, key, entry, assignment) for key, entry in assignment.evidence[item.id].items()}
        for item in assignment.items
        if item.training is not None and item.id in assignment.evidence
    }


def _reassessed(item: Item, key: str, entry: Evidence, assignment: Assignment) -> Evidence:
    training = item.training
    assert training is not None
    budget = training.budget(source_of(key))
    rivals: tuple[float, ...] = ()
    if training.beats is not None:
        rival = assignment.evidence.get(training.beats, {}).get(key)
        if rival is None:
            return entry
        # Seed by seed where both were measured with the same ones.
        rivals = rival.figures if rival.seeds == entry.seeds else (rival.mean,) * len(entry.figures)
    if budget is None or len(entry.figures) < 2:
        return entry
    return assessed(item, entry, rivals, source_of(key))


def write(assignment: Assignment, found: Found) -> Path:
    """Put new evidence beside what the file holds; entries of items that are gone are dropped. Returns the path."""
    whole = read_evidence(assignment.suite)
    for name, entries in found.items():
        whole.setdefault(name, {}).update(entries)
    known = [item.id for item in assignment.items if item.training is not None and item.id in whole]
    plain = {name: {key: _plain(entry) for key, entry in sorted(whole[name].items())} for name in known}
    path = assignment.suite / EVIDENCE
    text = HEADER + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
    path.write_text(text, encoding="utf-8")
    return path.resolve()


def _plain(evidence: Evidence) -> dict[str, object]:
    plain = {name: _listed(value) for name, value in dataclasses.asdict(evidence).items()}
    return {name: value for name, value in plain.items() if value or name not in ("styles", "worst")}


def _listed(value: object) -> object:
    if isinstance(value, dict):
        return {name: _listed(entry) for name, entry in value.items()}
    return list(value) if isinstance(value, tuple) else value


def problems(assignment: Assignment) -> list[str]:
    """Thresholds without evidence on made data, with outdated evidence, or that fail right submissions too often."""
    found = []
    present = with_present_thresholds(assignment)
    for item in assignment.items:
        if item.training is None:
            continue
        known = assignment.evidence.get(item.id, {})
        if "made" not in known:
            found.append(f"item {item.id!r} has no evidence for its threshold: run `grader calibrate`")
        for key, entry in known.items():
            found += _problems(item, key, entry, present[item.id][key].false_fail, assignment.slug)
    return found


def _problems(item: Item, key: str, entry: Evidence, chance: float, slug: str) -> list[str]:
    """`chance` is that of the present threshold."""
    budget = item.training.budget(source_of(key)) if item.training is not None else None
    if budget is None or budget.steps != entry.steps:
        return [f"item {item.id!r}: the evidence on {key} data is of another budget of steps"]
    rival = item.training.beats if item.training is not None else None
    strict = source_of(key) == "made" and rival is None and len(entry.seeds) >= MANY
    safe = SAFE if strict else SAFE_ELSEWHERE
    if chance >= safe:
        whose = f" ({entry.worst})" if entry.worst else ""
        return [f"item {item.id!r} fails {chance:.2%} of right submissions{whose} on {key} data; wanted < {safe:.1%}"]
    if abs(chance - entry.false_fail) > CHANGED:
        stored = f"{EVIDENCE} says that {entry.false_fail:.2%} of right submissions fail on {key} data"
        return [f"item {item.id!r}: {stored}, now it is {chance:.2%}: run `grader calibrate {slug} --rates`"]
    return []
