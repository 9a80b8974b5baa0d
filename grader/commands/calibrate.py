"""`grader calibrate`: the evidence for tolerances and for training thresholds, measured on the reference."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from grader import intake
from grader.assignment.assignment import Assignment, Evidence, Item, evidence_key
from grader.assignment.locate import Folders
from grader.commands.shared import job_count, open_assignment, require_reference, trainings_for
from grader.errors import EXIT_DONE, EXIT_NO, GraderError, UsageError
from grader.model import CheckResult, Submission
from grader.proof import evidence
from grader.proof.demands import tolerance_problems
from grader.proof.reference import lay_out
from grader.proof.styles import styles_of
from grader.run.engine import Engine, Order, Trainings
from grader.run.grading import PUBLIC_SEED, automatic_items, grade_in_memory
from grader.thresholds import figure_of

LEAST_SEEDS = 3


def run(slug: str, assignments: Path | None) -> int:
    """Print how much of each bound rounding uses. Returns 1 when one is too tight or accepts a wrong value."""
    folders, assignment = open_assignment(slug, assignments)
    require_reference(folders)
    order = Order(folders=folders, seed=PUBLIC_SEED, items=automatic_items(assignment))
    with Engine(order) as engine:
        found = engine.examine()
    write = sys.stdout.write
    write(f"{'item':32} {'rtol':>8} {'used by rounding':>17}  wrongly accepts\n")
    for item, examined in found.items():
        noise = "-" if examined.noise is None else f"{examined.noise:.1%}"
        write(f"{item:32} {examined.bound:8.1e} {noise:>17}  {', '.join(examined.lets_pass)}".rstrip() + "\n")
    worst = max((examined.noise for examined in found.values() if examined.noise), default=0.0)
    write(f"{slug}: float32 rounding uses at most {worst:.1%} of a bound (measured against the reference in float64)\n")
    problems = tolerance_problems(found)
    write("".join(f"PROBLEM {problem}\n" for problem in problems))
    return EXIT_NO if problems else EXIT_DONE


def run_training(
    slug: str,
    choice: str,
    seeds: int,
    only: Sequence[str],
    jobs: int,
    device: str,
    assignments: Path | None,
    *,
    styles: int = 0,
    more: bool = False,
) -> int:
    """Train the reference over several seeds and store the evidence. Returns 1 when a threshold is not safe.

    `styles`: seeds of each honest style of the reference's initial values (`grader.proof.styles`), none for 0; with
    `seeds` 0 they are added to the evidence that is there. `more`: figures that are there are kept, and only those of
    the `seeds` that are not are measured.
    """
    folders, assignment = open_assignment(slug, assignments)
    require_reference(folders)
    for option, count, other in (("--seeds", seeds, styles), ("--styles", styles, seeds)):
        if count < LEAST_SEEDS and (count or not other):
            raise UsageError(f"{option} {count}: at least {LEAST_SEEDS} are needed to say anything about a spread")
    trainings = trainings_for(assignment, choice, device)
    items = _trained_items(assignment, only, trainings)
    names = [f"calibration-{number}" for number in range(1, max(seeds, styles) + 1)]
    # Every training is a run of its own, and none of them knows how much of a GPU the others will take.
    count = job_count(jobs) if jobs or device == "cpu" else 1
    key = evidence_key(trainings.source, device)
    kept = seeds == 0 or more
    found = {item.id: _known(assignment, item, key, trainings.source) for item in items} if kept else {}
    wanted = {item.id: _lacking(found.get(item.id), names[:seeds]) for item in items}
    runs = _runs(assignment, folders, wanted, trainings, count)
    for item in items:
        if runs[item.id]:
            measured = evidence.measured_of(item, runs[item.id], trainings.source, f"torch {version('torch')}")
            found[item.id] = evidence.joined(found[item.id], measured) if item.id in found else measured
    for item in items if styles else ():
        figures: dict[str, list[float]] = {}
        for style, sources in styles_of(assignment).items():
            begun = _runs(assignment, folders, {item.id: names[:styles]}, trainings, count, sources, style)
            figures[style] = [figure_of(result) or 0.0 for result in begun[item.id].values()]
        found[item.id] = replace(found[item.id], styles=evidence.rounded(figures))
    return _keep(assignment, {name: {key: entry} for name, entry in found.items()})


def _lacking(entry: Evidence | None, seeds: Sequence[str]) -> list[str]:
    return [seed for seed in seeds if entry is None or seed not in entry.seeds]


def _known(assignment: Assignment, item: Item, key: str, source: str) -> Evidence:
    """What is stored of the reference, for the present budget. Raises UsageError."""
    entry = assignment.evidence.get(item.id, {}).get(key)
    budget = item.training.budget(source) if item.training is not None else None
    if entry is None or budget is None or entry.steps != budget.steps:
        raise UsageError(
            f"{item.id} has no evidence for its present budget: measure all of it, with --seeds and without --more"
        )
    return entry


def run_rates(slug: str, assignments: Path | None) -> int:
    """Hold the stored figures against the present thresholds; trains nothing. Returns 1 when one is not safe."""
    _, assignment = open_assignment(slug, assignments)
    if not assignment.evidence:
        raise UsageError(f"{slug} has no evidence yet: `grader calibrate {slug} --training made` measures it")
    return _keep(assignment, evidence.with_present_thresholds(assignment))


def _keep(assignment: Assignment, found: evidence.Found) -> int:
    """Write evidence with the chances that follow from its figures, show it, and say what is wrong with it."""
    merged = {name: {**assignment.evidence.get(name, {}), **entries} for name, entries in found.items()}
    assignment = replace(assignment, evidence={**assignment.evidence, **merged})
    present = evidence.with_present_thresholds(assignment)
    found = {name: {key: present[name][key] for key in entries} for name, entries in found.items()}
    path = evidence.write(assignment, found)
    _show(found)
    sys.stdout.write(f"Written to {path}\n")
    merged = {name: {**assignment.evidence[name], **entries} for name, entries in found.items()}
    problems = evidence.problems(replace(assignment, evidence={**assignment.evidence, **merged}))
    problems = [problem for problem in problems if any(repr(name) in problem for name in found)]
    sys.stdout.write("".join(f"PROBLEM {problem}\n" for problem in problems))
    return EXIT_NO if problems else EXIT_DONE


def _trained_items(assignment: Assignment, only: Sequence[str], trainings: Trainings) -> list[Item]:
    wanted = automatic_items(assignment, only)
    chosen = [item for item in assignment.items if item.training is not None and item.id in wanted]
    chosen = [item for item in chosen if item.training and item.training.budget(trainings.source) is not None]
    if not chosen:
        raise UsageError(f"{assignment.slug} has no training item of that name for {trainings.source} data")
    rivals = {item.training.beats for item in chosen if item.training is not None}
    missing = [name for name in rivals if name is not None and name not in {item.id for item in chosen}]
    return [*(assignment.item(name) for name in missing), *chosen]


def _runs(
    assignment: Assignment,
    folders: Folders,
    wanted: Mapping[str, Sequence[str]],
    trainings: Trainings,
    jobs: int,
    sources: Mapping[str, str] | None = None,
    style: str = "",
) -> dict[str, dict[str, CheckResult]]:
    """{item: {seed: result}} of the seeds `wanted` for each item; every training in a run of its own, `jobs` of them
    side by side.

    `sources` are texts of files in the place of the reference's, `style` what they are called.
    """
    with tempfile.TemporaryDirectory(prefix="grader-calibrate-") as scratch:
        lay_out(assignment, Path(scratch) / "handed-in" / "reference", sources)
        paths = [Path(scratch) / "handed-in" / "reference"]
        [submission] = intake.take(paths, assignment, Path(scratch).resolve() / "work", single=True)
        assert isinstance(submission, Submission)

        def train(pair: tuple[str, str]) -> CheckResult:
            item, seed = pair
            [graded] = grade_in_memory(
                assignment, folders, [submission], seed=seed, items=(item,), portable=False, trainings=trainings
            )
            result = graded.results[item]
            figure = figure_of(result)
            word = "nothing measured" if figure is None else f"{figure:.6g}"
            sys.stderr.write(f"{item} {style or 'reference'} {seed}: {word} ({result.seconds:.1f} s)\n")
            return result

        pairs = [(item, seed) for item, seeds in wanted.items() for seed in seeds]
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            results = list(pool.map(train, pairs))
    runs: dict[str, dict[str, CheckResult]] = {item: {} for item in wanted}
    for (item, seed), result in zip(pairs, results, strict=True):
        if figure_of(result) is None:
            text = result.message or result.staff
            whose = f"the style {style!r} of the reference" if style else "the reference"
            raise GraderError(f"{whose} gave no figure for {item!r} with the seed {seed}: {text}")
        runs[item][seed] = result
    return runs


def _show(found: evidence.Found) -> None:
    write = sys.stdout.write
    write(f"{'item':28} {'data':>5} {'mean':>10} {'spread':>10} {'seeds':>6} {'steps':>7} {'seconds':>8} ")
    write(f"{'fails right ones':>17}  worst style\n")
    for name, entries in found.items():
        for key, entry in entries.items():
            write(
                f"{name:28} {key:>5} {entry.mean:10.4g} {entry.spread:10.2g} {len(entry.seeds):6} {entry.steps:7} "
                f"{entry.seconds:8.1f} {entry.false_fail:>17.3%}  {_worst(entry)}\n"
            )


def _worst(entry: Evidence) -> str:
    if not entry.styles:
        return "(styles not measured)"
    return f"{entry.worst or 'the reference'} of {len(entry.styles) + 1}"
