"""`grader watch SLUG FOLDER`: grades what arrives in a folder into one results folder, until Ctrl-C.

What lies in the folder and has not changed for a while is handed to `grader grade`, all of it each time: what was
judged already is known by its content and not judged again, so nothing is remembered here, and a kill costs nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader.commands import grade, overview
from grader.errors import EXIT_DONE, GraderError, UsageError
from grader.intake.names import PART_DOWNLOADS

LOOK = 1.0  # seconds between two looks at the folder
AGAIN = 60.0  # seconds after a round that broke

Face = tuple[tuple[str, int, int], ...]


@dataclass
class Arrivals:
    """What lies in a folder, and since when each entry has been as it is."""

    folder: Path
    quiet: float
    now: Callable[[], float] = time.monotonic
    _faces: dict[Path, Face] = field(default_factory=dict)
    _since: dict[Path, float] = field(default_factory=dict)

    @property
    def all_quiet(self) -> bool:
        """Whether nothing that holds something is still changing."""
        return all(self.now() - self._since[path] >= self.quiet for path, face in self._faces.items() if face)

    def look(self) -> Mapping[Path, Face]:
        """The entries that have not changed for `quiet` seconds."""
        faces = {path: face_of(path) for path in sorted(self.folder.iterdir()) if is_work(path)}
        for path, face in faces.items():
            if self._faces.get(path) != face:
                self._since[path] = self.now()
        self._faces = faces
        return {path: face for path, face in faces.items() if face and self.now() - self._since[path] >= self.quiet}


def is_work(path: Path) -> bool:
    """Whether it may be a submission: neither hidden, nor a download that its browser has not finished."""
    return not path.name.startswith((".", "~")) and not path.name.lower().endswith(PART_DOWNLOADS)


def face_of(path: Path) -> Face:
    """Names, sizes and times of everything below; empty for what is gone again, or holds nothing yet."""
    found = []
    for each in sorted(path.rglob("*")) if path.is_dir() and not path.is_symlink() else [path]:
        try:
            status = each.lstat()
        except OSError:
            return ()
        found.append((each.relative_to(path).as_posix(), status.st_size, status.st_mtime_ns))
    return tuple(found)


def run(folder: Path, request: grade.Request, quiet: float, *, once: bool = False) -> int:
    """Grade what is there and what comes; with `once`, only until everything that is there was graded.

    Returns the exit code of the last round. Raises UsageError for a folder that is none, or that holds the results.
    """
    out = grade.results_folder(request)
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder; name the one in which submissions arrive")
    if out.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"the results in {out} would be taken for a submission; choose an --out beside {folder}")
    arrivals, graded, code = Arrivals(folder, quiet), dict[Path, Face](), EXIT_DONE
    request = replace(request, out=out)
    _say(f"watching {folder}, results in {out}; Ctrl-C ends")
    while True:
        try:
            ready = arrivals.look()
            if ready and dict(ready) != graded:
                _say(
                    f"grading {', '.join(path.name for path in ready if graded.get(path) != ready[path]) or 'the rest'}"
                )
                code = _round(replace(request, paths=tuple(ready)))
                graded = dict(ready)
            if once and arrivals.all_quiet:
                return code
            time.sleep(LOOK)
        except KeyboardInterrupt:
            _say("stopped; the same command continues")
            return code
        except GraderError as error:
            if isinstance(error, UsageError) and not graded:
                raise  # the call itself is wrong; later it is what lies in the folder, or the machine, and may pass
            _say(f"this round broke and is tried again: {error}")
            time.sleep(AGAIN)


def _round(request: grade.Request) -> int:
    code = grade.run(request)
    assert request.out is not None
    overview.run(request.out, False, None, request.assignments)
    return code


def _say(text: str) -> None:
    sys.stderr.write(f"watch: {text}\n")
    sys.stderr.flush()
