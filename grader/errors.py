"""The error tree. The command line catches `GraderError` and nothing else.

    GraderError                 exit 3   the grader could not do its work
    ├── UsageError              exit 2   wrong call: an unknown slug, a folder that is in use
    ├── AuthorError             exit 2   a manifest, suite, reference or kept submission is wrong
    ├── SubmissionError         exit 0   one submission cannot be read: reported, the others go on
    └── SandboxError            exit 3   a worker could not be started or a protection failed

Every message says what went wrong, where, what was expected and what to do next.
"""

from __future__ import annotations

from pathlib import Path

EXIT_DONE = 0
EXIT_NO = 1
EXIT_AUTHOR = 2
EXIT_GRADER = 3
EXIT_INTERRUPTED = 130


class GraderError(Exception):
    """Something the grader itself could not do; the base of every error that it raises on purpose."""

    exit_code = EXIT_GRADER


class UsageError(GraderError):
    """The command was called in a way that cannot work."""

    exit_code = EXIT_AUTHOR


class AuthorError(GraderError):
    """A mistake of the assignment's author, shown with file and line where they are known."""

    exit_code = EXIT_AUTHOR

    def __init__(self, message: str, path: Path | str | None = None, line: int | None = None) -> None:
        self.path = path
        self.line = line
        where = "" if path is None else f"{path}:{line}: " if line is not None else f"{path}: "
        super().__init__(where + message)


class SubmissionError(GraderError):
    """One submission cannot be taken in. The message is written for the student who handed it in."""

    exit_code = EXIT_DONE


class SandboxError(GraderError):
    """An infrastructure fault: it is retried once and never costs a student points."""
