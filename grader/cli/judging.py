"""Commands that grade, and that work on what was graded."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grader.cli.options import (
    Assignments,
    Container,
    Course,
    Device,
    Folder,
    Groups,
    Image,
    Jobs,
    Json,
    Lenient,
    NoCache,
    NoPages,
    Only,
    Out,
    Recording,
    Seed,
    Slug,
    Times,
    Training,
    end,
)
from grader.errors import UsageError
from grader.results.sharding import MAX_SHARDS

app = typer.Typer()
# Options of `grade` that say something only beside another one.
BESIDE = {
    "slurm": ("shards", "partition", "gpu_partition", "array_parallelism", "sbatch"),
    "container": ("image",),
    "plan": ("price",),
}


@app.command()
def check(
    context: typer.Context,
    slug: Slug,
    path: Annotated[Path, typer.Argument(help="Your work: a folder, zip, notebook or file.")] = Path(),
    only: Only = None,
    training: Annotated[bool, typer.Option("--training", help="Train too, on small data made by code.")] = False,
    json: Json = False,
    recording: Recording = None,
    no_cache: NoCache = False,
    collect: Annotated[
        Path | None, typer.Option("--collect", help="Put the files that are handed in into this zip.")
    ] = None,
    assignments: Assignments = None,
) -> None:
    """Check your own work before you hand it in.

    Runs the public checks on your own machine.
    """
    from grader.commands import check as command

    end(
        command.run(
            slug,
            path,
            only or [],
            json,
            assignments,
            training=training,
            recording=recording,
            no_cache=no_cache,
            out=collect,
            launched=context.obj,
        )
    )


@app.command()
def grade(
    context: typer.Context,
    slug: Slug,
    paths: Annotated[list[Path] | None, typer.Argument(help="Submissions: folders, zips, bulk downloads.")] = None,
    out: Out = None,
    jobs: Jobs = 0,
    seed: Seed = None,
    device: Device = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="Continue a results folder, which must exist.")] = False,
    only: Only = None,
    training: Training = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say how long the run will take on each device; runs nothing.")
    ] = False,
    price: Annotated[
        list[str] | None,
        typer.Option("--price", help="With --plan: money for an hour of one cpu or GPU, e.g. cuda=2.50. Repeatable."),
    ] = None,
    lenient: Lenient = False,
    groups: Groups = None,
    course: Course = None,
    times: Times = None,
    container: Container = False,
    image: Image = None,
    single: Annotated[
        bool, typer.Option("--single", help="Each path is one submission, whatever it looks like.")
    ] = False,
    submitted_at: Annotated[
        str | None, typer.Option("--submitted-at", help="When they were handed in (ISO 8601 with offset).")
    ] = None,
    answers: Annotated[
        Path | None, typer.Option("--answers", help="Take over what these results judged of the very same files.")
    ] = None,
    remember: Annotated[
        list[str] | None,
        typer.Option("--remember", help="Take in again who was forgotten (key, id, e-mail)."),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            "--shard", help="Judge one part of the class, e.g. 3/40 (auto/40: a job of an array); `merge` joins them."
        ),
    ] = None,
    items: Annotated[list[str] | None, typer.Option("--item", hidden=True)] = None,
    stage: Annotated[
        Path | None, typer.Option("--stage", help="Copy GRADER_DATA below this folder of the machine first, once.")
    ] = None,
    slurm: Annotated[bool, typer.Option("--slurm", help="Judge the class in parts, as jobs of Slurm.")] = False,
    shards: Annotated[
        int, typer.Option("--shards", min=0, max=MAX_SHARDS, help="With --slurm: parts (0: one for 25 submissions).")
    ] = 0,
    partition: Annotated[str, typer.Option("--partition", help="With --slurm: where jobs run.")] = "",
    gpu_partition: Annotated[
        str,
        typer.Option("--gpu-partition", help="With --slurm: where items that need a GPU run, as jobs of their own."),
    ] = "",
    array_parallelism: Annotated[
        int, typer.Option("--array-parallelism", min=0, help="With --slurm: jobs at once (0: as many as Slurm lets).")
    ] = 0,
    sbatch: Annotated[
        list[str] | None,
        typer.Option("--sbatch", help="With --slurm: an option of sbatch, e.g. account=cs101. Repeatable."),
    ] = None,
    json: Json = False,
    recording: Recording = None,
    no_cache: NoCache = False,
    assignments: Assignments = None,
) -> None:
    """Grade submissions and write results."""
    from grader.commands import grade as command

    _require_owners(context)
    request = command.Request(
        slug=slug,
        paths=tuple(paths or ()),
        out=out,
        jobs=jobs,
        seed=seed,
        device=device,
        resume=resume,
        only=tuple(only or ()),
        training=training,
        plan=plan,
        lenient=lenient,
        groups=groups,
        course=course,
        times=times,
        json=json,
        assignments=assignments,
        container=container,
        image=image,
        single=single,
        submitted_at=submitted_at,
        answers=answers,
        remember=tuple(remember or ()),
        recording=recording,
        no_cache=no_cache,
        shard=shard,
        items=tuple(items or ()),
        stage=stage,
        prices=tuple(price or ()),
    )
    if plan or not slurm:
        end(command.run(request, context.obj))
        return
    from grader.commands import cluster

    places = cluster.Places(
        shards=shards, partition=partition, gpu_partition=gpu_partition, at_once=array_parallelism, sbatch=sbatch or ()
    )
    end(cluster.run(request, places))


def _require_owners(context: typer.Context) -> None:
    """Raises UsageError for an option that nothing would look at: who gave it expects something else to happen."""
    for owner, names in BESIDE.items():
        given = [name for name in names if context.params[name] and not context.params[owner]]
        if given:
            option = given[0].replace("_", "-")
            raise UsageError(f"--{option} is for --{owner}: give that as well, or leave --{option} out")


@app.command()
def status(folder: Folder) -> None:
    """Say how far a run is, on a cluster or not."""
    from grader.commands import status as command

    end(command.run(folder))


@app.command()
def collect(
    slug: Slug,
    repos: Annotated[Path, typer.Option("--repos", help="CSV of who and url, or a folder of clones.")],
    out: Annotated[Path, typer.Option("--out", help="Folder to write, for `grader grade`.")],
    due: Annotated[str, typer.Option("--due", help="The deadline of all (default: of the course, by person).")] = "",
    course: Course = None,
    assignments: Assignments = None,
) -> None:
    """Fetch from repositories what was pushed in time.

    Of each the last commit before its author's own deadline, by committer date.
    """
    from grader.commands import collect as command

    end(command.run(slug, repos, due, course, out, assignments))


@app.command()
def similar(
    folder: Folder,
    former: Annotated[
        list[Path] | None, typer.Option("--former", help="Results or submissions of another year. Repeatable.")
    ] = None,
    least: Annotated[float, typer.Option("--least", min=0, max=1, help="Share of one's own code.")] = 0.5,
    assignments: Assignments = None,
) -> None:
    """List submissions whose code overlaps, side by side.

    For a person to read: it has no consequence. Runs no code.
    """
    from grader.commands import similar as command

    end(command.run(folder, former or [], least, assignments))


@app.command()
def watch(
    slug: Slug,
    folder: Annotated[Path, typer.Argument(help="The folder in which submissions arrive.")],
    out: Out = None,
    quiet: Annotated[float, typer.Option("--quiet", min=0, help="Seconds without a change before it is taken.")] = 5.0,
    once: Annotated[bool, typer.Option("--once", help="End when everything that is there was graded.")] = False,
    jobs: Jobs = 0,
    seed: Seed = None,
    training: Training = None,
    device: Device = "cpu",
    groups: Groups = None,
    course: Course = None,
    times: Times = None,
    assignments: Assignments = None,
) -> None:
    """Grade what arrives in a folder, until Ctrl-C.

    New and changed submissions are judged when nothing has written to them for a while; all results stay current.
    """
    from grader.commands import grade, inbox

    request = grade.Request(
        slug=slug, out=out, jobs=jobs, seed=seed, device=device, training=training, groups=groups, course=course,
        times=times, assignments=assignments,
    )  # fmt: skip
    end(inbox.run(folder, request, quiet, once=once))


@app.command()
def score(
    folder: Folder,
    lenient: Lenient = False,
    course: Course = None,
    times: Times = None,
    no_pages: NoPages = False,
    json: Json = False,
    assignments: Assignments = None,
) -> None:
    """Score stored results anew; runs no code.

    Applies the present points, consequences, deadlines and marks.csv to the journal of a results folder.
    """
    from grader.commands import score as command

    end(command.run(folder, lenient, json, assignments, course, times, pages=not no_pages))


@app.command()
def diff(
    before: Folder,
    after: Annotated[Path | None, typer.Argument(help="Another one (default: the same, since its release).")] = None,
    assignments: Assignments = None,
) -> None:
    """Say whose score changed, by which item, why."""
    from grader.commands import diff as command

    end(command.run(before, after, assignments))


@app.command()
def merge(
    folders: Annotated[list[Path], typer.Argument(help="Results folders of one assignment.")],
    out: Annotated[Path, typer.Option("--out", help="Results folder to write.")],
    no_pages: NoPages = False,
    json: Json = False,
    assignments: Assignments = None,
) -> None:
    """Combine runs of one assignment.

    Such as one without a GPU and a later one that trained on it. Runs no code.
    """
    from grader.commands import merge as command

    end(command.run(folders, out, json, assignments, pages=not no_pages))


@app.command()
def replay(
    report: Annotated[Path, typer.Argument(help="A report.json, or the submission's folder that holds it.")],
    item: Annotated[str, typer.Argument(help="The item to run again.")],
    script: Annotated[
        Path | None, typer.Option("--script", help="Write a script that shows what is wrong with PyTorch alone.")
    ] = None,
    recording: Recording = None,
    no_cache: NoCache = False,
    assignments: Assignments = None,
) -> None:
    """Reproduce one check, for an appeal.

    The same files, cases and seed as in the report.
    """
    from grader.commands import replay as command

    end(command.run(report, item, assignments, recording, no_cache, script))
