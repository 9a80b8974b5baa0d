"""Mutants as submissions: laid out in batches, graded until something is not passed."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from grader.assignment.assignment import Assignment, Part
from grader.assignment.locate import Folders
from grader.errors import AuthorError
from grader.model import CheckResult, Submission, Violation
from grader.proof.mutants.making import Mutant
from grader.proof.reference import lay_out
from grader.run.engine import Engine, Event, Order
from grader.run.grading import PUBLIC_SEED, Progress, automatic_items

Outcome = Literal["killed", "timed out", "survived", "grader error"]
BATCH = 40  # submissions that lie on the disk at one time


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What became of a mutant: `by` is the item or rule that noticed it, `why` what it said."""

    mutant: Mutant
    outcome: Outcome
    by: str = ""
    why: str = ""


@dataclass(frozen=True)
class _Notice:
    """Who noticed a mutant."""

    outcome: Outcome
    by: str
    why: str


def run_mutants(
    assignment: Assignment,
    folders: Folders,
    mutants: Sequence[Mutant],
    jobs: int,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> list[Fate]:
    """The fate of each mutant, in order: the items of its own part first, all others for what survives them.

    Raises AuthorError when the reference itself does not pass, because then every mutant would seem to be noticed.
    """
    items = automatic_items(assignment)
    fates: dict[str, Fate] = {}
    with Engine(Order(folders=folders, seed=PUBLIC_SEED, items=items)) as engine:
        _require_passing_reference(engine, assignment, items)
        for start in range(0, len(mutants), BATCH):
            batch = mutants[start : start + BATCH]
            fates |= _run_batch(engine, assignment, batch, items, jobs)
            tell(Progress(key=batch[-1].file, done=start + len(batch), of=len(mutants)))
    return [fates[mutant.id] for mutant in mutants]


def _run_batch(
    engine: Engine, assignment: Assignment, batch: Sequence[Mutant], items: tuple[str, ...], jobs: int
) -> dict[str, Fate]:
    with _scratch() as scratch:
        handed = {
            mutant.id: _submission(assignment, scratch / mutant.id, {mutant.file: mutant.text}) for mutant in batch
        }
        near = {mutant.id: _items_of(assignment, mutant, items) for mutant in batch}
        fates = _graded(engine, batch, [(handed[mutant.id], near[mutant.id]) for mutant in batch], jobs)
        left = [mutant for mutant in batch if fates[mutant.id].outcome == "survived"]
        # Under another key: that a judge of the first round has ended may be told late.
        again = {mutant.id: replace(handed[mutant.id], key=f"{mutant.id}-others") for mutant in left}
        rest = {mutant.id: tuple(item for item in items if item not in near[mutant.id]) for mutant in left}
        left = [mutant for mutant in left if rest[mutant.id]]
        fates |= _graded(engine, left, [(again[mutant.id], rest[mutant.id]) for mutant in left], jobs)
    return fates


def _require_passing_reference(engine: Engine, assignment: Assignment, items: tuple[str, ...]) -> None:
    with _scratch() as scratch:
        work = [(_submission(assignment, scratch / "reference", {}), items)]
        for _, event in engine.grade(work, 1, first_failure=True):
            if (notice := _notice(event)) is not None:
                text = f"the reference itself does not pass {notice.by} ({notice.why}); `grader verify` says more"
                raise AuthorError(text, assignment.reference)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for submissions, which workers that run as other users can pass through."""
    with tempfile.TemporaryDirectory(prefix="grader-mutants-") as folder:
        path = Path(folder).resolve()
        path.chmod(0o755)
        yield path


def _submission(assignment: Assignment, root: Path, sources: Mapping[str, str]) -> Submission:
    lay_out(assignment, root, sources)
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    files = {file.id: file.path for file in assignment.files if (root / file.path).is_file()}
    return Submission(key=root.name, root=root, digest=root.name, files=files)


def _items_of(assignment: Assignment, mutant: Mutant, items: tuple[str, ...]) -> tuple[str, ...]:
    """The items that are likely to notice a mutant: those of the parts that name its class or function, else all."""
    closeness = {part.id: _closeness(part, mutant) for part in assignment.parts if _may_grade(assignment, part, mutant)}
    closest = max(closeness.values(), default=0)
    parts = {part for part, value in closeness.items() if value == closest}
    return tuple(item for item in items if assignment.item(item).part in parts) or items


def _may_grade(assignment: Assignment, part: Part, mutant: Mutant) -> bool:
    stem = PurePosixPath(mutant.file).with_suffix("")
    files = {file.id for file in assignment.files if PurePosixPath(file.path).with_suffix("") == stem}
    return part.file is None or part.file in files


def _closeness(part: Part, mutant: Mutant) -> int:
    """How well a part's title fits a mutant's scope: a class says more than a method's name."""
    words = set(re.findall(r"\w+", part.title))
    *outer, name = mutant.scope.split(".")
    return 2 * len(words.intersection(outer)) + (name in words)


def _graded(
    engine: Engine, mutants: Sequence[Mutant], work: Sequence[tuple[Submission, tuple[str, ...]]], jobs: int
) -> dict[str, Fate]:
    present = {submission.key: mutant for mutant, (submission, _) in zip(mutants, work, strict=True)}
    fates = {mutant.id: Fate(mutant=mutant, outcome="survived") for mutant in mutants}
    for key, event in engine.grade(work, jobs, first_failure=True):
        if (notice := _notice(event)) is not None:
            mutant = present[key]
            fates[mutant.id] = Fate(mutant=mutant, outcome=notice.outcome, by=notice.by, why=notice.why)
    return fates


def _notice(event: Event) -> _Notice | None:
    """What an event says against a submission; None when it says nothing."""
    if isinstance(event, Violation):
        return _Notice("killed", event.rule, event.message)
    if not isinstance(event, CheckResult) or event.status in ("passed", "skipped"):
        return None
    if event.status == "grader_error":
        return _Notice("grader error", event.item, event.staff)
    return _Notice("timed out" if event.reason == "timed out" else "killed", event.item, event.reason)
