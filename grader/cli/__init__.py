"""The command line: arguments, errors, exit codes. Commands import what they need when they are called.

A module for each kind of user holds the arguments; what a command does is below `grader/commands/`.

`grader --help` and completion must stay fast, so nothing here imports torch, pytest or pydantic.
"""

from __future__ import annotations

import atexit
import errno
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from grader import __version__
from grader.cli import authoring, course, delivering, judging
from grader.errors import EXIT_GRADER, EXIT_INTERRUPTED, EXIT_NO, GraderError

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

for room in (judging, course, authoring, delivering):
    app.add_typer(room.app)


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """Shared options."""
    if version:
        sys.stdout.write(f"grader {__version__}\n")
        raise typer.Exit


DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
AGAIN = "and run the same command again: what was finished is kept."
INTERRUPTED = "\ngrader: interrupted; what was finished is kept, and the same command continues\n"


def launched_ahead(arguments: Sequence[str]) -> AbstractContextManager[Launched | None]:
    """The processes of `grader grade`, started before its arguments are looked at; None for every other command.

    They import torch, which takes longer than everything that the command line does before the first job.
    """
    runs_nothing = {"-h", "--help", "--plan", "--container", "--slurm"} & set(arguments)
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
    finally:  # a second Ctrl-C would break into what is cleaned up at exit
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
