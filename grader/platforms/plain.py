"""No platform: whatever lies in `/in`, a class or one submission, is graded into `/out`."""

from __future__ import annotations

from pathlib import Path

from grader.errors import UsageError
from grader.platforms.base import Outcome, Task


class Plain:
    """Two folders below a root."""

    rewrites = False

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = root
        self.out: Path | None = root / "out"

    def task(self) -> Task:
        """Everything below `/in`."""
        paths = tuple(sorted((self._root / "in").glob("*")))
        if not paths:
            raise UsageError(f"there is nothing below {self._root / 'in'}; mount submissions there")
        return Task(paths=paths, single=False)

    def write(self, outcome: Outcome) -> None:
        """The results folder is `/out` itself; there is nothing else to tell."""
