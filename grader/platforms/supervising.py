"""The small process that starts the grading on a platform, watches it, and tells the platform whatever happens.

It holds neither torch nor a suite, so it is not the one that the kernel ends when memory runs out; it says so to the
kernel as well. Something valid is told before anything is started, again whenever an item was judged, and at the end:
after a crash, a time-out, an end of memory or a set-up that is broken, with everything that was earned until then.
Points are made from the journal alone, as everywhere.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import IO

import grader
from grader.assignment.assignment import Assignment, Late
from grader.assignment.locate import assignment_folders
from grader.assignment.manifest import load
from grader.assignment.moments import instant, moment_of, zone_of
from grader.course import marks
from grader.course.plan import load as load_course
from grader.course.terms import Terms, course_beside
from grader.datasets import VARIABLE
from grader.errors import EXIT_DONE, EXIT_GRADER, GraderError, UsageError
from grader.model import Mark, Report
from grader.platforms.base import (
    ANSWERS,
    ASSIGNMENTS,
    BROKEN,
    RECORDING,
    SUBMISSION,
    UNFINISHED,
    Outcome,
    Platform,
    Settings,
    Task,
    read_settings,
)
from grader.platforms.feedback import differing_due, differing_total, is_brief, leaders, too_many
from grader.results.journal import NAME, Journal, read
from grader.run.inside import MODULE, argument
from grader.scoring import score
from grader.text import clean

LOOK_SECONDS = 1.0
GRACE_SECONDS = 5.0
ENOUGH_OF_A_LOG = 20_000
FIRST_VICTIM = "800"  # of 1000: the kernel ends the grading before its supervisor
MEMORY_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


class _Stopped(BaseException):
    """The platform asks for the end: no fault, so nothing that catches faults may catch it."""


def supervise(platform: Platform, bundle: Path) -> int:
    """Grade what the platform hands over with a bundle. Returns the exit code; never raises."""
    began = time.monotonic()
    outcome = Outcome(trouble=UNFINISHED.format(why="it was stopped from outside."))
    try:
        with _asked_to_stop():
            if platform.rewrites:
                platform.write(outcome)  # before anything can go wrong
            settings = read_settings(bundle)
            outcome = Outcome(settings=settings, trouble=outcome.trouble)
            task = platform.task()
            with _folder(platform) as out:
                outcome = _graded(platform, settings, task, bundle, out, began)
    except _Stopped:
        outcome = Outcome(settings=outcome.settings, trouble=outcome.trouble)
    except Exception as error:  # whatever it is, the platform is told
        sys.stdout.write(f"grader: {error!r}\n")
        why = str(error) if isinstance(error, UsageError) else ""
        outcome = Outcome(settings=outcome.settings, notes=(clean(why, 500),), trouble=BROKEN)
    platform.write(outcome)
    return EXIT_GRADER if outcome.trouble else EXIT_DONE


def _graded(platform: Platform, settings: Settings, task: Task, bundle: Path, out: Path, began: float) -> Outcome:
    assignment = _assignment(settings, bundle)
    strict = settings.profile == SUBMISSION
    if strict and task.last is not None and (why := too_many(assignment.feedback, task)):
        return Outcome(settings=settings, again=task.last, why=why)
    differing = differing_total(task.total, assignment.total, settings.slug)
    told = filter(None, [differing, differing_due(task.due, assignment.late)])
    notes = [*task.notes, *told, *_about_the_machine(settings)]
    terms = _terms(task, assignment.late)
    given = _marks(bundle / ANSWERS / task.submission, assignment)
    with Journal(out, settings.slug) as journal:
        journal.start_run(settings.slug, journal.contents.seed or settings.seed, {})  # so no argument shows the seed

    def outcome(trouble: str) -> Outcome:
        report = _report(out, assignment, given, terms, settings.lateness)
        return Outcome(
            settings=settings,
            report=report,
            trouble=trouble or ("" if report or not task.single else BROKEN),
            late=report.late if report is not None else None,
            notes=tuple(notes),
            brief=strict and is_brief(assignment.feedback, task),
            leaders=leaders(assignment, report),
        )

    def tell_part() -> None:
        if platform.rewrites:
            platform.write(outcome(UNFINISHED.format(why="it was stopped from outside.")))

    with tempfile.TemporaryFile() as log:
        child = _start(settings, task, bundle, out, log)
        try:
            why = _watch(child, out / NAME, settings.seconds and began + settings.seconds, tell_part)
        except _Stopped:
            why = "the platform stopped it."
        finally:
            _end(child)
        log.seek(0)
        said = clean(log.read().decode("utf-8", "replace")[-ENOUGH_OF_A_LOG:], ENOUGH_OF_A_LOG)
    sys.stdout.write(said + "\n")  # shown to the course's staff alone
    return outcome(UNFINISHED.format(why=why) if why else "")


def _assignment(settings: Settings, bundle: Path) -> Assignment:
    """The assignment with the deadline that the bundle brings of its course."""
    folders = assignment_folders(settings.slug, bundle / ASSIGNMENTS)
    assignment, place = load(folders), course_beside(folders.suite)
    return assignment if place is None else load_course(place, assignment).applied(assignment)


def _terms(task: Task, late: Late) -> Terms:
    """The platform's own extension for these people, where it is later than the deadline that holds here."""
    own, due = moment_of(task.extended), late.due and instant(late.due, zone_of(late.zone))
    return Terms(due=own.isoformat()) if own and due and own > due else Terms()


def _report(out: Path, assignment: Assignment, given: Sequence[Mark], terms: Terms, lateness: str) -> Report | None:
    """The present report of the one submission; None as long as it was not taken in."""
    with suppress(GraderError):
        graded = read(out).graded()
        if len(graded) == 1:
            own = [replace(mark, submission=graded[0].key) for mark in given]
            # What was judged counts, also when the grading did not come to its end.
            report = score(replace(graded[0], finished=True), assignment, own, terms=terms)
            return replace(report, handed_in=(*report.handed_in[:1], lateness)) if report.late and lateness else report
    return None


def _marks(answers: Path, assignment: Assignment) -> tuple[Mark, ...]:
    """What people gave to this submission, when the bundle brings it."""
    path = answers / marks.FILE
    return marks.read(path, assignment) if answers.name and path.exists() else ()


def _start(settings: Settings, task: Task, bundle: Path, out: Path, log: IO[bytes]) -> BaseProcess:
    """The grading, as a fork of this process: what both need is imported once."""
    answers = bundle / ANSWERS / task.submission
    asked = argument(
        slug=settings.slug,
        paths=task.paths,
        out=out,
        assignments=bundle / ASSIGNMENTS,
        training=settings.training,
        recording=bundle / RECORDING,
        no_cache=True,
        single=task.single,
        judged_only=task.single,
        jobs=1 if task.single else 0,
        answers=answers if task.submission and answers.is_dir() else None,
        submitted_at=task.submitted_at,
    )
    kept = {name: os.environ[name] for name in ("PATH", VARIABLE, "PYTHONPATH", "TMPDIR") if name in os.environ}
    environment = {**kept, "LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "HOME": "/nonexistent"}
    child = multiprocessing.get_context("fork").Process(target=_become_grading, args=(asked, environment, log))
    child.start()
    with suppress(OSError):  # inherited by everything that it starts from now on
        Path(f"/proc/{child.pid}/oom_score_adj").write_text(FIRST_VICTIM, encoding="ascii")
    return child


def _become_grading(asked: str, environment: dict[str, str], log: IO[bytes]) -> None:
    """As if it had been started by itself. Raises SystemExit."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setsid()
    for descriptor in (1, 2):
        os.dup2(log.fileno(), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = [MODULE, asked]
    runpy.run_module(MODULE, run_name="__main__")


def _watch(child: BaseProcess, journal: Path, deadline: float, tell_part: Callable[[], None]) -> str:
    """Wait for the end, telling what was judged. Returns why the grading is not complete, or ""."""
    size = journal.stat().st_size
    while True:
        if deadline and time.monotonic() >= deadline:
            return "it took too long."
        child.join(min(LOOK_SECONDS, max(0.01, deadline - time.monotonic())) if deadline else LOOK_SECONDS)
        if child.exitcode is not None:
            return _why(child.exitcode)
        if (now := journal.stat().st_size) != size:
            size = now
            with suppress(Exception):  # a part that cannot be told costs nothing: the whole is told later
                tell_part()


def _why(code: int) -> str:
    if code in (EXIT_DONE, EXIT_GRADER):
        return ""  # what the grader could not judge stands beside the items
    if code == -signal.SIGKILL:
        return "it was killed, perhaps because memory ran out."
    return f"it ended with exit status {code}."


def _end(child: BaseProcess) -> None:
    """End the grading and everything that it or a submission started; nobody writes after this."""
    left = _descendants(child.pid) if child.pid else set()
    child.terminate()
    child.join(GRACE_SECONDS)
    child.kill()
    child.join()
    while left:
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        left = {pid for parent in left for pid in _descendants(parent)}


def _descendants(root: int) -> set[int]:
    """The processes below one, as far as they can be seen."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            parents[int(stat.parent.name)] = int(stat.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
    found, news = set[int](), {root}
    while news:
        news = {pid for pid, parent in parents.items() if parent in news} - found
        found |= news
    return found


def _about_the_machine(settings: Settings) -> Iterator[str]:
    """What the course's staff should know about the container."""
    if settings.grader != grader.__version__:
        yield f"The bundle was made by version {settings.grader} of the grader and is run by {grader.__version__}."
    limit = _memory_limit_mib()
    if limit is not None and limit < settings.memory_mib:
        yield (
            f"The container has {limit} MiB of memory and this assignment may need {settings.memory_mib}: choose a "
            "larger container in the settings of the platform."
        )


def _memory_limit_mib() -> int | None:
    for path in MEMORY_LIMITS:
        with suppress(OSError, ValueError):
            return int(Path(path).read_text(encoding="ascii")) >> 20
    return None


@contextmanager
def _folder(platform: Platform) -> Iterator[Path]:
    if platform.out is not None:
        yield platform.out
        return
    with tempfile.TemporaryDirectory(prefix="grading-") as folder:
        yield Path(folder) / "run"


@contextmanager
def _asked_to_stop() -> Iterator[None]:
    """SIGTERM, which a platform sends before it kills, ends the grading and not this process."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise _Stopped

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
