"""`grader grade --slurm`: the class in parts on a cluster, and the parts together."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from grader import __version__, intake
from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders
from grader.cluster import showing, slurm
from grader.cluster.following import Following, Shard, until_done
from grader.cluster.slurm import Nodes
from grader.cluster.task import FOLDER, Array, Task, is_open, load, place, save
from grader.commands.finishing import finish
from grader.commands.grade import Request, results_folder
from grader.commands.merge import combine
from grader.commands.runs import require_reference, seed_for, trainings_for
from grader.commands.shared import open_assignment
from grader.errors import EXIT_GRADER, EXIT_INTERRUPTED, GraderError, UsageError
from grader.recording.identity import code_digest
from grader.results.journal import NAME, lock
from grader.run.engine import Order, record_at
from grader.run.grading import automatic_items, new_seed

SUBMISSIONS_A_SHARD = 25
MOST_BY_ITSELF = 100


@dataclass(frozen=True, kw_only=True)
class Places:
    """The options of the command line that say how a class is divided and where the parts go."""

    shards: int
    partition: str
    gpu_partition: str
    at_once: int
    sbatch: Sequence[str]


def run(request: Request, places: Places) -> int:
    """Send what is not judged yet, wait for it, and write the results. Returns the exit code."""
    nodes = _nodes(request, places)
    slurm.require(nodes)
    folders, assignment = open_assignment(request.slug, request.assignments)
    out = results_folder(request).resolve()
    if request.resume and load(out) is None:
        raise UsageError(f"there is no run on a cluster to resume in {out}")
    if (out / NAME).exists() and load(out) is None:
        raise UsageError(f"{out} holds results of a run that was not on a cluster; choose another --out")
    with _alone(out):
        if (out / NAME).exists() and not is_open(out):
            sys.stderr.write(f"note: {out} was judged before; grade what came later into another --out, and merge\n")
            return finish(out, assignment, lenient=request.lenient, as_json=request.json)
        task = _task(request, places, folders, assignment, out)
        following = Following(out, task)
        try:
            shards = _followed(following, nodes, task)
        except KeyboardInterrupt:
            return _interrupted(following, out)
        sys.stderr.write("".join(f"note: {note}\n" for note in showing.notes(shards)))
        if troubles := showing.troubles(shards):
            lines = "\n".join(f"  {line}" for line in troubles)
            sys.stderr.write(
                f"grader: {len(troubles)} thing(s) keep shards from being judged:\n{lines}\n"
                f"What was finished is kept. Mend that, and run the same command again; logs are in {out / FOLDER}\n"
            )
            return EXIT_GRADER
        return _collected(request, task, out)


def _nodes(request: Request, places: Places) -> Nodes:
    for given, option in (
        (request.container, "--container"),
        (request.answers, "--answers"),
        (request.shard, "--shard"),
        (request.remember, "--remember"),
    ):
        if given:
            raise UsageError(f"--slurm and {option} do not go together")
    if strange := [text for text in places.sbatch if "=" not in text]:
        raise UsageError(f"--sbatch {strange[0]!r}: expected an option of sbatch with its value, such as account=cs101")
    options = dict(text.split("=", 1) for text in places.sbatch)
    nodes = Nodes(
        partition=places.partition, gpu_partition=places.gpu_partition, at_once=places.at_once, options=options
    )
    return replace(nodes, processors=request.jobs) if request.jobs else nodes


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Two callers would send what is lost twice."""
    (out / FOLDER).mkdir(parents=True, exist_ok=True, mode=0o700)
    with (out / FOLDER / "lock").open("ab") as file:
        if not lock(file.fileno()):
            raise UsageError(f"another call looks after {out}; see `grader status {out}`")
        yield


def _task(request: Request, places: Places, folders: Folders, assignment: Assignment, out: Path) -> Task:
    """The task that is kept there, or a new one with its recording. Raises UsageError when another is asked for."""
    before = load(out)
    if before is not None and before.code != code_digest():
        raise UsageError(
            f"{out} was begun with another state of the grader (version {before.version}): choose another --out"
        )
    asked = seed_for(request.seed, request.recording) or _given(before, "--seed") or new_seed()
    # In words: on a node the default would be what that node's environment says.
    choice = request.training or _given(before, "--training")
    request = replace(request, training=trainings_for(assignment, choice, "cpu").source)
    shards = places.shards or (before.shards if before else _shards_for(request, assignment))
    task = Task(
        slug=request.slug,
        arguments=_arguments(request, asked),
        shards=shards,
        arrays=_arrays(request, places, assignment),
        code=code_digest(),
        version=__version__,
    )
    if before is not None and before != task:
        different = [name for name in ("arguments", "shards", "arrays") if getattr(before, name) != getattr(task, name)]
        what = ", ".join(different)
        raise UsageError(f"{out} was begun with other options ({what}): give the same as then, or choose another --out")
    if before is None:
        require_reference(folders, request.recording)
        (out / FOLDER / "open").touch()
        _record(request, folders, asked, out / FOLDER / "recording")
        save(task, out)
    return task


def _given(task: Task | None, option: str) -> str | None:
    """What an earlier call gave all its shards, or worked out for them."""
    return None if task is None else task.arguments[task.arguments.index(option) + 1]


def _record(request: Request, folders: Folders, seed: str, target: Path) -> None:
    """The recording of all shards. Raises GraderError when the disk refuses."""
    shutil.rmtree(target, ignore_errors=True)
    try:
        if request.recording is not None:
            shutil.copytree(request.recording, target)
            return
        sys.stderr.write(f"{request.slug}: the reference runs here once, for all shards\n")
        record_at(target, Order(folders=folders, seed=seed))
    except shutil.Error as error:
        _, file, why = error.args[0][0]
        raise GraderError(f"{file} cannot be written: {why}; make room, and run the same command again") from None


def _shards_for(request: Request, assignment: Assignment) -> int:
    owners: list[str] = []

    def none_of(known: Sequence[str]) -> Collection[str]:
        owners.extend(known)
        return ()

    with tempfile.TemporaryDirectory() as workspace:
        intake.take_all(
            request.paths, assignment, Path(workspace).resolve(), groups=request.groups, single=request.single,
            choose=none_of,
        )  # fmt: skip
    return max(1, min(MOST_BY_ITSELF, -(-len(owners) // SUBMISSIONS_A_SHARD)))


def _arguments(request: Request, seed: str) -> tuple[str, ...]:
    """The arguments that all shards have, with paths that mean the same on every node."""
    if not request.paths:
        raise UsageError("name what is to be graded: folders, zips, notebooks or a bulk download")
    found = [*map(_absolute, request.paths), "--seed", seed]
    files = (
        ("--groups", request.groups),
        ("--course", request.course),
        ("--stage", request.stage),
        ("--assignments", request.assignments),
    )
    for option, path in files:
        found += [option, _absolute(path)] if path is not None else []
    for option, text in (("--training", request.training), ("--submitted-at", request.submitted_at)):
        found += [option, text] if text is not None else []
    found += [word for name in request.only for word in ("--only", name)]
    return (*found, "--single") if request.single else tuple(found)


def _absolute(path: Path) -> str:
    return str(path.absolute())


def _arrays(request: Request, places: Places, assignment: Assignment) -> tuple[Array, ...]:
    """One for everything, and with GPU nodes one for what needs a GPU; with --device cuda for trainings as well."""
    items = [assignment.item(name) for name in automatic_items(assignment, request.only)]
    trains = request.device == "cuda" and request.training != "off"
    if request.device == "cuda" and not places.gpu_partition:
        raise UsageError("--slurm --device cuda: say with --gpu-partition where GPUs are")
    on_gpu = [item.id for item in items if item.needs.gpu or (trains and item.training is not None)]
    if not places.gpu_partition or not on_gpu:
        return (Array(name="cpu"),)
    chosen = tuple(word for name in on_gpu for word in ("--item", name))
    return (
        Array(name="cpu", arguments=("--training", "off") if trains else ()),
        Array(name="gpu", arguments=(*chosen, "--device", "cuda"), gpu=True),
    )


def _followed(following: Following, nodes: Nodes, task: Task) -> list[Shard]:
    """Wait, with a table that is alive on a terminal and a line for every change elsewhere."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return until_done(following, nodes, _lines(task.slug))
    with Live(console=console, transient=True) as live:
        return until_done(following, nodes, lambda shards: live.update(Text(showing.table(task.slug, shards))))


def _lines(slug: str) -> Callable[[Sequence[Shard] | None], None]:
    said = ""

    def tell(shards: Sequence[Shard] | None) -> None:
        nonlocal said
        if (text := showing.summary(slug, shards)) != said:
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()
            said = text

    return tell


def _interrupted(following: Following, out: Path) -> int:
    """Jobs go on unless somebody at a terminal says otherwise."""
    ends = False
    if sys.stdin.isatty():
        try:
            sys.stderr.write("\nCancel the jobs as well? [y/N] ")
            ends = input().strip().lower() in ("y", "yes")
        except (EOFError, KeyboardInterrupt):
            ends = False
    if ends:
        slurm.cancel(following.jobs)
    what = "the jobs are cancelled" if ends else "the jobs go on"
    sys.stderr.write(
        f"\ngrader: interrupted; {what}, and what was finished is kept. `grader status {out}` says how far they are, "
        "the same command with --resume waits for them\n"
    )
    return EXIT_INTERRUPTED


def _collected(request: Request, task: Task, out: Path) -> int:
    """The shards' results as those of one run."""
    # A call that was killed here left half of it.
    (out / NAME).unlink(missing_ok=True)
    folders = [place(out, array.name, number) for array, number in task.parts()]
    code = combine(
        folders, out, as_json=request.json, assignments=request.assignments, lenient=request.lenient,
        times=request.times,
    )  # fmt: skip
    os.sync()
    (out / FOLDER / "open").unlink()
    return code
