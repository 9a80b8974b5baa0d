"""The command line: arguments, errors, exit codes. Commands import what they need when they are called.

`grader --help` and completion must stay fast, so nothing here imports torch, pytest or pydantic.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from grader import __version__
from grader.errors import EXIT_GRADER, EXIT_INTERRUPTED, EXIT_NO, GraderError, UsageError

if TYPE_CHECKING:
    from grader.sandbox.launch import Launched

app = typer.Typer(
    name="grader",
    help="Grade deep-learning assignments: numerical agreement, gradient agreement, rules.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: boxes would cost as much as everything else that --help does
    context_settings={"help_option_names": ["-h", "--help"]},
)


def complete_slug(incomplete: str) -> list[str]:
    """Slugs for shell completion."""
    from grader.assignment.locate import known_slugs

    return [slug for slug in known_slugs() if slug.startswith(incomplete)]


def complete_item(context: typer.Context, incomplete: str) -> list[str]:
    """Item ids of the slug on the command line, for shell completion."""
    from grader.commands.shared import item_ids

    return [name for name in item_ids(context.params.get("slug")) if name.startswith(incomplete)]


Slug = Annotated[str, typer.Argument(help="The assignment, e.g. cs7643_a4.", autocompletion=complete_slug)]
Assignments = Annotated[
    Path | None, typer.Option("--assignments", help="Folder that holds test_suites/ and reference_solutions/.")
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", help="Only this item, or all below this name. Repeatable.", autocompletion=complete_item),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Device = Annotated[str, typer.Option("--device", help="Where student code runs: cpu or cuda.")]
Training = Annotated[
    str | None,
    typer.Option(
        "--training",
        help="Trainings: off, made (data made by code), real (sets below GRADER_DATA; the default where that is set).",
        autocompletion=lambda incomplete: [word for word in ("off", "made", "real") if word.startswith(incomplete)],
    ),
]
Recording = Annotated[
    Path | None, typer.Option("--recording", help="Judge from this recording; without a reference too.")
]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Run the reference, and keep nothing of it.")]
Jobs = Annotated[int, typer.Option("--jobs", min=0, help="Submissions judged side by side (0: one per processor).")]


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Shared options."""
    if version:
        sys.stdout.write(f"grader {__version__}\n")
        raise typer.Exit


@app.command()
def check(
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

    _end(
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
        )
    )


@app.command()
def grade(
    context: typer.Context,
    slug: Slug,
    paths: Annotated[list[Path] | None, typer.Argument(help="Submissions: folders, zips, bulk downloads.")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Results folder (default: grades/<slug>-<date>).")] = None,
    jobs: Jobs = 0,
    seed: Annotated[str | None, typer.Option("--seed", help="Seed of all cases (default: drawn and stored).")] = None,
    device: Device = "cpu",
    resume: Annotated[bool, typer.Option("--resume", help="Continue a results folder, which must exist.")] = False,
    only: Only = None,
    training: Training = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only say how long the run will take; runs nothing.")] = False,
    lenient: Annotated[bool, typer.Option("--lenient", help="Report broken rules without their consequences.")] = False,
    groups: Annotated[Path | None, typer.Option("--groups", help="CSV of groups that handed in together.")] = None,
    container: Annotated[bool, typer.Option("--container", help="Grade in a container (Docker or Podman).")] = False,
    image: Annotated[
        str | None, typer.Option("--image", help="The container's image (default: what `make image` builds).")
    ] = None,
    single: Annotated[
        bool, typer.Option("--single", help="Each path is one submission, whatever it looks like.")
    ] = False,
    submitted_at: Annotated[
        str | None, typer.Option("--submitted-at", help="When they were handed in (ISO 8601 with offset).")
    ] = None,
    taken: Annotated[Path | None, typer.Option("--taken", hidden=True)] = None,
    answers: Annotated[
        Path | None, typer.Option("--answers", help="Take over what these results judged of the very same files.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option("--shard", help="Judge one part of the class, e.g. 3/40; `merge` puts them together.")
    ] = None,
    json: Json = False,
    recording: Recording = None,
    no_cache: NoCache = False,
    assignments: Assignments = None,
) -> None:
    """Grade submissions and write results."""
    from grader.commands import grade as command

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
        json=json,
        assignments=assignments,
        container=container,
        image=image,
        single=single,
        submitted_at=submitted_at,
        taken=taken,
        answers=answers,
        recording=recording,
        no_cache=no_cache,
        shard=shard,
    )
    _end(command.run(request, context.obj))


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="A results folder.")],
    lenient: Annotated[bool, typer.Option("--lenient", help="Report broken rules without their consequences.")] = False,
    json: Json = False,
    assignments: Assignments = None,
) -> None:
    """Score stored results anew; runs no code.

    Applies the present points, consequences and marks.csv to the journal of a results folder.
    """
    from grader.commands import score as command

    _end(command.run(folder, lenient, json, assignments))


@app.command()
def diff(
    before: Annotated[Path, typer.Argument(help="A results folder.")],
    after: Annotated[Path, typer.Argument(help="Another one.")],
    assignments: Assignments = None,
) -> None:
    """Say whose score changed, by which item, why."""
    from grader.commands import diff as command

    _end(command.run(before, after, assignments))


@app.command()
def merge(
    folders: Annotated[list[Path], typer.Argument(help="Results folders of one assignment.")],
    out: Annotated[Path, typer.Option("--out", help="Results folder to write.")],
    json: Json = False,
    assignments: Assignments = None,
) -> None:
    """Combine runs of one assignment.

    Such as one without a GPU and a later one that trained on it. Runs no code.
    """
    from grader.commands import merge as command

    _end(command.run(folders, out, json, assignments))


@app.command()
def replay(
    report: Annotated[Path, typer.Argument(help="A report.json, or the submission's folder that holds it.")],
    item: Annotated[str, typer.Argument(help="The item to run again.")],
    recording: Recording = None,
    no_cache: NoCache = False,
    assignments: Assignments = None,
) -> None:
    """Reproduce one check, for an appeal.

    The same files, cases and seed as in the report.
    """
    from grader.commands import replay as command

    _end(command.run(report, item, assignments, recording, no_cache))


@app.command()
def verify(
    slugs: Annotated[list[str] | None, typer.Argument(help="Assignments.", autocompletion=complete_slug)] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every assignment that is found.")] = False,
    mutants: Annotated[
        bool, typer.Option("--mutants", help="Run small wrong versions of the reference, not the kept submissions.")
    ] = False,
    rewritings: Annotated[
        bool, typer.Option("--rewritings", help="Run other right versions of the reference: none may lose a point.")
    ] = False,
    recorded: Annotated[
        bool, typer.Option("--recorded", help="Judge from a recording, as where no reference is; trains nothing.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Prove, and of each change of a file what it touches, until Ctrl-C.")
    ] = False,
    jobs: Jobs = 0,
    assignments: Assignments = None,
) -> None:
    """Prove that suites catch what they must.

    The reference earns everything, the template nothing, and each known mistake fails exactly its items.
    """
    from grader.commands import verify as command
    from grader.proof.changes.kinds import MUTANT, REWRITING

    if watch:
        from grader.commands import watch as watching

        if everything or mutants or rewritings or recorded:
            raise UsageError("--watch follows one assignment: name it, and give --watch alone")
        _end(watching.run(slugs or [], jobs, assignments))
        return
    kinds = [kind for kind, wanted in ((MUTANT, mutants), (REWRITING, rewritings)) if wanted]
    _end(command.run(slugs or [], everything, jobs, assignments, kinds, recorded=recorded))


@app.command()
def calibrate(
    slug: Slug,
    training: Training = None,
    seeds: Annotated[int, typer.Option("--seeds", help="Trainings of the reference per item.")] = 5,
    rates: Annotated[
        bool, typer.Option("--rates", help="Hold stored figures against changed thresholds; trains nothing.")
    ] = False,
    styles: Annotated[
        int, typer.Option("--styles", help="Trainings per item of each honest style of initial values; 0 for none.")
    ] = 0,
    only: Only = None,
    jobs: Jobs = 0,
    device: Device = "cpu",
    assignments: Assignments = None,
) -> None:
    """Measure the evidence for tolerances and thresholds.

    How much of each bound rounding uses up, and what the bounds would wrongly accept. With --training: what the
    reference reaches over several seeds, and how often each threshold would fail it; stored in evidence.yaml.
    """
    from grader.commands import calibrate as command

    if rates:
        _end(command.run_rates(slug, assignments))
    elif training in (None, "off"):
        _end(command.run(slug, assignments))
    else:
        _end(command.run_training(slug, training, seeds, only or [], jobs, device, assignments, styles=styles))


@app.command()
def template(
    slug: Slug,
    check: Annotated[bool, typer.Option("--check", help="Only say whether the committed templates are stale.")] = False,
    assignments: Assignments = None,
) -> None:
    """Generate student templates.

    From the reference, with proofs that nothing of the solution leaks.
    """
    from grader.commands import template as command

    _end(command.run(slug, check, assignments))


@app.command()
def expand(
    slug: Slug,
    item: Annotated[str | None, typer.Argument(help="One check; everything without it.")] = None,
    into: Annotated[Path | None, typer.Option("--into", help="Write the whole suite into this new folder.")] = None,
    assignments: Assignments = None,
) -> None:
    """Print what the short form stands for.

    Its checks, answers and known mistakes as the files of the long form.
    """
    from grader.commands import expand as command

    _end(command.run(slug, item, into, assignments))


@app.command("schema")
def print_schema() -> None:
    """Print the JSON schema of assignment.yaml.

    For editors that complete and check YAML.
    """
    from grader.commands import schema as command

    _end(command.run())


@app.command()
def new(
    slug: Annotated[str, typer.Argument(help="The new assignment's name.")],
    into: Annotated[Path, typer.Option("--into", help="Folder for test_suites/ and reference_solutions/.")] = Path(),
) -> None:
    """Write the files of a new assignment.

    It passes its own verification; rewrite it piece by piece.
    """
    from grader.commands import new as command

    _end(command.run(slug, into))


@app.command("new-course")
def new_course(folder: Annotated[Path, typer.Argument(help="A folder that is new, or empty.")]) -> None:
    """Write a course's own repository: README, Makefile, workflows and one small assignment, proven already."""
    from grader.commands import new as command

    _end(command.course(folder))


@app.command()
def bundle(
    slug: Slug,
    platform: Annotated[
        str, typer.Option("--for", help="The platform: gradescope, prairielearn, autolab or plain (/in to /out).")
    ],
    out: Annotated[Path | None, typer.Option("--out", help="What to write (default: <slug>-<platform>).")] = None,
    seed: Annotated[
        str | None, typer.Option("--seed", help="Seed of all cases (default: drawn; keep it secret).")
    ] = None,
    with_reference: Annotated[
        bool, typer.Option("--with-reference", help="Carry the reference too: for trainings that are held against it.")
    ] = False,
    training: Annotated[str, typer.Option("--training", help="Trainings there: off or made.")] = "off",
    minutes: Annotated[
        float | None,
        typer.Option("--minutes", help="How long one submission may take (default: below the platform's)."),
    ] = None,
    wheelhouse: Annotated[
        Path | None, typer.Option("--wheelhouse", help="Folder of wheels to install from, instead of an index.")
    ] = None,
    docker: Annotated[
        bool, typer.Option("--docker", help="Gradescope: a folder to build an image from, instead of a zip.")
    ] = False,
    profile: Annotated[
        str,
        typer.Option("--profile", help="Gradescope: testing, or submission (tries and messages by the manifest)."),
    ] = "testing",
    answers: Annotated[
        Path | None,
        typer.Option("--answers", help="Gradescope: results of its export, graded elsewhere, to be handed back."),
    ] = None,
    total: Annotated[
        float | None, typer.Option("--total", help="The points that the platform's assignment has, to be checked.")
    ] = None,
    assignments: Assignments = None,
) -> None:
    """Write what a platform's autograder is made of.

    Gradescope's zip, or the folder of an image for PrairieLearn, Autolab or no platform at all.
    """
    from grader.commands import bundle as command

    request = command.Request(
        slug=slug,
        platform=platform,
        out=out,
        seed=seed,
        with_reference=with_reference,
        training=training,
        minutes=minutes,
        wheelhouse=wheelhouse,
        docker=docker,
        assignments=assignments,
        profile=profile,
        answers=answers,
        total=total,
    )
    _end(command.run(request))


@app.command()
def kit(
    slug: Slug,
    out: Annotated[Path | None, typer.Option("--out", help="The zip to write (default: <slug>-kit.zip).")] = None,
    assignments: Assignments = None,
) -> None:
    """Write what students get.

    Templates, the public checks with a few expected values instead of the reference, and the grader itself.
    """
    from grader.commands import kit as command

    _end(command.run(slug, out, assignments))


@app.command()
def doctor(
    json: Json = False,
    require: Annotated[
        str, typer.Option("--require", help="Exit 1 below this level: none, weak, standard, strict.")
    ] = "none",
    container: Annotated[
        bool, typer.Option("--container", help="Look inside a container, as `grade --container` starts it.")
    ] = False,
    image: Annotated[str | None, typer.Option("--image", help="The container's image.")] = None,
) -> None:
    """Find out what this machine can protect.

    Starts confined workers and lets them attack.
    """
    from grader.commands import doctor as command

    _end(command.run(json, require, container=container, image=image))


recordings = typer.Typer(help="Recordings of the reference's answers, kept for the next run.", no_args_is_help=True)
app.add_typer(recordings, name="recording")
Name = Annotated[str, typer.Argument(help="A name that `list` shows, or a recording's folder.")]


@recordings.command("list")
def list_recordings() -> None:
    """Say which recordings are kept, the last used first."""
    from grader.commands import recording as command

    _end(command.show_all())


@recordings.command("show")
def show_recording(
    name: Name,
    suite: Annotated[Path | None, typer.Option("--suite", help="Write the suite as it was into this folder.")] = None,
) -> None:
    """Say what a recording was made of and what it holds."""
    from grader.commands import recording as command

    _end(command.show(name, suite))


@recordings.command("remove")
def remove_recordings(
    names: Annotated[list[str] | None, typer.Argument(help="Names that `list` shows.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every recording.")] = False,
) -> None:
    """Delete recordings; the next run makes what it needs anew."""
    from grader.commands import recording as command

    _end(command.remove(names or [], everything))


DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
AGAIN = "and run the same command again: what was finished is kept."
INTERRUPTED = "\ngrader: interrupted; what was finished is kept, and the same command continues\n"


def _end(code: int) -> None:
    if code:
        raise typer.Exit(code)


def launched_ahead(arguments: Sequence[str]) -> AbstractContextManager[Launched | None]:
    """The processes of `grader grade`, started before its arguments are looked at; None for every other command.

    They import torch, which takes longer than everything that the command line does before the first job.
    """
    runs_nothing = {"-h", "--help", "--plan", "--container"} & set(arguments)
    if arguments[:1] != ["grade"] or runs_nothing or not sys.platform.startswith("linux"):
        return nullcontext()
    from grader.sandbox.launch import launch

    return launch()


def main() -> None:
    """Run the command line; the only place that turns errors into exit codes."""
    try:
        with launched_ahead(sys.argv[1:]) as launched:
            app(obj=launched)
    except GraderError as error:
        sys.stderr.write(f"grader: {error}\n")
        sys.exit(error.exit_code or EXIT_NO)
    except KeyboardInterrupt:
        sys.stderr.write(INTERRUPTED)
        sys.exit(EXIT_INTERRUPTED)
    except SystemExit as end:
        if end.code == EXIT_INTERRUPTED:  # what typer makes of Ctrl-C, without a word
            sys.stderr.write(INTERRUPTED)
        raise
    except BrokenPipeError:
        sys.exit(EXIT_NO)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in DISK_FULL:
            sys.stderr.write(f"grader: {error.filename or 'the disk'}: {error.strerror}. Make room, {AGAIN}\n")
            sys.exit(EXIT_GRADER)
        import traceback

        traceback.print_exc()
        sys.stderr.write("grader: this is a fault of the grader, not of a submission; no points were lost by it\n")
        sys.exit(EXIT_GRADER)


if __name__ == "__main__":
    main()
