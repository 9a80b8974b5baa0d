"""`grader bundle`: what an instructor uploads to a platform, and what is to be set there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.commands.shared import open_assignment, require_reference
from grader.errors import EXIT_DONE, UsageError
from grader.platforms import bundle
from grader.platforms.autolab import problems
from grader.platforms.base import Settings
from grader.platforms.budgets import tier
from grader.platforms.feedback import differing_total
from grader.reports.words import points
from grader.run.grading import new_seed


@dataclass(frozen=True, kw_only=True)
class Request:
    """The options of one call."""

    slug: str
    platform: str
    out: Path | None
    seed: str | None
    with_reference: bool
    training: str
    minutes: float | None
    wheelhouse: Path | None
    docker: bool
    assignments: Path | None
    profile: str = "testing"
    answers: Path | None = None
    total: float | None = None


def run(request: Request) -> int:
    """Make the bundle and say what to do with it."""
    folders, assignment = open_assignment(request.slug, request.assignments)
    require_reference(folders)
    if request.total is not None and (wrong := differing_total(f"{request.total:g}", assignment.total, request.slug)):
        raise UsageError(wrong)
    wanted = bundle.Wanted(
        platform=request.platform,
        seed=request.seed or new_seed(),
        training=request.training,
        seconds=None if request.minutes is None else 60 * request.minutes,
        wheelhouse=request.wheelhouse,
        docker=request.docker,
        with_reference=request.with_reference,
        profile=request.profile,
        answers=request.answers,
    )
    zipped = request.platform == "gradescope" and not request.docker
    out = request.out or Path(f"{request.slug}-{request.platform}{'.zip' if zipped else ''}")
    settings = bundle.write(assignment, folders, wanted, out)
    sys.stdout.write("\n".join([f"wrote {out}", *_advice(assignment, settings, out, zipped=zipped)]) + "\n")
    return EXIT_DONE


def _advice(assignment: Assignment, settings: Settings, out: Path, *, zipped: bool) -> Iterator[str]:
    yield f"It holds the tests and every answer under the secret seed {settings.seed_id}: give it to nobody."
    build = f"docker build --tag {settings.slug}:{settings.suite} {out}"
    if settings.platform == "gradescope":
        size = tier(settings.memory_mib)
        minutes = int(settings.seconds / 60) + 1
        yield (
            f"Upload {out} as the autograder" if zipped
            else f"Build it on your course's base image: {build} --build-arg BASE=…, and name that image"
        )  # fmt: skip
        yield f"Set there: {points(assignment.total)} points, container {size} or larger, time limit {minutes} minutes"
    elif settings.platform == "prairielearn":
        yield f"Build the image: {build}; push it, and put {out}/info.json into the question's info.json"
    elif settings.platform == "autolab":
        yield f"Build the image on one that Tango can use: {build} --build-arg BASE=…"
        yield f"Give the assessment {out}/autograde-Makefile, and these problems: {', '.join(problems(assignment))}"
    else:
        yield f"Build it: {build}"
        mounts = "-v SUBMISSIONS:/in:ro -v RESULTS:/out"
        yield f"Run it: docker run --rm --network none {mounts} {settings.slug}:{settings.suite}"
