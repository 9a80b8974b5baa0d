"""Commands of a course: what becomes of grades after they are made."""

from __future__ import annotations

from typing import Annotated

import typer

from grader.cli.options import Assignments, By, Folder, Why, end

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
