"""The evidence of thresholds: from measured runs of the reference to `evidence.yaml`. Written by machine only."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from grader.assignment.assignment import Assignment, Budget, Evidence, Item, Training, source_of
from grader.assignment.training import EVIDENCE, read_evidence
from grader.model import CheckResult
from grader.thresholds import false_fail, margins, measured

HEADER = "# Written by `grader calibrate`: what the reference reached over several seeds. Do not edit by hand.\n"
# The greatest chance of failing a right submission, without a person, that a shipped threshold may have. Handouts' own
# thresholds, few seeds and rivals, which vary themselves, allow no smaller chance to be predicted.
SAFE, SAFE_ELSEWHERE = 0.001, 0.01
MANY = 5  # seeds
CHANGED = 1e-4  # by how much a stored chance may be off before it is another threshold's

Found = Mapping[str, Mapping[str, Evidence]]  # by item and `evidence_key`


def evidence_of(
    item: Item, runs: Mapping[str, CheckResult], rivals: Sequence[float], source: str, versions: str
) -> Evidence:
    """The evidence of one item from its runs by seed; at least two. `rivals` are the figures that it must beat."""
    training = item.training
    assert training is not None
    budget = training.budget(source)
    assert budget is not None
    found = [measured(result) or {} for result in runs.values()]
    figures = [float(str(entry["value"])) for entry in found]
    return Evidence(
        figures=tuple(round(figure, 6) for figure in figures),
        seeds=tuple(runs),
        mean=round(statistics.fmean(figures), 6),
        spread=round(statistics.stdev(figures), 6),
        false_fail=_chance(training, budget, figures, rivals),
        steps=budget.steps,
        seconds=round(statistics.fmean(float(str(entry["seconds"])) for entry in found), 2),
        device=str(found[0]["device"]),
        data="made by code" if source == "made" else str(found[0]["data"] or training.data),
        versions=versions,
        memory_mib=round(max(float(str(entry["peak_mib"] or 0)) for entry in found), 1),
    )


def with_styles(
    item: Item, entry: Evidence, styles: Mapping[str, Sequence[float]], rivals: Sequence[float], source: str
) -> Evidence:
    """The evidence with the figures of styles; the chance of a false failure is that of the worst, which is named."""
    training = item.training
    assert training is not None
    budget = training.budget(source)
    assert budget is not None
    chances = {"": _chance(training, budget, entry.figures, rivals)}
    for style, figures in styles.items():
        bars = [statistics.fmean(rivals)] * len(figures) if rivals else []
        chances[style] = _chance(training, budget, figures, bars)
    worst = max(chances, key=lambda style: chances[style])
    kept = {style: tuple(round(figure, 6) for figure in figures) for style, figures in styles.items()}
    return dataclasses.replace(entry, styles=kept, worst=worst, false_fail=chances[worst])


def _chance(training: Training, budget: Budget, figures: Sequence[float], rivals: Sequence[float]) -> float:
    return round(false_fail(margins(training, budget, figures, rivals), again=training.beats is None), 6)


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
    return with_styles(item, entry, entry.styles, rivals, source_of(key))


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
