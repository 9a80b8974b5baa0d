"""`grader bundle`: what an instructor uploads to a platform, and what is to be set there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grader.assignment.assignment import Assignment
from grader.assignment.locate import assignment_folders
from grader.commands.runs import require_reference
from grader.commands.shared import open_assignment
from grader.course.plan import load as load_course
from grader.course.terms import course_beside
from grader.errors import EXIT_DONE, UsageError
from grader.platforms import bundle
from grader.platforms.autolab import problems
from grader.platforms.base import Settings
from grader.platforms.budgets import tier
from grader.platforms.feedback import differing_total
from grader.platforms.policy import Policy, policy_of
from grader.run.grading import new_seed
from grader.wording import points


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
    course: Path | None = None


def run(request: Request) -> int:
    """Make the bundle and say what to do with it."""
    folders, assignment = open_assignment(request.slug, request.assignments)
    require_reference(folders)
    if request.total is not None and (wrong := differing_total(f"{request.total:g}", assignment.total, request.slug)):
        raise UsageError(wrong)
    policy = _policy(request, assignment)
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
        policy=policy if request.platform == "gradescope" else None,
    )
    zipped = request.platform == "gradescope" and not request.docker
    out = request.out or Path(f"{request.slug}-{request.platform}{'.zip' if zipped else ''}")
    settings = bundle.write(assignment, folders, wanted, out)
    said = [*_advice(assignment, settings, out, zipped=zipped), _lateness(request.platform, policy)]
    sys.stdout.write("\n".join([f"wrote {out}", *said]) + "\n")
    return EXIT_DONE


def _policy(request: Request, assignment: Assignment) -> Policy:
    place = request.course or course_beside(assignment_folders(request.slug, request.assignments).suite)
    return policy_of(assignment, load_course(place, assignment) if place is not None else None)


def _lateness(platform: str, policy: Policy) -> str:
    """Who decides what is late, and what stays at home."""
    late = policy.late
    if platform != "gradescope":
        where = "with the results at home" if platform == "plain" else "by the platform"
        return (
            f"Lateness is decided {where}: the bundle carries no deadline of a course, no extension and no late day; "
            "`grader score` applies them to what was graded at home"
        )
    if late.due is None:
        return "No deadline goes along: Gradescope's own late flag says who is late, and it costs nothing"
    due = f"due {late.due}{f' {late.zone}' if late.zone else ''}"
    grace = f", {late.grace_hours:g} hours of grace" if late.grace_hours else ""
    told = "; it is told and costs nothing there, since late days are counted at home" if policy.told else ""
    return (
        f"Lateness goes by {policy.origin} ({due}{grace}){told}. Set the same due date on Gradescope, and give "
        "extensions there: they count. The roster, extensions.csv and late days stay at home"
    )


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
