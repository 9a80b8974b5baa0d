"""`grader regrade`: stored submissions are judged again: one, one item of it, or what a repaired test made stale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from grader.commands import grade
from grader.commands.score import slug_of
from grader.course import sheets
from grader.errors import UsageError
from grader.release import frozen
from grader.results import log
from grader.results.journal import read


def run(
    folder: Path,
    key: str,
    items: Sequence[str],
    *,
    jobs: int,
    device: str,
    training: str | None,
    recording: Path | None,
    container: bool = False,
    image: str | None = None,
    assignments: Path | None,
) -> int:
    """Judge again what is stored in a folder. Returns the exit code."""
    slug = slug_of(folder)
    owners = {stored.facts.get("of") or name for name, stored in read(folder).submissions.items()}
    if key and key not in owners:
        raise UsageError(f"there is no submission {key!r} in {folder}{sheets.near(key, owners)}")
    released = frozen.read(folder)
    tag = released.tags.get(key, "") if released else ""
    facts = {"submission": tag, "items": list(items)} if log.head(folder) else None
    request = grade.Request(
        slug=slug,
        out=folder,
        jobs=jobs,
        device=device,
        resume=True,
        only=tuple(items),
        training=training,
        assignments=assignments,
        container=container,
        image=image,
        recording=recording,
        stored=key,
    )
    return grade.run(request, facts=facts)
