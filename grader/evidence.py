"""The evidence of thresholds: from measured runs of the reference to `evidence.yaml`. Written by machine only."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from grader.assignment import Assignment, Evidence, Item, evidence_key
from grader.manifest_training import EVIDENCE, read_evidence
from grader.model import CheckResult
from grader.thresholds import false_fail, margins, measured

HEADER = "# Written by `grader calibrate`: what the reference reached over several seeds. Do not edit by hand.\n"
SAFE = 0.01  # the greatest chance of failing a right submission that a shipped threshold may have


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
    cleared = margins(training, budget, figures, rivals)
    return Evidence(
        figures=tuple(round(figure, 6) for figure in figures),
        seeds=tuple(runs),
        mean=round(statistics.fmean(figures), 6),
        spread=round(statistics.stdev(figures), 6),
        false_fail=round(false_fail(cleared, again=training.beats is None), 6),
        steps=budget.steps,
        seconds=round(statistics.fmean(float(str(entry["seconds"])) for entry in found), 2),
        device=str(found[0]["device"]),
        data="made by code" if source == "made" else str(found[0]["data"] or training.data),
        versions=versions,
        memory_mib=round(max(float(str(entry["peak_mib"] or 0)) for entry in found), 1),
    )


def write(assignment: Assignment, source: str, found: Mapping[str, Evidence]) -> Path:
    """Put new evidence beside what the file holds, that of other devices too; entries of items that are gone are
    dropped. Returns the path.
    """
    whole = read_evidence(assignment.suite)
    for name, evidence in found.items():
        whole.setdefault(name, {})[evidence_key(source, evidence.device)] = evidence
    known = [item.id for item in assignment.items if item.training is not None and item.id in whole]
    plain = {name: {source: _plain(entry) for source, entry in sorted(whole[name].items())} for name in known}
    path = assignment.suite / EVIDENCE
    text = HEADER + yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110, default_flow_style=None)
    path.write_text(text, encoding="utf-8")
    return path


def _plain(evidence: Evidence) -> dict[str, object]:
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in dataclasses.asdict(evidence).items()
    }


def problems(assignment: Assignment) -> list[str]:
    """Thresholds without evidence on made data, with outdated evidence, or that fail right submissions too often."""
    found = []
    for item in assignment.items:
        if item.training is None:
            continue
        known = assignment.evidence.get(item.id, {})
        if "made" not in known:
            found.append(f"item {item.id!r} has no evidence for its threshold: run `grader calibrate`")
        for name, evidence in known.items():
            source = name.split(" ")[0]
            budget = item.training.budget(source)
            if budget is None or budget.steps != evidence.steps:
                found.append(f"item {item.id!r}: the evidence on {source} data is of another budget of steps")
            elif evidence.false_fail >= SAFE:
                rate = f"{evidence.false_fail:.1%}"
                found.append(f"item {item.id!r} fails {rate} of right submissions on {source} data; below 1% is wanted")
    return found
