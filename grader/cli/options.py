"""Arguments that several commands share, and their completion."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


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
Course = Annotated[
    Path | None, typer.Option("--course", help="course.yaml (default: beside the assignment; kept with the results).")
]
Times = Annotated[
    Path | None, typer.Option("--times", help="CSV of who and time, where the download does not say when.")
]
Groups = Annotated[Path | None, typer.Option("--groups", help="CSV of groups that handed in together.")]
Out = Annotated[Path | None, typer.Option("--out", help="Results folder (default: grades/<slug>-<date>).")]
Seed = Annotated[str | None, typer.Option("--seed", help="Seed of all cases (default: drawn and stored).")]
Lenient = Annotated[bool, typer.Option("--lenient", help="Report broken rules without their consequences.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Run the reference, and keep nothing of it.")]
NoPages = Annotated[
    bool, typer.Option("--no-pages", help="Write no HTML pages, which take most of the time; take older ones away.")
]
Jobs = Annotated[int, typer.Option("--jobs", min=0, help="Submissions judged side by side (0: one per processor).")]
Container = Annotated[bool, typer.Option("--container", help="Judge in a container (Docker or Podman).")]
Image = Annotated[
    str | None, typer.Option("--image", help="The container's image (default: what `make image` builds).")
]
Folder = Annotated[Path, typer.Argument(help="A results folder.")]
By = Annotated[str, typer.Option("--by", help="Who decides (default: your user name).")]
Why = Annotated[str, typer.Option("--why", help="The reason, for whoever asks later.")]


def end(code: int) -> None:
    """Leave with this exit code."""
    if code:
        raise typer.Exit(code)
