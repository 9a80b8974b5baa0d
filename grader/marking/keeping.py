"""Everybody's marks in a results folder, read anew each time, and one marker's, written one by one.

Each change reads the marker's file, changes one line and replaces the file, while no other process does the same: two
windows, two machines on one file system or a person with an editor lose nothing but what both changed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.course import marks
from grader.course.marks import Sheet
from grader.errors import UsageError
from grader.marking.work import Place, Standing
from grader.model import Mark

_HERE = threading.Lock()


@dataclass(frozen=True)
class Keeper:
    """The marks of a results folder, and whose file is written."""

    folder: Path
    assignment: Assignment
    who: str = ""

    @property
    def path(self) -> Path:
        """The marker's own file."""
        return self.folder / marks.FOLDER / f"{self.who}.csv"

    def standing(self) -> Standing:
        """Everybody's marks as they are now. Raises UsageError for a file with bad lines."""
        sheets = {name: marks.read_sheet(path, self.assignment) for name, path in marks.files(self.folder).items()}
        last = sheets.pop(marks.FILE, Sheet())
        return Standing(sheets={Path(name).stem: s for name, s in sheets.items()}, decided=frozenset(last.given))

    def keep(self, mark: Mark) -> None:
        """Give a mark, or another one in its place."""
        self._change(lambda sheet: Sheet((*_without(sheet, (mark.submission, mark.item)), mark), sheet.reserved))

    def take_back(self, place: Place) -> None:
        """Give no mark any more."""
        self._change(lambda sheet: Sheet(_without(sheet, place), sheet.reserved))

    def reserve(self, choose: Callable[[Standing], frozenset[str]]) -> frozenset[str]:
        """Reserve what `choose` finds free, while nobody else reserves."""
        with self._alone():
            keys = choose(self.standing())
            sheet = self._own()
            if keys:
                marks.write_sheet(self.path, Sheet(sheet.marks, sheet.reserved | keys))
        return keys

    def _change(self, change: Callable[[Sheet], Sheet]) -> None:
        with self._alone():
            marks.write_sheet(self.path, change(self._own()))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """The only writer of marks. Raises UsageError when the disk refuses: what was on it stays."""
        try:
            with _locked(self.path.parent):
                yield
        except OSError as error:
            raise UsageError(f"{self.path}: the mark was not kept: {error.strerror}; earlier ones are safe") from None

    def _own(self) -> Sheet:
        return marks.read_sheet(self.path, self.assignment) if self.path.exists() else Sheet()


def _without(sheet: Sheet, place: Place) -> tuple[Mark, ...]:
    return tuple(mark for mark in sheet.marks if (mark.submission, mark.item) != place)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process, and one thread of it, change files of a folder at a time; a lock goes with its process."""
    marks.make_folder(folder)
    with _HERE:
        try:
            import fcntl
        except ImportError:  # Windows: threads of one process alone
            yield
            return
        handle = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)
