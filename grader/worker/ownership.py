"""Which code objects are the student's: the question behind counted prints, shown frames and traced calls."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator


def module_files() -> frozenset[str]:
    """The files of everything that is imported now."""
    return frozenset(file for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None)))


class StudentFiles:
    """Knows the student's files by their names in code objects.

    `root` is the submission's root as the process sees it. After a change of root that is "/", below which the names
    of the grader's and torch's own files seem to lie too; those were all imported before, so they are known.
    `known` are their names where somebody has collected them already: a forked worker that looks at every module
    writes to the reference count of each and so copies ten megabytes of its parent. What the code wrote into its
    scratch folder and imports from there is the student's as well.
    """

    def __init__(self, root: str, known: frozenset[str] | None = None, scratch: str = "") -> None:
        self.prefix = root.replace("\\", "/").rstrip("/") + "/"
        self._written = scratch.replace("\\", "/").rstrip("/") + "/" if scratch else self.prefix
        self._known = module_files() if known is None else known
        self._answers: dict[str, bool] = {}
        self._last = next(reversed(sys.modules), "")

    def owns(self, filename: str) -> bool:
        """Whether code of this file name was handed in."""
        answer = self._answers.get(filename)
        if answer is None:
            name = filename.replace("\\", "/")
            answer = self._answers[filename] = (
                name.startswith((self.prefix, self._written)) and filename not in self._known
            )
        return answer

    def imported(self) -> Iterator[str]:
        """The modules that have come since, and out of the student's folders: the last one first."""
        for name in reversed(sys.modules):
            if name == self._last:
                return
            file = getattr(sys.modules[name], "__file__", None)
            if file and self.owns(os.path.abspath(str(file))):  # noqa: PTH100 - relative to where it runs
                yield name

    def relative(self, filename: str) -> str:
        """The file name as the student knows it."""
        return filename.replace("\\", "/").removeprefix(self._written).removeprefix(self.prefix)
