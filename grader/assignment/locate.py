"""Slug → the three folders of an assignment.

A root is a directory that holds `test_suites/`. Roots are searched in this order, and the first that has the slug
wins: the folder given with `--assignments`, `$GRADER_ASSIGNMENTS`, the working directory and those above it, and the
checkout that this package lies in.
"""

from __future__ import annotations

import difflib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.errors import UsageError

ENVIRONMENT = "GRADER_ASSIGNMENTS"
KNOWN_MISTAKES = "submissions/wrong"
SUITES, REFERENCES, TEMPLATES = "test_suites", "reference_solutions", "student_templates"
RECORDINGS = "recordings"
_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Where an assignment lies. Only `suite` is certain to exist: a student's kit has a recording and no reference."""

    suite: Path
    reference: Path
    template: Path
    recording: Path | None = None


def assignment_folders(slug: str, assignments: Path | None = None) -> Folders:
    """The folders of `slug`. Raises UsageError, with what was searched and near names, if there is no such one."""
    if assignments is not None and not assignments.is_dir():
        raise UsageError(f"--assignments {assignments} is not a folder; give the one that holds {SUITES}/")
    roots = _roots(assignments)
    if _SLUG.fullmatch(slug):
        for root in roots:
            if (root / SUITES / slug).is_dir():
                return folders_below(root, slug)
    raise UsageError(_not_found(slug, roots, known_slugs(assignments)))


def folders_below(root: Path, slug: str) -> Folders:
    """The three folders that `slug` has, or would have, below `root`, and the recording of a kit."""
    recording = root / RECORDINGS / slug
    return Folders(
        suite=root / SUITES / slug,
        reference=root / REFERENCES / slug,
        template=root / TEMPLATES / slug,
        recording=recording if recording.is_dir() else None,
    )


def copy_mistakes(suite: Path, target: Path) -> None:
    """The known mistakes of a suite, which are edits of its reference, into another copy of it."""
    for path in (suite / KNOWN_MISTAKES).glob("*.y*ml"):
        (target / KNOWN_MISTAKES).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / KNOWN_MISTAKES / path.name)


def copy_assignment(folders: Folders, target: Path, *, reference: bool = True, mistakes: bool = False) -> None:
    """The assignment's folders below `target`, readable for everyone; kept submissions and caches stay behind.

    `mistakes`: known mistakes go along, without which nothing is known by its values: no hint, and no item is spared
    that another one charges already. A recording brings them itself.
    """
    goal = folders_below(target, folders.suite.name)
    for source, place, without in (
        (folders.suite, goal.suite, ("submissions",)),
        (folders.reference, goal.reference, ()),
        (folders.template, goal.template, ()),
    ):
        if source.is_dir() and (reference or source != folders.reference):
            ignored = shutil.ignore_patterns("__pycache__", *without)
            shutil.copytree(source, place, ignore=ignored, ignore_dangling_symlinks=True)
    if mistakes:
        copy_mistakes(folders.suite, goal.suite)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def cache_folder() -> Path:
    """Ours below $XDG_CACHE_HOME, or where the platform keeps caches. Raises RuntimeError for a user without a home."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given) / "dl-grader"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "dl-grader" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "dl-grader"
    return Path.home() / ".cache" / "dl-grader"


def known_slugs(assignments: Path | None = None) -> tuple[str, ...]:
    """All slugs with a manifest in any of the places that are searched, sorted."""
    found = {
        manifest.parent.name
        for root in _roots(assignments)
        for manifest in (root / SUITES).glob("*/assignment.yaml")
        if _SLUG.fullmatch(manifest.parent.name)
    }
    return tuple(sorted(found))


def _roots(assignments: Path | None) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(_candidates(assignments)))


def _candidates(assignments: Path | None) -> Iterator[Path]:
    if assignments is not None:
        yield _root(assignments)
    from_environment = os.environ.get(ENVIRONMENT)
    if from_environment:
        yield _root(Path(from_environment).expanduser())
    here = Path.cwd()
    yield from (folder for folder in (here, *here.parents) if (folder / SUITES).is_dir())
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / SUITES).is_dir():
        yield checkout


def _root(given: Path) -> Path:
    """People point at `test_suites` itself as often as at the folder above it."""
    resolved = given.resolve()
    return resolved.parent if resolved.name == SUITES and not (resolved / SUITES).is_dir() else resolved


def _not_found(slug: str, roots: tuple[Path, ...], known: tuple[str, ...]) -> str:
    searched = "\n".join(f"  {root / SUITES}" + _absent(root / SUITES) for root in roots)
    lines = [f"there is no assignment called {slug!r}."]
    lines.append(f"Searched:\n{searched}" if roots else f"No {SUITES}/ folder was found here or above {Path.cwd()}.")
    near = difflib.get_close_matches(slug, known, n=3, cutoff=0.5)
    if near:
        lines.append(f"Did you mean {' or '.join(near)}?")
    elif known:
        lines.append(f"Known: {', '.join(known)}.")
    lines.append(f"Give the folder that holds {SUITES}/ with --assignments DIR or ${ENVIRONMENT}.")
    return "\n".join(lines)


def _absent(folder: Path) -> str:
    return "" if folder.is_dir() else " (does not exist)"
