"""The command line: arguments, errors, exit codes. Commands import what they need when they are called.

A module for each kind of user holds the arguments; what a command does is below `grader/commands/`.

`grader --help` and completion must stay fast, so nothing here imports torch, pytest or pydantic.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer
from typer.models import CommandInfo

from grader import __version__
from grader.cli import authoring, course, delivering, judging
from grader.commands.ending import told

if TYPE_CHECKING:
    from grader.sandbox.launch import Launched

ROOMS = (judging, course, authoring, delivering)


def command_line(asked: str = "") -> typer.Typer:
    """All commands; or the one that is asked for alone, because typer builds all that it has, at every start."""
    app = typer.Typer(
        name="grader",
        help="Grade deep-learning assignments: numerical agreement, gradient agreement, rules.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help: boxes would cost as much as everything else that --help does
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(root)
    commands = [command for room in ROOMS for command in room.app.registered_commands]
    app.registered_commands = [command for command in commands if _name(command) == asked]
    if not app.registered_commands:
        app.registered_commands = commands
        app.registered_groups = [group for room in ROOMS for group in room.app.registered_groups]
    return app


def _name(command: CommandInfo) -> str:
    assert command.callback is not None
    return command.name or command.callback.__name__.replace("_", "-")


def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Shared options."""
    if version:
        sys.stdout.write(f"grader {__version__}\n")
        raise typer.Exit


app = command_line()


def launched_ahead(arguments: Sequence[str]) -> AbstractContextManager[Launched | None]:
    """The processes of `grade` and `check`, started before arguments are looked at; None for every other command.

    They import torch, which takes longer than everything that the command line does before the first job.
    """
    runs_nothing = {"-h", "--help", "--plan", "--container", "--slurm"} & set(arguments)
    if arguments[:1] not in (["grade"], ["check"]) or runs_nothing or not sys.platform.startswith("linux"):
        return nullcontext()
    from grader.sandbox.launch import launch, unconfined

    if arguments[0] == "grade":
        return launch()
    return launch(plain=True) if unconfined() == "plain" else nullcontext()


def main() -> None:
    """Run the command line."""
    gc.set_threshold(10_000)  # what a start makes stays: to look through it every 700 objects is a twentieth of it
    with told(), launched_ahead(sys.argv[1:]) as launched:
        command_line(*sys.argv[1:2])(obj=launched)
