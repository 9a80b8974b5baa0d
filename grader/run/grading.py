"""A grading run: intake, journal, engine. What `grade`, `check`, `verify` and `replay` share."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders
from grader.errors import GraderError, UsageError
from grader.model import CheckResult, Graded, Refused, Submission, Violation
from grader.results.journal import Contents, Journal, is_judged, stamp
from grader.rules import check_archive
from grader.run.engine import Engine, Finished, Order, Recordings, Source, Trainings
from grader.sandbox.launch import Launched, Workers

PUBLIC_SEED = "public"
NO_TRAININGS = Trainings()
NO_RECORDINGS = Recordings()
ALIKE = (
    "nothing more of this part is judged here, because all parts of a class must be judged alike. Mend what follows, "
    "and run the same command again."
)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What has been done, for whoever shows it."""

    key: str
    done: int
    of: int


def automatic_items(assignment: Assignment, only: Sequence[str] = (), *, public: bool = False) -> tuple[str, ...]:
    """The ids of the automatic items that are wanted. Raises UsageError, with near names, for an unknown one."""
    known = [item.id for item in assignment.items if item.kind == "automatic"]
    for wanted in only:
        if not any(name == wanted or name.startswith(wanted + ".") for name in known):
            raise UsageError(f"{assignment.slug} has no automatic item {wanted!r}; it has {', '.join(known)}")
    chosen = [name for name in known if not only or any(name == w or name.startswith(w + ".") for w in only)]
    if public:
        chosen = [name for name in chosen if assignment.item(name).visibility == "visible"]
    return tuple(chosen)


def trainings_of(assignment: Assignment, source: Source, data: Path | None = None, device: str = "cpu") -> Trainings:
    """The trainings of a run with the time that they may take: two attempts, each repeated alone, and evaluation."""
    budgets = [item.training.budget(source) for item in assignment.items if item.training and source != "off"]
    seconds = sum(6 * budget.seconds for budget in budgets if budget is not None)
    return Trainings(source=source, data=data, device=device, seconds=seconds)


def idle_items(assignment: Assignment, trainings: Trainings) -> set[str]:
    """Items that a run cannot judge, so that what is known of them stays: trainings that are off, or want a GPU."""
    return {
        item.id
        for item in assignment.items
        if (item.training is not None and trainings.source == "off") or (item.needs.gpu and trainings.device == "cpu")
    }


def taken_in(contents: Contents, workspace: Path) -> Iterator[Submission]:
    """The submissions that a journal names and whose files lie below `workspace`, without those that were refused."""
    for key, stored in sorted(contents.submissions.items()):
        if (workspace / key).is_dir() and "files" in stored.facts:
            yield Submission(
                key=key,
                root=workspace / key,
                digest=stored.digest,
                files=stored.facts["files"],
                notes=tuple(stored.facts["notes"]),
                submitted_at=stored.facts["submitted_at"],
                late=stored.facts["late"],
                track=stored.facts["track"],
                of=stored.facts.get("of", ""),
                attempt=stored.facts.get("attempt", 1),
                active=stored.facts.get("active"),
                attention=tuple(stored.facts.get("attention", ())),
                prints=stored.facts.get("prints", {}),
            )


def new_seed() -> str:
    """128 random bits."""
    return secrets.token_hex(16)


def grade_into(
    journal: Journal,
    assignment: Assignment,
    folders: Folders,
    found: Sequence[Submission | Refused],
    *,
    seed: str,
    items: tuple[str, ...],
    jobs: int,
    report: Path | None,
    tell: Callable[[Progress], None],
    launched: Launched | None = None,
    trainings: Trainings = NO_TRAININGS,
    notices: Sequence[str] = (),
    recordings: Recordings = NO_RECORDINGS,
    shard: Mapping[str, object] | None = None,
    answers: Contents | None = None,
    hidden_anywhere: bool = True,
    again: Collection[str] = (),
) -> None:
    """Judge what is missing, stale or of `again` and write it to the journal, submission by submission.

    What `answers`, an earlier run, judged of the very same files is taken over, whatever it was judged with.
    """
    present = [entry for entry in found if isinstance(entry, Submission)]
    order = Order(
        folders=folders,
        seed=seed,
        items=items,
        suite_report=report,
        trainings=trainings,
        recordings=recordings,
        hidden_anywhere=hidden_anywhere,
    )
    with Engine(order, launched) as engine:
        journal.start_run(assignment.slug, seed, engine.versions, shard)
        journal.notices(notices)
        for entry in found:
            journal.submission(entry)
        kept = _taken_over(journal, present, answers) if answers is not None else {}
        stamps = {name: stamp(facts.digest, seed, engine.versions) for name, facts in engine.items.items()}
        wanted = {name: stamps.get(name, "") for name in items}
        trained = {item.id for item in assignment.items if item.training is not None}
        idle = idle_items(assignment, trainings)
        work = []
        for entry in present:
            keep = idle | kept.get(entry.key, set())
            stale = journal.contents.needs_run(entry.key, entry.digest, wanted, keep=keep, dear=trained)
            open_items = {*stale, *(set(again) - keep)}
            if open_items or not journal.contents.submissions[entry.key].finished:
                work.append((entry, tuple(name for name in items if name in open_items)))
        _heed_what_lacks(engine, {name for _, names in work for name in names}, shard, recordings.warn)
        _judge(journal, engine, assignment, work, wanted, jobs, tell, dear=trained)


def _heed_what_lacks(
    engine: Engine, wanted: Collection[str], shard: Mapping[str, object] | None, warn: Callable[[str], None]
) -> None:
    """Say which trainings lack their data: they stay open. Raises GraderError in a part of a class.

    The parts are judged on several machines, and what one of them cannot judge would stay open for some students only.
    """
    troubles: dict[str, list[str]] = {}
    for name, text in engine.lacking.items():
        if name in wanted:
            troubles.setdefault(text, []).append(name)
    said = [f"{', '.join(names)}: {text}" for text, names in troubles.items()]
    if shard is None:
        for text in said:
            warn(f"{text} Until then it stays open; everything else is judged.")
    elif said:
        raise GraderError(f"{ALIKE} {' '.join(said)}")
    elif engine.refusal and wanted:
        raise GraderError(f"{ALIKE} {engine.refusal}")


def _taken_over(journal: Journal, present: Sequence[Submission], answers: Contents) -> dict[str, set[str]]:
    """Adopt what an earlier run finished; for each submission the items that it judged, which are not judged again."""
    known = {stored.digest: stored for stored in answers.submissions.values() if stored.finished}
    kept = {}
    for entry in present:
        if (found := known.get(entry.digest)) is None:
            continue
        mine = journal.contents.submissions[entry.key]
        if not mine.finished:
            journal.started(entry.key)
            journal.adopt(entry.key, replace(found, facts=mine.facts))
        kept[entry.key] = {item for item, result in found.results.items() if is_judged(result)}
    return kept


def _judge(
    journal: Journal,
    engine: Engine,
    assignment: Assignment,
    work: Sequence[tuple[Submission, tuple[str, ...]]],
    stamps: Mapping[str, str],
    jobs: int,
    tell: Callable[[Progress], None],
    dear: set[str],
) -> None:
    for entry, names in work:
        stored = journal.contents.submissions[entry.key]
        # Broken rules go with the items that show them: old ones are forgotten when no old item stays.
        if not stored.finished or stored.results.keys() <= set(names):
            journal.started(entry.key, keep=(dear & stored.results.keys()) - set(names))
            for violation in check_archive(assignment, entry.archive):
                journal.violation(entry.key, violation)
    done = 0
    for key, event in engine.grade(work, jobs):
        match event:
            case CheckResult():
                journal.result(key, event, stamps[event.item])
            case Violation():
                journal.violation(key, event)
            case Finished():
                journal.finished(key, event.protections, event.seconds)
                done += 1
                tell(Progress(key=key, done=done, of=len(work)))


def grade_in_memory(
    assignment: Assignment,
    folders: Folders,
    found: Iterable[Submission],
    *,
    seed: str,
    items: tuple[str, ...],
    workers: Workers = "confined",
    jobs: int = 1,
    tell: Callable[[Progress], None] = lambda progress: None,
    trainings: Trainings = NO_TRAININGS,
    show: bool = False,
    calls: Path | None = None,
    recordings: Recordings = NO_RECORDINGS,
    launched: Launched | None = None,
) -> list[Graded]:
    """Judge submissions without a journal, in processes of their own: for self-checks and replays.

    `show`: the results carry what went in and what both sides answered, as evidence for staff, also as frames in
    the folder `calls`. `launched`: a process that was started ahead.
    """
    order = Order(
        folders=folders,
        seed=seed,
        items=items,
        workers=workers,
        trainings=trainings,
        show=show,
        calls=calls,
        recordings=recordings,
    )
    with Engine(order, launched) as engine:
        return judge_all(engine, list(found), seed=seed, items=items, jobs=jobs, tell=tell)


def judge_all(
    engine: Engine,
    found: Sequence[Submission],
    *,
    seed: str,
    items: tuple[str, ...] | Mapping[str, tuple[str, ...]],
    jobs: int = 1,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> list[Graded]:
    """Judge submissions with an engine that runs; the results in the order of `found`.

    `items` are the wanted ones, of all or by the submission's key.
    """
    graded = {entry.key: ungraded(entry, seed, engine.versions) for entry in found}

    def wanted(entry: Submission) -> tuple[str, ...]:
        return items[entry.key] if isinstance(items, Mapping) else items

    done = 0
    for key, event in engine.grade([(entry, wanted(entry)) for entry in found], jobs):
        before = graded[key]
        match event:
            case CheckResult():
                graded[key] = replace(before, results={**before.results, event.item: event})
            case Violation():
                graded[key] = replace(before, violations=(*before.violations, event))
            case Finished():
                graded[key] = replace(before, protections=event.protections, seconds=event.seconds)
                done += 1
                tell(Progress(key=key, done=done, of=len(found)))
    return [graded[entry.key] for entry in found]


def ungraded(entry: Submission, seed: str, versions: Mapping[str, str]) -> Graded:
    """A submission as scoring sees it before anything was judged."""
    return Graded(
        key=entry.key,
        digest=entry.digest,
        notes=entry.notes,
        files=entry.files,
        submitted_at=entry.submitted_at,
        late=entry.late,
        track=entry.track,
        versions=versions,
        seed=seed,
    )
