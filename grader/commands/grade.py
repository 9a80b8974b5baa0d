"""`grader grade`: submissions → journal → results."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from grader import intake
from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders
from grader.cluster.task import is_open
from grader.commands.runs import (
    NoData,
    job_count,
    progress_bar,
    recording_at_hand,
    recordings_for,
    require_reference,
    seed_for,
    trainings_for,
    trainings_planned,
    use_staged_data,
)
from grader.commands.shared import course_for, open_assignment
from grader.course import forgotten, people
from grader.course.forgotten import Forgotten
from grader.course.plan import load as load_course
from grader.errors import EXIT_DONE, GraderError, UsageError
from grader.intake.groups import read_groups
from grader.model import Submission
from grader.recording.identity import SUBMISSIONS as KEPT
from grader.recording.identity import code_digest, folder_digest
from grader.reports import files
from grader.results import log
from grader.results.journal import NAME as JOURNAL
from grader.results.journal import SUBMISSIONS, SUITE, Contents, Journal
from grader.results.sharding import Shard
from grader.run.courses import remember_course
from grader.run.engine import Trainings
from grader.run.grading import (
    ALIKE,
    Progress,
    automatic_items,
    grade_into,
    idle_items,
    new_seed,
    taken_in,
)
from grader.sandbox.launch import Launched
from grader.wording import plural

DIGITS = 8  # of a digest: enough to tell two states apart


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of one call."""

    slug: str
    paths: tuple[Path, ...] = ()
    out: Path | None = None
    jobs: int = 0
    seed: str | None = None
    device: str = "cpu"
    resume: bool = False
    only: tuple[str, ...] = ()
    training: str | None = None
    plan: bool = False
    lenient: bool = False
    groups: Path | None = None
    json: bool = False
    assignments: Path | None = None
    course: Path | None = None
    times: Path | None = None
    container: bool = False
    image: str | None = None
    single: bool = False
    submitted_at: str | None = None
    taken: Path | None = None  # who called took it in, and left it there and in the journal
    judged_only: bool = False  # who called reads the journal, and makes the results
    answers: Path | None = None
    recording: Path | None = None
    no_cache: bool = False
    shard: str | None = None
    stored: str | None = None  # whose stored submissions are judged again; "": everybody's
    stage: Path | None = None
    remember: tuple[str, ...] = ()  # who was forgotten here and is to be taken in again
    prices: tuple[str, ...] = ()
    items: tuple[str, ...] = ()  # exactly these; unlike `only` they are not named by a person, and lift no protection


@dataclass(frozen=True)
class _Run:
    """One call, opened: what is judged into which journal and folder."""

    journal: Journal
    assignment: Assignment
    folders: Folders
    request: Request
    items: tuple[str, ...]
    trainings: Trainings
    out: Path


@dataclass(frozen=True)
class _Class:
    """What is to be judged, with which seed; `part` says which shard of a class it is."""

    taken: intake.Taken
    seed: str
    part: Mapping[str, object] | None


def run(request: Request, launched: Launched | None = None, facts: Mapping[str, object] | None = None) -> int:
    """Grade and write everything, with processes that may have been started ahead. Returns the exit code."""
    folders, assignment = open_assignment(request.slug, request.assignments)
    require_reference(folders, request.recording)
    items = automatic_items(assignment, request.items or request.only)
    if request.plan:
        from grader.commands import plan

        planned = trainings_planned(assignment, request.training, request.device)
        prices = plan.prices_of(request.prices)
        count = _count(request, assignment)
        sys.stdout.write(plan.text(assignment, items, planned, count, job_count(request.jobs), prices))
        return EXIT_DONE
    trainings = _trainings(request, assignment)
    if request.stored is not None and request.only:
        _require_something_to_do(assignment, items, trainings)
    if request.container and request.answers is not None:
        raise UsageError("--answers takes results over on this machine: give it without --container")
    if not request.paths and request.taken is None and request.stored is None:
        raise UsageError("name what is to be graded: folders, zips, notebooks or a bulk download")
    out = results_folder(request)
    if is_open(out):
        raise UsageError(
            f"{out} is being judged on a cluster: see `grader status {out}`, and go on with --slurm --resume"
        )
    place = course_for(out, request.slug, request.assignments, request.course)
    if place is not None:
        course = load_course(place, assignment)
        assignment, request = course.applied(assignment), replace(request, groups=request.groups or course.groups)
    if request.groups is not None:
        read_groups(request.groups, assignment.tracks)  # whatever can be wrong is found before anything is written
    if request.resume and not (out / JOURNAL).exists():
        raise UsageError(f"there is nothing to resume in {out}")
    log.head(out)  # a log that is broken is told before hours of grading
    with Journal(out, assignment.slug) as journal:
        remember_course(out, assignment, place, request.times)
        _grade(_Run(journal, assignment, folders, request, items, trainings, out), launched)
    if request.judged_only:
        return EXIT_DONE
    from grader.commands.finishing import finish

    what = "graded" if request.stored is None else "regraded"
    return finish(out, assignment, lenient=request.lenient, as_json=request.json, what=what, facts=facts)


def _trainings(request: Request, assignment: Assignment) -> Trainings:
    """What this call trains. Raises GraderError for a part of a class that finds no data: its machine is to blame."""
    try:
        if request.stage is not None:
            use_staged_data(request.stage)
        return trainings_for(assignment, request.training, request.device)
    except NoData as lacking:
        if request.shard is None:
            raise
        raise GraderError(f"{ALIKE} {lacking}") from None


def results_folder(request: Request) -> Path:
    """Where this call's results go; `{shard}` in it stands for the part's number."""
    if request.out is not None and request.shard:
        return Path(str(request.out).replace("{shard}", str(Shard.parse(request.shard).number)))
    return request.out or Path("grades") / f"{request.slug}-{date.today().isoformat()}"


def _require_something_to_do(assignment: Assignment, items: Sequence[str], trainings: Trainings) -> None:
    """Raises UsageError when this call can judge none of the items that are to be judged again."""
    if set(items) <= idle_items(assignment, trainings):
        raise UsageError(
            f"{', '.join(items)}: this call trains nothing, or has no GPU; say --training, or --device cuda"
        )


def _grade(run: _Run, launched: Launched | None) -> None:
    """Take the class in and judge it, if there is anything to be judged."""
    journal, slug = run.journal, run.assignment.slug
    whole = _class_of(run)
    if not any(isinstance(entry, Submission) for entry in whole.taken.found):
        journal.start_run(slug, whole.seed, {}, whole.part)
        journal.notices(whole.taken.notices)
        for entry in whole.taken.found:
            journal.submission(entry)
        return
    if launched is not None and not run.request.judged_only:
        from grader.reports import html

        html.template()  # compiled while torch is imported elsewhere
    try:
        with nullcontext(_silent) if run.request.judged_only else progress_bar(slug) as tell:
            if run.request.container:
                _judge_in_containers(run, whole, tell)
            else:
                _judge_here(run, whole, launched, tell)
    except (KeyboardInterrupt, GraderError):
        # What was finished is worth having on disk before the command ends.
        if journal.contents.slug and journal.in_place and not run.request.judged_only:
            from grader.run.scores import scoring_of, write_results

            with suppress(GraderError):  # a full disk, say: then the first error is the one to be told
                write_results(scoring_of(run.out, run.assignment, lenient=run.request.lenient))
        raise


def _silent(progress: Progress) -> None:
    """Who called follows the journal."""


def _judge_in_containers(run: _Run, whole: _Class, tell: Callable[[Progress], None]) -> None:
    from grader.container.running import Wanted, grade_in_containers

    request = run.request
    wanted = Wanted(
        seed=whole.seed,
        items=run.items,
        only=request.only,
        jobs=job_count(request.jobs),
        trainings=run.trainings,
        image=request.image or "",
        shard=whole.part,
        recording=request.recording or (None if request.no_cache else recording_at_hand(run.folders, whole.seed)),
        again=_again(run),
    )
    grade_in_containers(run.journal, run.assignment, run.folders, whole.taken, wanted, run.out, tell)


def _judge_here(run: _Run, whole: _Class, launched: Launched | None, tell: Callable[[Progress], None]) -> None:
    request = run.request
    grade_into(
        run.journal,
        run.assignment,
        run.folders,
        whole.taken.found,
        seed=whole.seed,
        items=run.items,
        jobs=job_count(request.jobs),
        report=(run.out / SUITE).resolve(),
        tell=tell,
        launched=launched,
        trainings=run.trainings,
        notices=whole.taken.notices,
        recordings=recordings_for(request.recording, request.no_cache),
        shard=whole.part,
        hidden_anywhere=bool(request.only),
        again=_again(run),
        answers=_answers(run),
    )


def _answers(run: _Run) -> Contents | None:
    """What was judged elsewhere, and is taken over."""
    if run.request.answers is None:
        return None
    from grader.platforms.answers import answers_in

    return answers_in(run.request.answers, run.assignment).contents


def _again(run: _Run) -> tuple[str, ...]:
    """The items that are judged again, whatever is known of them: all of one author's, or those that were named."""
    request = run.request
    return run.items if request.stored is not None and (request.stored or request.only) else ()


def _class_of(run: _Run) -> _Class:
    """What was handed in: taken in now, or by who called and left it beside the journal."""
    journal, request, workspace = run.journal, run.request, run.out / SUBMISSIONS
    if request.taken is not None:
        shutil.copytree(request.taken, workspace, dirs_exist_ok=True)
        found = tuple(taken_in(journal.contents, workspace.resolve()))
        return _Class(intake.Taken(found=found, fates=()), journal.contents.seed, journal.contents.shard)
    if request.stored is not None:
        return _stored(journal, request.stored, workspace)
    shard = Shard.parse(request.shard) if request.shard else None
    seed = seed_for(request.seed or journal.contents.seed or None, request.recording)
    _require_same_shard(journal, shard, seed)
    owners: list[str] = []

    def choose(known: Sequence[str]) -> Collection[str]:
        owners.extend(known)
        return known if shard is None else shard.share(known)

    taken = _take(journal, run.assignment, request, workspace, run.out, choose)
    seed = seed or new_seed()
    if shard is None:
        return _Class(taken, seed, None)
    suite = folder_digest(run.folders.suite, KEPT)[:DIGITS]
    alike = {"training": run.trainings.source, "grader": code_digest()[:DIGITS], "suite": suite}
    return _Class(taken, seed, shard.facts(owners, request.items, alike))


def _stored(journal: Journal, owner: str, workspace: Path) -> _Class:
    """What was taken in before, of one author or of all. Raises UsageError when the files are gone."""
    found = [entry for entry in taken_in(journal.contents, workspace.resolve()) if owner in ("", entry.owner)]
    if not found:
        raise UsageError(
            f"{workspace} has no files {f'of {owner}' if owner else ''} to be judged again".replace("  ", " ")
        )
    taken = intake.Taken(found=tuple(found), fates=(), notices=journal.contents.notices)
    return _Class(taken, journal.contents.seed, journal.contents.shard)


def _take(
    journal: Journal,
    assignment: Assignment,
    request: Request,
    workspace: Path,
    out: Path,
    choose: Callable[[Sequence[str]], Collection[str]],
) -> intake.Taken:
    """Take the submissions in, and write who they are of and what became of every file."""
    workspace.mkdir(exist_ok=True, mode=0o700)
    known, gone = people.people_of(out), _forgotten(out, request.remember)
    taken = intake.take_all(
        request.paths,
        assignment,
        workspace.resolve(),
        groups=request.groups,
        single=request.single,
        submitted_at=request.submitted_at,
        earlier=intake.Earlier(people=known, attempts=journal.contents.attempts()),
        compare=True,
        apart=True,
        choose=choose,
        shut_out=forgotten.recognised(gone),
    )
    found = [person for entry in taken.found for person in entry.people]
    # People of an earlier call into the same folder stay, as somebody corrected them.
    people.write(people.merged(known, forgotten.remaining(gone, found)), out / people.NAME)
    files.write_intake(out, taken.fates)
    if not taken.shut_out:
        return taken
    for key in taken.shut_out:
        sys.stderr.write(f"note: {key} was forgotten in {out} and is not taken in again; --remember {key} does so\n")
    count = len(taken.shut_out)
    told = f"Handed in by somebody who was forgotten here, and not taken in again: {plural(count, 'submission')}."
    return replace(taken, notices=(*taken.notices, told))


def _forgotten(out: Path, remember: Collection[str]) -> tuple[Forgotten, ...]:
    """Who was forgotten in a results folder, less those who are to be known again; they are struck off its list."""
    listed = forgotten.read(out)
    for name in remember:
        if not any(entry.is_called(name) for entry in listed):
            sys.stderr.write(f"note: --remember {name}: nobody of that key, id or address was forgotten in {out}\n")
    left = forgotten.without(listed, remember)
    if left != listed:
        forgotten.write(left, out)
    return left


def _require_same_shard(journal: Journal, shard: Shard | None, seed: str | None) -> None:
    """Raises UsageError for a folder of another shard, and for a shard that would draw cases of its own."""
    stored = journal.contents.shard
    if journal.contents.slug and (stored is None) != (shard is None):
        raise UsageError(
            "this results folder is not that of a shard; choose another --out"
            if shard
            else "this results folder is that of a shard; name the same --shard, or choose another --out"
        )
    if shard is not None and stored is not None and (stored["number"], stored["of"]) != (shard.number, shard.of):
        held = f"{stored['number']}/{stored['of']}"
        raise UsageError(f"this results folder holds shard {held}, not {shard.number}/{shard.of}; choose another --out")
    if shard is not None and seed is None:
        raise UsageError("--shard needs --seed or --recording: every shard must draw the same cases")


def _count(request: Request, assignment: Assignment) -> int:
    """How many submissions there are to be graded: a bulk download is unpacked for it, into a folder that goes."""
    with tempfile.TemporaryDirectory() as workspace:
        room = Path(workspace).resolve()
        found = intake.take(request.paths, assignment, room, groups=request.groups, apart=True)
    return sum(isinstance(entry, Submission) for entry in found)
