"""The only place that turns errors into exit codes and a sentence."""

from __future__ import annotations

import atexit
import errno
import gc
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from grader.errors import EXIT_GRADER, EXIT_INTERRUPTED, EXIT_NO, GraderError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
AGAIN = "and run the same command again: what was finished is kept."
INTERRUPTED = "\ngrader: interrupted; what was finished is kept, and the same command continues\n"


@contextmanager
def told() -> Iterator[None]:
    """Run a whole program in this; it may end by SystemExit."""
    try:
        yield
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
        # What is there goes with the process: to take it apart in good order takes a tenth of a second, of torch one.
        atexit.register(gc.freeze)
