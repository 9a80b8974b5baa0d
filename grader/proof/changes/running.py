"""Changes as submissions: laid out in batches, taken in, graded until something is not passed."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from grader import intake
from grader.assignment.assignment import Assignment, Part
from grader.assignment.locate import Folders
from grader.errors import AuthorError
from grader.model import CheckResult, Examination, Refused, Submission, Violation
from grader.proof.changes.bases import REFERENCE, Base, bases_of
from grader.proof.changes.kinds import Kind
from grader.proof.changes.making import Change
from grader.proof.touched import changed_in, touched
from grader.run.engine import Engine, Event, Order
from grader.run.grading import PUBLIC_SEED, Progress, automatic_items

Outcome = Literal["noticed", "timed out", "passed", "grader error"]
BATCH = 40  # submissions that lie on the disk at one time
LETTERS = str.maketrans("0123456789", "ghijklmnop")  # a folder named by a number would be taken for a student's


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What became of a change: `by` is the item or rule that noticed it, `why` what it said.

    `share` is by how many times the first value that differs misses its bound; 0 where nothing was measured.
    """

    change: Change
    outcome: Outcome
    by: str = ""
    why: str = ""
    share: float = 0.0


def run_changes(
    assignment: Assignment,
    folders: Folders,
    changes: Sequence[Change],
    kind: Kind,
    jobs: int,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> list[Fate]:
    """The fate of each change, in order.

    Items that run nothing of what changed are left out. What should be noticed runs the items of its own part first,
    and the others when these let it pass. What should not be noticed runs those of the files that it changes.
    Raises AuthorError when the reference itself does not pass, because then every change would seem to be noticed.
    """
    items = automatic_items(assignment)
    bases = {base.key: base for base in bases_of(assignment)}
    fates: dict[str, Fate] = {}
    with Engine(Order(folders=folders, seed=PUBLIC_SEED, items=items)) as engine:
        run = _Run(assignment, kind, items, bases, engine.examine(), jobs)
        _require_passing_reference(engine, run)
        for start in range(0, len(changes), BATCH):
            batch = changes[start : start + BATCH]
            fates |= _run_batch(engine, run, batch)
            tell(Progress(key=batch[-1].file, done=start + len(batch), of=len(changes)))
    return [fates[change.id] for change in changes]


@dataclass(frozen=True)
class _Run:
    assignment: Assignment
    kind: Kind
    items: tuple[str, ...]
    bases: Mapping[str, Base]
    examined: Mapping[str, Examination]
    jobs: int


def _run_batch(engine: Engine, run: _Run, batch: Sequence[Change]) -> dict[str, Fate]:
    with _scratch() as scratch:
        handed, fates = _taken(run, batch, scratch)
        present = [change for change in batch if change.id in handed]
        possible = {change.id: possible_items(run.assignment, change, run.items, run.examined) for change in present}
        near = {c.id: nearest_items(run.assignment, c, possible[c.id], run.kind) for c in present}
        fates |= _graded(engine, run, present, [(handed[c.id], near[c.id]) for c in present])
        if run.kind.right:
            return fates
        left = [change for change in present if fates[change.id].outcome == "passed"]
        # Under another key: that a judge of the first round has ended may be told late.
        again = {change.id: replace(handed[change.id], key=f"{handed[change.id].key}-others") for change in left}
        rest = {
            change.id: tuple(item for item in possible[change.id] if item not in near[change.id]) for change in left
        }
        left = [change for change in left if rest[change.id]]
        fates |= _graded(engine, run, left, [(again[change.id], rest[change.id]) for change in left])
    return fates


def _require_passing_reference(engine: Engine, run: _Run) -> None:
    with _scratch() as scratch:
        nothing = Change(id="reference", file="", line=0, scope="", operator="", before="", after="", text="")
        handed, _ = _taken(run, [nothing], scratch)
        for _, event in engine.grade([(handed["reference"], run.items)], 1, first_failure=True):
            if (fate := _noticed(nothing, event, run)) is not None:
                text = f"the reference itself does not pass {fate.by} ({fate.why}); `grader verify` says more"
                raise AuthorError(text, run.assignment.reference)


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder for submissions, which workers that run as other users can pass through."""
    with tempfile.TemporaryDirectory(prefix="grader-changes-") as folder:
        path = Path(folder).resolve()
        path.chmod(0o755)
        yield path


def _taken(run: _Run, batch: Sequence[Change], scratch: Path) -> tuple[dict[str, Submission], dict[str, Fate]]:
    """{id: submission}, and the fates of what intake refuses."""
    present = {change.id.translate(LETTERS): change for change in batch}
    for key, change in present.items():
        root = scratch / "handed-in" / key
        sources = {change.file: change.text} if change.text else {}
        run.bases[change.base or REFERENCE].write(run.assignment, root, sources)
        for name, content in change.files.items():
            (root / name).unlink(missing_ok=True)
            if content is not None:
                (root / name).write_bytes(content)
    paths = [scratch / "handed-in" / key for key in present]
    handed: dict[str, Submission] = {}
    fates: dict[str, Fate] = {}
    for entry in intake.take(paths, run.assignment, scratch / "taken", single=True):
        change = present[entry.key]
        if isinstance(entry, Refused):
            fates[change.id] = Fate(change=change, outcome="noticed", by="intake", why=entry.reason)
        else:
            handed[change.id] = entry
    return handed, fates


def possible_items(
    assignment: Assignment, change: Change, items: tuple[str, ...], examined: Mapping[str, Examination]
) -> tuple[str, ...]:
    """The items whose verdict it may alter: of what is known of the reference, those that run what it changes."""
    changed = changed_in(assignment.reference, {change.file: change.text}) if change.of_reference else None
    return touched(changed, items, examined)


def nearest_items(assignment: Assignment, change: Change, items: tuple[str, ...], kind: Kind) -> tuple[str, ...]:
    """The items that run first: of right code those of its file, of wrong code those that are likely to notice it."""
    possible = [part for part in assignment.parts if _may_grade(assignment, part, change)]
    if not kind.right:
        closeness = {part.id: _closeness(part, change) for part in possible}
        possible = [part for part in possible if closeness[part.id] == max(closeness.values())]
    parts = {part.id for part in possible}
    return tuple(item for item in items if assignment.item(item).part in parts) or items


def _may_grade(assignment: Assignment, part: Part, change: Change) -> bool:
    stem = PurePosixPath(change.file).with_suffix("")
    files = {file.id for file in assignment.files if PurePosixPath(file.path).with_suffix("") == stem}
    return part.file is None or part.file in files


def _closeness(part: Part, change: Change) -> int:
    """How well a part's title fits a change's scope: a class says more than a method's name."""
    words = set(re.findall(r"\w+", part.title))
    *outer, name = change.scope.split(".")
    return 2 * len(words.intersection(outer)) + (name in words)


def _graded(
    engine: Engine, run: _Run, changes: Sequence[Change], work: Sequence[tuple[Submission, tuple[str, ...]]]
) -> dict[str, Fate]:
    present = {submission.key: change for change, (submission, _) in zip(changes, work, strict=True)}
    fates = {change.id: Fate(change=change, outcome="passed") for change in changes}
    for key, event in engine.grade(work, run.jobs, first_failure=True):
        if (fate := _noticed(present[key], event, run)) is not None:
            fates[present[key].id] = fate
    return fates


def _noticed(change: Change, event: Event, run: _Run) -> Fate | None:
    """What an event says against a submission; None when it says nothing."""
    if isinstance(event, Violation):
        rule = next((rule for rule in run.assignment.rules if rule.id == event.rule), None)
        if run.kind.right and rule is not None and rule.consequence.action == "report":
            return None  # no point is lost
        return Fate(change=change, outcome="noticed", by=event.rule, why=event.message)
    if not isinstance(event, CheckResult) or event.status in ("passed", "skipped"):
        return None
    if event.status == "grader_error":
        return Fate(change=change, outcome="grader error", by=event.item, why=event.staff)
    outcome: Outcome = "timed out" if event.reason == "timed out" else "noticed"
    why = f"{event.reason}: {event.message}" if event.message else event.reason
    return Fate(change=change, outcome=outcome, by=event.item, why=why, share=_share(event))


def _share(result: CheckResult) -> float:
    """The largest of the differences, in bounds."""
    shares = [0.0]
    for entry in result.figures.values():
        if isinstance(entry, Mapping) and entry.get("bound"):
            shares.append(float(str(entry.get("difference", 0.0))) / float(str(entry["bound"])))
    return max(shares)
