"""Commands for who writes an assignment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from grader.cli.options import Assignments, Device, Jobs, Only, Slug, Training, complete_slug, end
from grader.errors import UsageError

app = typer.Typer()


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
        end(watching.run(slugs or [], jobs, assignments))
        return
    kinds = [kind for kind, wanted in ((MUTANT, mutants), (REWRITING, rewritings)) if wanted]
    end(command.run(slugs or [], everything, jobs, assignments, kinds, recorded=recorded))


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
    more: Annotated[
        bool,
        typer.Option("--more", help="Keep the stored figures; train only those of --seeds and --styles that are not."),
    ] = False,
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
        end(command.run_rates(slug, assignments))
    elif training in (None, "off"):
        end(command.run(slug, assignments))
    else:
        end(
            command.run_training(slug, training, seeds, only or [], jobs, device, assignments, styles=styles, more=more)
        )


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

    end(command.run(slug, check, assignments))


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

    end(command.run(slug, item, into, assignments))


@app.command("schema")
def print_schema() -> None:
    """Print the JSON schema of assignment.yaml.

    For editors that complete and check YAML.
    """
    from grader.commands import schema as command

    end(command.run())


@app.command()
def new(
    slug: Annotated[str, typer.Argument(help="The new assignment's name.")],
    into: Annotated[Path, typer.Option("--into", help="Folder for test_suites/ and reference_solutions/.")] = Path(),
    numpy: Annotated[bool, typer.Option("--numpy", help="Of code in NumPy.")] = False,
) -> None:
    """Write the files of a new assignment.

    It passes its own verification; rewrite it piece by piece.
    """
    from grader.commands import new as command

    end(command.run(slug, into, numpy=numpy))


@app.command("new-course")
def new_course(folder: Annotated[Path, typer.Argument(help="A folder that is new, or empty.")]) -> None:
    """Write a course's own repository: README, Makefile, workflows and one small assignment, proven already."""
    from grader.commands import new as command

    end(command.course(folder))
