"""`grader new`: two folders of a small assignment that already passes its own verification, to be rewritten."""

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


def run(slug: str, into: Path) -> int:
    """Write the folders. Raises UsageError for a bad name or when one of them exists."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{1,40}", slug):
        raise UsageError(f"{slug!r} is no slug; use small letters, digits and underscores, beginning with a letter")
    folders = folders_below(into.resolve(), slug)
    for folder in (folders.suite, folders.reference):
        if folder.exists():
            raise UsageError(f"{folder} exists already; choose another slug or --into folder")
    _copy(SCAFFOLD / "test_suite", folders.suite, slug)
    _copy(SCAFFOLD / "reference", folders.reference, slug)
    generate.write(load(expanded(folders)))
    for folder in (folders.suite, folders.reference, folders.template):
        sys.stdout.write(f"wrote {folder}\n")
    sys.stdout.write(f"Now: grader verify {slug} --assignments {into}, then rewrite the files; see docs/tutorial.md.\n")
    return EXIT_DONE


def _copy(source: Path, target: Path, slug: str) -> None:
    for path in sorted(source.rglob("*")):
        if path.is_file() and path.suffix in (".py", ".yaml"):
            goal = target / path.relative_to(source)
            goal.parent.mkdir(parents=True, exist_ok=True)
            goal.write_text(path.read_text(encoding="utf-8").replace("__SLUG__", slug), encoding="utf-8")
