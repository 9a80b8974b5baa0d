"""`grader calibrate`: the evidence for tolerances and for training thresholds, measured on the reference."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from grader import intake
from grader.assignment.assignment import Assignment, Evidence, Item, evidence_key
from grader.assignment.locate import Folders
from grader.assignment.training import EVIDENCE
from grader.commands.runs import job_count, require_reference, trainings_for
from grader.commands.shared import open_assignment
from grader.errors import EXIT_DONE, EXIT_NO, GraderError, UsageError
from grader.model import CheckResult, Submission
from grader.proof import evidence
from grader.proof.demands import hidden_gradients, tolerance_problems
from grader.proof.reference import lay_out
from grader.proof.styles import styles_of
from grader.run.engine import Engine, Order, Trainings
from grader.run.grading import PUBLIC_SEED, automatic_items, grade_in_memory
from grader.thresholds import figure_of

Runs = dict[str, CheckResult]  # by seed


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
    how = "measured against the reference in float64, or with inputs off by their last bit"
    write(f"{slug}: rounding uses at most {worst:.1%} of a bound ({how})\n")
    write("".join(f"warning {warning}\n" for warning in hidden_gradients(found)))
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
    the `seeds` and `styles` that are not are measured.
    """
    folders, assignment = open_assignment(slug, assignments)
    require_reference(folders)
    least = evidence.LEAST_SEEDS
    if seeds < least and (seeds or not styles):
        raise UsageError(f"--seeds {seeds}: at least {least} are needed to say anything about a spread")
    trainings = trainings_for(assignment, choice, device)
    items = _trained_items(assignment, only, trainings)
    names = [f"calibration-{number}" for number in range(1, max(seeds, styles) + 1)]
    # Every training is a run of its own, and none of them knows how much of a GPU the others will take.
    count = job_count(jobs) if jobs or device == "cpu" else 1
    key = evidence_key(trainings.source, device)
    problems = []
    for item in items:
        known = _known(assignment, item, key, trainings.source) if seeds == 0 or more else None
        measure = partial(_runs, assignment, folders, item.id, trainings=trainings, jobs=count)
        try:
            entry = _measured(item, known, _lacking(known, names[:seeds]), measure, trainings.source)
            for complete in _with_styles(entry, assignment, names[:styles], measure, more=more):
                # At once: what comes later may fail, or be stopped.
                assignment = _stored(assignment, {item.id: {key: complete}})
        except GraderError as error:
            problems.append(str(error))
    return _told(assignment, {item.id: [key] for item in items}, problems)


def _measured(
    item: Item, known: Evidence | None, seeds: Sequence[str], measure: Callable[[Sequence[str]], Runs], source: str
) -> Evidence:
    """The reference's evidence: what is `known`, and what more seeds give."""
    if known is not None and not seeds:
        return known
    found = evidence.measured_of(item, measure(seeds), source, f"torch {version('torch')}")
    return found if known is None else evidence.joined(known, found)


def _with_styles(
    entry: Evidence, assignment: Assignment, seeds: Sequence[str], measure: Callable[..., Runs], *, more: bool
) -> Iterator[Evidence]:
    """The evidence as it is, and after each style that is measured with seeds that it lacks."""
    yield entry
    for style, sources in styles_of(assignment).items():
        known = entry.styles.get(style, ()) if more else ()
        if len(known) >= len(seeds):
            continue
        runs = measure(seeds[len(known) :], sources=sources, style=style)
        figures = (*known, *(round(figure_of(result) or 0.0, 6) for result in runs.values()))
        entry = replace(entry, styles={**entry.styles, style: figures})
        yield entry


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
    present = evidence.with_present_thresholds(assignment)
    return _told(_stored(assignment, present), present)


def _stored(assignment: Assignment, found: evidence.Found) -> Assignment:
    """The assignment with new evidence, and the chances that follow from its figures; they are written."""
    merged = {name: {**assignment.evidence.get(name, {}), **entries} for name, entries in found.items()}
    assignment = replace(assignment, evidence={**assignment.evidence, **merged})
    present = evidence.with_present_thresholds(assignment)
    assignment = replace(assignment, evidence={**assignment.evidence, **present})
    evidence.write(assignment, {name: {key: present[name][key] for key in entries} for name, entries in found.items()})
    return assignment


def _told(assignment: Assignment, keys: Mapping[str, Collection[str]], problems: Sequence[str] = ()) -> int:
    """Show the evidence of some items, and say what is wrong with it; the exit code."""
    known = {name: assignment.evidence.get(name, {}) for name in keys}
    _show({name: {key: known[name][key] for key in keys[name] if key in known[name]} for name in keys})
    sys.stdout.write(f"Written to {(assignment.suite / EVIDENCE).resolve()}\n")
    wrong = [problem for problem in evidence.problems(assignment) if any(repr(name) in problem for name in keys)]
    sys.stdout.write("".join(f"PROBLEM {problem}\n" for problem in (*problems, *wrong)))
    return EXIT_NO if problems or wrong else EXIT_DONE


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
    item: str,
    seeds: Sequence[str],
    *,
    trainings: Trainings,
    jobs: int,
    sources: Mapping[str, str] | None = None,
    style: str = "",
) -> Runs:
    """{seed: result} of one item; every training in a run of its own, `jobs` of them side by side.

    `sources` are texts of files in the place of the reference's, `style` what they are called. Raises GraderError for a
    training without a figure.
    """
    with tempfile.TemporaryDirectory(prefix="grader-calibrate-") as scratch:
        lay_out(assignment, Path(scratch) / "handed-in" / "reference", sources)
        paths = [Path(scratch) / "handed-in" / "reference"]
        [submission] = intake.take(paths, assignment, Path(scratch).resolve() / "work", single=True)
        assert isinstance(submission, Submission)

        def train(seed: str) -> CheckResult:
            [graded] = grade_in_memory(assignment, folders, [submission], seed=seed, items=(item,), trainings=trainings)
            result = graded.results[item]
            figure = figure_of(result)
            word = "nothing measured" if figure is None else f"{figure:.6g}"
            sys.stderr.write(f"{item} {style or 'reference'} {seed}: {word} ({result.seconds:.1f} s)\n")
            return result

        with ThreadPoolExecutor(max_workers=jobs) as pool:
            runs = dict(zip(seeds, pool.map(train, seeds), strict=True))
    for seed, result in runs.items():
        if figure_of(result) is None:
            text = result.message or result.staff
            whose = f"the style {style!r} of the reference" if style else "the reference"
            raise GraderError(f"{whose} gave no figure for {item!r} with the seed {seed}: {text}")
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
