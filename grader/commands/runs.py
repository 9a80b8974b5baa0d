"""What commands that judge need: data, processors, GPUs, recordings, a bar of progress."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import get_args

from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders, cache_folder
from grader.datasets import VARIABLE
from grader.errors import UsageError
from grader.recording.identity import SUBMISSIONS, Unusable, folder_digest
from grader.recording.shelf import Shelf, read_index
from grader.run.engine import Recordings, Source, Trainings
from grader.run.grading import Progress, trainings_of
from grader.sandbox import gpu

SOURCES: tuple[Source, ...] = get_args(Source)
DEVICES = ("cpu", "cuda")


class NoData(UsageError):
    """The data that is asked for has no folder on this machine."""


def job_count(jobs: int) -> int:
    """The number of jobs, 0 meaning one per processor that this process may use."""
    if jobs:
        return jobs
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def use_staged_data(target: Path) -> None:
    """Have this process read data from a copy below `target`. Raises NoData where there is nothing to copy."""
    from grader.datasets.staging import stage

    source = os.environ.get(VARIABLE, "")
    if not source or not Path(source).expanduser().is_dir():
        raise NoData(f"--stage copies the data that {VARIABLE} names, and that is no folder: {source or 'not set'}")
    os.environ[VARIABLE] = str(stage(Path(source).expanduser(), target))


def trainings_for(assignment: Assignment, choice: str | None, device: str) -> Trainings:
    """What a run trains. Without a choice: on real data where GRADER_DATA names a folder, else not at all.

    Raises UsageError for an unknown word and for a device that is not here, NoData for real data without a folder.
    """
    planned = trainings_planned(assignment, choice, device)
    folder = os.environ.get(VARIABLE, "")
    real = planned.source == "real"
    if real and not (folder and Path(folder).expanduser().is_dir()):
        where = f"names {folder}, which is no folder" if folder else "is not set"
        advice = "see docs/data.md, or use --training made or --training off"
        raise NoData(f"--training real needs data, and {VARIABLE} {where}; {advice}")
    used = _gpu() if device == "cuda" else {}
    return replace(planned, data=Path(folder).expanduser() if real else None, gpu=used)


def trainings_planned(assignment: Assignment, choice: str | None, device: str) -> Trainings:
    """As `trainings_for`, whether or not data and a GPU are here. Raises UsageError for an unknown word."""
    word = choice or ("real" if os.environ.get(VARIABLE, "") else "off")
    source = next((known for known in SOURCES if known == word), None)
    if source is None:
        raise UsageError(f"--training {word!r}: expected one of {', '.join(SOURCES)}")
    if device not in DEVICES:
        raise UsageError(f"--device {device!r}: expected one of {', '.join(DEVICES)}")
    return trainings_of(assignment, source, device=device)


def _gpu() -> dict[str, str]:
    """The variables that name the run's GPU. Raises UsageError when none can be seen."""
    if not gpu.nodes():
        raise UsageError(
            "--device cuda: this machine has no NVIDIA GPU (/dev/nvidia0). Grade with --device cpu; items that need a "
            "GPU are skipped, and `grader merge` adds a later run with one"
        )
    if not (chosen := gpu.chosen(os.environ)):
        raise UsageError(f"--device cuda: {gpu.VISIBLE} hides every GPU; set it to the one to be used, or unset it")
    return chosen


def require_reference(folders: Folders, recording: Path | None = None) -> None:
    """Raises UsageError when the assignment's reference is not here, as in a student's copy, and no recording is."""
    if recording is None and not folders.reference.is_dir():
        raise UsageError(
            f"there is no reference solution at {folders.reference}; checks compare with it, or with a recording of "
            "its answers (--recording)"
        )


def recordings_for(given: Path | None, no_cache: bool) -> Recordings:
    """Where expected values come from; what is wrong with a recording is told on standard error."""

    def warn(text: str) -> None:
        sys.stderr.write(f"note: {text}\n")

    cache = None
    if not no_cache:
        try:
            cache = recordings_folder()
        except RuntimeError as error:
            warn(f"recordings cannot be kept: {error}")
    return Recordings(cache=cache, given=None if given is None else given.resolve(), warn=warn)


def recording_at_hand(folders: Folders, seed: str) -> Path | None:
    """What earlier runs here kept of these files under this seed: for a grader that cannot write to this machine."""
    with suppress(RuntimeError, OSError):
        suite, reference = folder_digest(folders.suite, SUBMISSIONS), folder_digest(folders.reference)
        return Shelf(recordings_folder()).latest(folders.suite.name, seed, suite, reference)
    return None


def recordings_folder() -> Path:
    """The shelf of this user's recordings. Raises RuntimeError for a user without a home."""
    return cache_folder() / "recordings"


def seed_for(asked: str | None, recording: Path | None) -> str | None:
    """The seed of a run: that of the recording, where one is given. Raises UsageError for two."""
    if recording is None:
        return asked
    try:
        seed = read_index(recording).identity.seed
    except Unusable as error:
        raise UsageError(f"--recording {recording}: {error}") from None
    if asked is not None and asked != seed:
        raise UsageError(f"--recording {recording} was made with the seed {seed}, and this run has the seed {asked}")
    return seed


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[Progress], None]]:
    """A progress bar on a terminal, one plain line per submission elsewhere. Written to standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda progress: console.print(f"{title}: {progress.done}/{progress.of} {progress.key}", highlight=False)
        return
    text = TextColumn("{task.description}")
    columns = (SpinnerColumn(), text, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, transient=True) as bars:
        task = bars.add_task(f"{title}: starting", total=None)
        yield lambda progress: bars.update(
            task, description=f"{title}: {progress.key[:40]}", completed=progress.done, total=progress.of
        )
