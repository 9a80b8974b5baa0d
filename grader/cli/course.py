"""Commands of a course: what becomes of grades after they are made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grader.cli.options import Assignments, By, Container, Device, Folder, Image, Jobs, Recording, Training, Why, end

app = typer.Typer()


@app.command()
def void(
    folder: Folder,
    item: Annotated[str, typer.Argument(help="The item.")],
    full: Annotated[bool, typer.Option("--full", help="It gives all its points to everybody.")] = False,
    out: Annotated[bool, typer.Option("--out", help="It is out of scores and totals.")] = False,
    undo: Annotated[bool, typer.Option("--undo", help="It counts again.")] = False,
    by: By = "",
    why: Why = "",
    assignments: Assignments = None,
) -> None:
    """Let an item count for everybody alike, because it was wrong.

    Writes voids.csv into the results folder, and the scores anew. Runs no code.
    """
    from grader.commands import void as command

    if full + out + undo != 1:
        raise typer.BadParameter("say what becomes of the item: --full, --out or --undo")
    end(command.run(folder, item, "full" if full else "out" if out else "", by, why, assignments))


@app.command()
def settle(
    folder: Folder,
    rows: Annotated[list[str] | None, typer.Argument(help="Rows of dispositions.csv; without any, it is read.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="They stand as they are.")] = False,
    change: Annotated[bool, typer.Option("--change", help="A broken rule costs nothing here.")] = False,
    by: By = "",
    why: Why = "",
    assignments: Assignments = None,
) -> None:
    """Say what must be decided before grades are released.

    Writes dispositions.csv with every row of attention.csv, for you to fill in, and the scores that follow from it.
    """
    from grader.commands import settle as command

    if accept and change:
        raise typer.BadParameter("say --accept or --change")
    end(command.run(folder, rows or [], "accepted" if accept else "changed" if change else "", by, why, assignments))


@app.command()
def release(
    folder: Folder,
    by: By = "",
    only_rise: Annotated[
        bool, typer.Option("--only-rise", help="Refuse when a score fell since the release before.")
    ] = False,
    open_points: Annotated[
        bool, typer.Option("--open-points", help="Release although points are open that a person has to give.")
    ] = False,
    assignments: Assignments = None,
) -> None:
    """Freeze the scores of a class.

    Refuses while a row of dispositions.csv that must be decided is not; lists whose score changed since last time.
    """
    from grader.commands import release as command

    end(command.run(folder, by, only_rise, open_points, assignments))


@app.command()
def regrade(
    folder: Folder,
    key: Annotated[str, typer.Argument(help="Whose work; without it, everybody's that is stale or missing.")] = "",
    items: Annotated[list[str] | None, typer.Argument(help="Only these items, or all below these names.")] = None,
    jobs: Jobs = 0,
    device: Device = "cpu",
    training: Training = None,
    recording: Recording = None,
    container: Container = False,
    image: Image = None,
    assignments: Assignments = None,
) -> None:
    """Judge stored submissions again.

    One person's, one item of it, or – without a key – only what a repaired test or a new version made stale.
    """
    from grader.commands import regrade as command

    end(
        command.run(
            folder,
            key,
            items or [],
            jobs=jobs,
            device=device,
            training=training,
            recording=recording,
            container=container,
            image=image,
            assignments=assignments,
        )
    )


@app.command()
def audit(
    folder: Folder,
    head: Annotated[str, typer.Option("--head", help="A digest that a feedback file prints: is it in the log?")] = "",
    assignments: Assignments = None,
) -> None:
    """Say what was altered without the grader.

    The chain of the log, marks and decisions, every file of results, and the scores that were released.
    """
    from grader.commands import audit as command

    end(command.run(folder, head, assignments))


@app.command()
def forget(
    folder: Folder,
    key: Annotated[str, typer.Argument(help="The key of the submission; an id or e-mail address.")],
    by: By = "",
    assignments: Assignments = None,
) -> None:
    """Remove a person: files, results, marks and names. The log stays whole."""
    from grader.commands import forget as command

    end(command.run(folder, key, by, assignments))


@app.command()
def mark(
    folder: Folder,
    who: Annotated[str | None, typer.Option("--as", help="Who marks (default: the user's name).")] = None,
    take: Annotated[int, typer.Option("--take", min=0, help="Reserve the next so many submissions.")] = 0,
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Of this machine (0: any that is free).")] = 0,
    submissions: Annotated[
        list[Path] | None, typer.Option("--submissions", help="What was graded, where the folder does not keep it.")
    ] = None,
    report: Annotated[bool, typer.Option("--report", help="Only say who marked what, and where two differ.")] = False,
    assignments: Assignments = None,
) -> None:
    """Give points by hand, on a page of this machine.

    Writes marks/<who>.csv into the results folder, mark by mark. Runs no code.
    """
    from grader.commands import mark as command

    end(command.run(folder, who, take, port, submissions or [], report, assignments))


@app.command()
def export(
    folder: Folder,
    target: Annotated[
        str, typer.Option("--for", help="canvas, moodle, csv, or mail: a table of addresses and feedback files.")
    ],
    out: Annotated[Path, typer.Option("--out", help="The file to write.")],
    sheet: Annotated[
        Path | None, typer.Option("--sheet", help="The gradebook that Canvas, or the worksheet that Moodle exported.")
    ] = None,
    column: Annotated[
        str, typer.Option("--column", help="The sheet's column: title, number or both (default: where there is one).")
    ] = "",
    comments: Annotated[
        str,
        typer.Option("--comments", help="The column of comments in Moodle's worksheet, where it is not recognised."),
    ] = "",
    no_comments: Annotated[
        bool, typer.Option("--no-comments", help="Write points alone into Moodle's worksheet.")
    ] = False,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="csv: no keys and no names.")] = False,
    partial: Annotated[bool, typer.Option("--partial", help="Write it although somebody is missing.")] = False,
    assignments: Assignments = None,
) -> None:
    """Write released scores for the course system.

    Fills a column of the sheet that it exported – and that of comments, in Moodle's – and leaves every other byte as it
    was.
    """
    from grader.commands import export as command

    end(
        command.run(
            folder,
            target,
            out,
            sheet=sheet,
            column=column,
            comments=None if no_comments else comments,
            anonymous=anonymous,
            partial=partial,
            assignments=assignments,
        )
    )


@app.command("class")
def show_class(
    folder: Folder,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Name nobody, though people.csv is there.")] = False,
    out: Annotated[Path | None, typer.Option("--out", help="The page to write (default: class.html there).")] = None,
    assignments: Assignments = None,
) -> None:
    """Show a class at a glance.

    What is probably not the students' fault, scores, items, mistakes, trainings, who waits and who is missing; here
    and in class.html. Runs no code.
    """
    from grader.commands import overview as command

    end(command.run(folder, anonymous, out, assignments))
