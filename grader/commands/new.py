"""`grader new`: a small assignment that already passes its own verification, to be rewritten.

`grader new-course`: a course's own repository with one of them.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.errors import EXIT_DONE, UsageError
from grader.short.expanding import expanded
from grader.templates import generate

SCAFFOLD = Path(__file__).parent.parent / "scaffold"
# What a course's repository holds beside its assignments: {file of the scaffold: where it goes}.
COURSE = {
    "README.md": "README.md",
    "Makefile": "Makefile",
    "gitignore": ".gitignore",
    "github.yml": ".github/workflows/assignments.yml",
    "gitlab.yml": ".gitlab-ci.yml",
}
FIRST = "hw1"


def run(slug: str, into: Path, *, numpy: bool = False) -> int:
    """Write the folders, with `numpy` of code in NumPy. Raises UsageError for a bad name or when one of them exists."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,40}", slug):
        raise UsageError(f"{slug!r} is no slug; use small letters, digits and underscores, beginning with a letter")
    folders = folders_below(into.resolve(), slug)
    for folder in (folders.suite, folders.reference):
        if folder.exists():
            raise UsageError(f"{folder} exists already; choose another slug or --into folder")
    scaffold = SCAFFOLD / "numpy" if numpy else SCAFFOLD
    _copy(scaffold / "test_suite", folders.suite, slug)
    _copy(scaffold / "reference", folders.reference, slug)
    generate.write(load(expanded(folders)))
    for folder in (folders.suite, folders.reference, folders.template):
        sys.stdout.write(f"wrote {folder}\n")
    where = "" if into == Path() else f" --assignments {into}"
    sys.stdout.write(f"Now: grader verify {slug}{where}, then rewrite the files; see docs/tutorial.md.\n")
    return EXIT_DONE


def course(folder: Path) -> int:
    """Write a course's repository. Raises UsageError for a folder that is not empty or cannot be made."""
    place = folder.resolve()
    if not place.name or not place.name.isprintable() or set('<>:"|?*\\') & set(place.name):
        raise UsageError(f"{folder.name!r} is no name of a folder; use letters, digits, - and _, such as dl-2027")
    try:
        place.mkdir(parents=True, exist_ok=True)
        holds = next(place.iterdir(), None)
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror or error}; choose another folder") from None
    if holds is not None:
        raise UsageError(
            f"{folder} is not empty: it holds {holds.name}. Choose a new folder; `grader new` adds to a course"
        )
    for name, goal in COURSE.items():
        text = (SCAFFOLD / "course" / name).read_text(encoding="utf-8")
        path = place / goal
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("__COURSE__", place.name).replace("__SLUG__", FIRST), encoding="utf-8")
    sys.stdout.write(f"wrote {place}\n")
    return run(FIRST, folder)


def _copy(source: Path, target: Path, slug: str) -> None:
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.suffix in (".py", ".yaml"):
            goal = target / path.relative_to(source)
            goal.parent.mkdir(parents=True, exist_ok=True)
            goal.write_text(path.read_text(encoding="utf-8").replace("__SLUG__", slug), encoding="utf-8")
