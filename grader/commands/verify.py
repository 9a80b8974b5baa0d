"""`grader verify`: prove a suite with the reference, the template and every kept submission."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from grader import intake
from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders, known_slugs
from grader.commands.shared import job_count, open_assignment, progress_bar, require_reference
from grader.errors import EXIT_DONE, EXIT_NO, UsageError
from grader.model import Examination, Refused, Submission
from grader.proof import evidence
from grader.proof.demands import Claim, Finding, judge_claim, never_failed, tolerance_problems, unknown_names
from grader.proof.kept import Kept, edited_sources, read_kept
from grader.proof.changes import report
from grader.proof.changes.kinds import Kind
from grader.proof.proving import prove
from grader.proof.reference import lay_out
from grader.run.engine import Engine, Order
from grader.run.grading import PUBLIC_SEED, automatic_items, judge_all, trainings_of
from grader.templates import generate


def run(
    slugs: Sequence[str], everything: bool, jobs: int, assignments: Path | None, kinds: Sequence[Kind] = ()
) -> int:
    """Verify one or all assignments, or run changes of these kinds instead. Returns 1 when something is not proven."""
    wanted = list(known_slugs(assignments)) if everything else list(slugs)
    if not wanted:
        raise UsageError("name an assignment, or give --all")
    if kinds:
        proven = [verify_changes(kind, slug, jobs, assignments) for slug in wanted for kind in kinds]
    else:
        proven = [verify(slug, jobs, assignments) for slug in wanted]
    return EXIT_DONE if all(proven) else EXIT_NO


def verify(slug: str, jobs: int, assignments: Path | None) -> bool:
    """Verify one assignment and print what was found."""
    folders, assignment = open_assignment(slug, assignments)
    require_reference(folders)
    kept = read_kept(assignment.suite)
    problems = [*generate.proofs_of(assignment), *generate.stale(assignment)]
    problems += [*unknown_names(assignment, kept), *never_failed(assignment, kept)]
    findings, examined = _findings(assignment, folders, kept, jobs)
    problems += [*tolerance_problems(examined), *evidence.problems(assignment)]
    for finding in findings:
        mark = "ok     " if not finding.problems else "PROBLEM"
        sys.stdout.write(f"{mark} {finding.claim.key}: {finding.claim.title}\n")
        sys.stdout.writelines(f"        {line}\n" for problem in finding.problems for line in problem.splitlines())
    sys.stdout.writelines(f"PROBLEM {problem}\n" for problem in problems)
    count = len(problems) + sum(bool(finding.problems) for finding in findings)
    kinds = ", ".join(f"{sum(k.kind == kind for k in kept)} {kind}" for kind in ("correct", "wrong", "hostile"))
    items = len(automatic_items(assignment))
    verdict = "proven" if not count else f"{count} problem(s)"
    sys.stdout.write(f"{slug}: {verdict}; {items} automatic items, kept submissions: {kinds}\n")
    return not count


def verify_changes(kind: Kind, slug: str, jobs: int, assignments: Path | None) -> bool:
    """Run small changes of one reference and print which of them the suite judges otherwise than it must."""
    folders, assignment = open_assignment(slug, assignments)
    require_reference(folders)
    with progress_bar(f"{kind.name}s of {slug}") as tell:
        account = prove(kind, assignment, folders, job_count(jobs), tell)
    problems = report.problems(account)
    sys.stdout.writelines(f"{line}\n" for line in report.lines(account))
    sys.stdout.writelines(f"PROBLEM {problem}\n" for problem in problems)
    sys.stdout.write(f"{slug}: {report.verdict(account)}\n")
    return not problems


def _findings(
    assignment: Assignment, folders: Folders, kept: Sequence[Kept], jobs: int
) -> tuple[list[Finding], dict[str, Examination]]:
    with tempfile.TemporaryDirectory(prefix="grader-verify-") as scratch:
        claims = dict(_laid_out(assignment, kept, Path(scratch) / "handed-in"))
        paths = [Path(scratch) / "handed-in" / key for key in claims]
        found = intake.take(paths, assignment, Path(scratch).resolve() / "work", single=True)
        present = [entry for entry in found if isinstance(entry, Submission)]
        items = {entry.key: items_of(claims[entry.key], assignment) for entry in present}
        trainings = trainings_of(assignment, "made")
        order = Order(folders=folders, seed=PUBLIC_SEED, items=automatic_items(assignment), trainings=trainings)
        with progress_bar(f"verify {assignment.slug}") as tell, Engine(order) as engine:
            examined = engine.examine()
            graded = judge_all(engine, present, seed=PUBLIC_SEED, items=items, jobs=job_count(jobs), tell=tell)
    findings = [judge_claim(claims[entry.key], entry, assignment) for entry in graded]
    refused = [
        Finding(claim=claims[entry.key], problems=(f"refused by intake: {entry.reason}",))
        for entry in found
        if isinstance(entry, Refused)
    ]
    return findings + refused, examined


def items_of(claim: Claim, assignment: Assignment) -> tuple[str, ...]:
    """The items that a proof runs. Trainings take seconds, so only the reference and those that they concern train."""
    kept = claim.kept
    trained = {item.id for item in assignment.items if item.training is not None}
    if kept is not None and not kept.trains:
        trained &= set(kept.fails) | set(kept.passes)
    elif claim.role == "template":
        trained = set()
    plain = {item.id for item in assignment.items if item.training is None}
    return tuple(name for name in automatic_items(assignment) if name in plain | trained)


def _laid_out(assignment: Assignment, kept: Sequence[Kept], target: Path) -> list[tuple[str, Claim]]:
    """Write every submission that is to be run below `target`, in folders named by key."""
    lay_out(assignment, target / "reference")
    claims = [("reference", Claim(key="reference", title="full marks", role="reference"))]
    for name, text in generate.templates_of(assignment).items():
        path = target / "template" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    claims.append(("template", Claim(key="template", title="nothing attempted", role="template")))
    for entry in kept:
        key = f"{entry.kind}-{entry.name}"
        if entry.path.is_dir():
            shutil.copytree(entry.path, target / key, ignore=shutil.ignore_patterns("expect.yaml", "__pycache__"))
        else:
            lay_out(assignment, target / key, edited_sources(entry, assignment.reference))
        claims.append((key, Claim(key=key, title=entry.title, kept=entry)))
    return claims
