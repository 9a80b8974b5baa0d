"""Commands that bring the grader to where it runs, and look at what is there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grader.cli.options import Assignments, Course, Json, Slug, end

app = typer.Typer()


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
    course: Course = None,
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
        course=course,
    )
    end(command.run(request))


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

    end(command.run(slug, out, assignments))


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

    end(command.run(json, require, container=container, image=image))


recordings = typer.Typer(help="Recordings of the reference's answers, kept for the next run.", no_args_is_help=True)
app.add_typer(recordings, name="recording")
Name = Annotated[str, typer.Argument(help="A name that `list` shows, or a recording's folder.")]


@recordings.command("list")
def list_recordings() -> None:
    """Say which recordings are kept, the last used first."""
    from grader.commands import recording as command

    end(command.show_all())


@recordings.command("show")
def show_recording(
    name: Name,
    suite: Annotated[Path | None, typer.Option("--suite", help="Write the suite as it was into this folder.")] = None,
) -> None:
    """Say what a recording was made of and what it holds."""
    from grader.commands import recording as command

    end(command.show(name, suite))


@recordings.command("remove")
def remove_recordings(
    names: Annotated[list[str] | None, typer.Argument(help="Names that `list` shows.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every recording.")] = False,
) -> None:
    """Delete recordings; the next run makes what it needs anew."""
    from grader.commands import recording as command

    end(command.remove(names or [], everything))
