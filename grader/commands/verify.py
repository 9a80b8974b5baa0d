"""`grader verify`: prove a suite with the reference, the template and every kept submission."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader import intake
from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders, known_slugs
from grader.commands.runs import job_count, progress_bar, require_reference
from grader.commands.shared import open_assignment
from grader.errors import EXIT_DONE, EXIT_NO, UsageError
from grader.kit import proving as kits
from grader.model import Examination, Graded, Refused, Submission
from grader.proof import evidence
from grader.proof.changes import report
from grader.proof.changes.kinds import Kind
from grader.proof.costs import Cost, summary
from grader.proof.demands import (
    Claim,
    Finding,
    forgery_of,
    forgery_problems,
    guess_problems,
    hidden_gradients,
    judge_claim,
    never_failed,
    tolerance_problems,
    unknown_names,
)
from grader.proof.kept import Kept, edited_sources, former_of, read_kept
from grader.proof.proving import prove
from grader.proof.reference import lay_out
from grader.proof.touched import changed_in, touched
from grader.run.engine import Engine, Order, Recordings
from grader.run.grading import PUBLIC_SEED, automatic_items, judge_all, trainings_of
from grader.sandbox.launch import Launched
from grader.templates import generate


def run(
    slugs: Sequence[str],
    everything: bool,
    jobs: int,
    assignments: Path | None,
    kinds: Sequence[Kind] = (),
    *,
    recorded: bool = False,
) -> int:
    """Verify one or all assignments, or run changes of these kinds instead. Returns 1 when something is not proven.

    `recorded`: judge from a recording, without the reference.
    """
    wanted = list(known_slugs(assignments)) if everything else list(slugs)
    if not wanted:
        raise UsageError("name an assignment, or give --all")
    if kinds and recorded:
        raise UsageError("--recorded proves a suite with its kept submissions; give it alone")
    if kinds:
        proven = [verify_changes(kind, slug, jobs, assignments) for slug in wanted for kind in kinds]
    else:
        proof = verify_recorded if recorded else verify
        proven = [proof(slug, jobs, assignments) for slug in wanted]
    return EXIT_DONE if all(proven) else EXIT_NO


def verify(slug: str, jobs: int, assignments: Path | None) -> bool:
    """Verify one assignment and print what was found."""
    folders, assignment = open_assignment(slug, assignments)
    require_reference(folders)
    kept = (*read_kept(assignment.suite), *former_of(assignment.suite, assignment.former.changed))
    problems = [*generate.proofs_of(assignment), *generate.stale(assignment)]
    problems += [*unknown_names(assignment, kept), *never_failed(assignment, kept)]
    with tempfile.TemporaryDirectory(prefix="grader-verify-") as scratch:
        # A recording is written and none is read: what is proven here is the reference run as well.
        recordings = Recordings(cache=Path(scratch) / "shelf")
        order = Order(
            folders=folders,
            seed=PUBLIC_SEED,
            items=automatic_items(assignment),
            trainings=trainings_of(assignment, "made"),
            recordings=recordings,
        )
        findings, run = kept_findings(assignment, order, kept, jobs, Path(scratch))
        examined = run.examined
        if assignment.kit and run.recording is not None:
            place = Path(scratch) / "home"
            arguments = (run.recording, run.present, run.graded, place, job_count(jobs))
            of_kit, shown = kits.problems(assignment, folders, *arguments)
            problems += of_kit
            sys.stdout.write(f"{shown}\n")
    problems += [*tolerance_problems(examined), *forgery_problems(assignment, examined), *guess_problems(assignment)]
    problems += evidence.problems(assignment)
    count = _show(findings, problems, hidden_gradients(examined))
    sys.stdout.write(f"{summary(costs_of(findings))}\n")
    forgery = forgery_of(assignment, examined)
    sys.stdout.write(
        f"adversaries without a solution earn {forgery.anchored} points, and {forgery.unanchored} of items that are "
        f"marked unanchored, of {forgery.total}\n"
    )
    kinds = ", ".join(f"{sum(k.kind == kind for k in kept)} {kind}" for kind in ("correct", "wrong", "hostile"))
    items = len(automatic_items(assignment))
    verdict = "proven" if not count else f"{count} problem(s)"
    sys.stdout.write(f"{slug}: {verdict}; {items} automatic items, kept submissions: {kinds}\n")
    return not count


def costs_of(findings: Sequence[Finding]) -> list[tuple[Kept, Cost]]:
    """What each single mistake costs."""
    return [(found.claim.kept, found.cost) for found in findings if found.claim.kept is not None and found.cost]


def verify_recorded(slug: str, jobs: int, assignments: Path | None) -> bool:
    """Demand the same of judging from a recording, where no reference is: without trainings, which may need it."""
    folders, assignment = open_assignment(slug, assignments)
    require_reference(folders)
    items = plain_items(assignment)
    kept = [plain for entry in read_kept(assignment.suite) if (plain := narrowed(entry, items))]
    with tempfile.TemporaryDirectory(prefix="grader-verify-") as scratch:
        made = Recordings(cache=Path(scratch))
        with Engine(Order(folders=folders, seed=PUBLIC_SEED, items=items, recordings=made)) as engine:
            recording, examined = engine.complete(), engine.examine()
        elsewhere = replace(folders, reference=Path(scratch) / "no-reference")
        given = Recordings(given=recording)
        order = Order(folders=elsewhere, seed=PUBLIC_SEED, items=items, recordings=given)
        findings, _ = kept_findings(assignment, order, kept, jobs, Path(scratch), examined=examined)
    count = _show(findings, [])
    verdict = "proven" if not count else f"{count} problem(s)"
    sys.stdout.write(f"{slug}: {verdict}; judged from a recording, without the reference and without trainings\n")
    return not count


def narrowed(kept: Kept, wanted: Collection[str]) -> Kept | None:
    """The kept submission with what it must show in these items; None when that is nothing."""
    fails = tuple(name for name in kept.fails if name in wanted)
    if kept.fails and not fails:
        return None
    also = {name: why for name, why in kept.also.items() if name in wanted}
    message = kept.message if len(fails) + len(also) == len(kept.charged) else ""  # it may be another item's
    passes = tuple(name for name in kept.passes if name in wanted)
    return replace(kept, fails=fails, also=also, passes=passes, message=message)


def verify_items(
    folders: Folders, assignment: Assignment, wanted: Collection[str], jobs: int, launched: Launched | None
) -> bool:
    """Prove some items alone, with the kept submissions that name them, and print what was found."""
    every = read_kept(assignment.suite)
    named = [entry for entry in every if {*entry.charged, *entry.follows} & set(wanted)]
    items = {*wanted, *(name for entry in named for name in entry.charged)}.intersection(plain_items(assignment))
    kept = [entry for each in named if (entry := narrowed(each, items)) is not None]
    order = Order(folders=folders, seed=PUBLIC_SEED, items=tuple(items))
    with tempfile.TemporaryDirectory(prefix="grader-verify-") as scratch:
        findings, run = kept_findings(assignment, order, kept, jobs, Path(scratch), launched=launched)
    problems = [*unknown_names(assignment, every), *tolerance_problems(run.examined)]
    problems += forgery_problems(assignment, run.examined)
    return not _show(findings, problems, hidden_gradients(run.examined))


def plain_items(assignment: Assignment) -> tuple[str, ...]:
    """The automatic items that train nothing."""
    return tuple(name for name in automatic_items(assignment) if assignment.item(name).training is None)


def _show(findings: Sequence[Finding], problems: Sequence[str], warnings: Sequence[str] = ()) -> int:
    """Print everything. Returns the number of problems."""
    for finding in findings:
        mark = "ok     " if not finding.problems else "PROBLEM"
        cost = f" (costs {finding.cost.share:.1%}: {', '.join(finding.cost.items)})" if finding.cost else ""
        sys.stdout.write(f"{mark} {finding.claim.key}: {finding.claim.title}{cost}\n")
        sys.stdout.writelines(f"        {line}\n" for problem in finding.problems for line in problem.splitlines())
    sys.stdout.writelines(f"warning {warning}\n" for warning in warnings)
    sys.stdout.writelines(f"PROBLEM {problem}\n" for problem in problems)
    return len(problems) + sum(bool(finding.problems) for finding in findings)


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


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What was judged, what came out, and the recording that was made."""

    present: Sequence[Submission]
    graded: Sequence[Graded]
    examined: Mapping[str, Examination]
    recording: Path | None


def kept_findings(
    assignment: Assignment,
    order: Order,
    kept: Sequence[Kept],
    jobs: int,
    scratch: Path,
    *,
    examined: Mapping[str, Examination] | None = None,
    launched: Launched | None = None,
) -> tuple[list[Finding], _Run]:
    """Judge the reference, the template and these kept submissions, laid out below `scratch`.

    `examined` is what the reference shows about the items, where it is known.
    """
    claims = dict(_laid_out(assignment, kept, scratch / "handed-in"))
    paths = [scratch / "handed-in" / key for key in claims]
    found = intake.take(paths, assignment, scratch.resolve() / "work", single=True)
    present = [entry for entry in found if isinstance(entry, Submission)]
    wanted = set(order.items or ())
    with progress_bar(f"verify {assignment.slug}") as tell, Engine(order, launched) as engine:
        examined = engine.examine() if examined is None else examined
        items = {
            entry.key: tuple(name for name in items_of(claims[entry.key], assignment, examined) if name in wanted)
            for entry in present
        }
        graded = judge_all(engine, present, seed=PUBLIC_SEED, items=items, jobs=job_count(jobs), tell=tell)
    findings = [judge_claim(claims[entry.key], entry, assignment) for entry in graded]
    refused = [
        Finding(claim=claims[entry.key], problems=(f"refused by intake: {entry.reason}",))
        for entry in found
        if isinstance(entry, Refused)
    ]
    return findings + refused, _Run(present=present, graded=graded, examined=examined, recording=engine.recording)


def items_of(claim: Claim, assignment: Assignment, examined: Mapping[str, Examination]) -> tuple[str, ...]:
    """The items that a proof runs: of a mistake those that run what it changes, and that it names.

    Trainings take seconds, so only the reference and those that they concern train.
    """
    kept = claim.kept
    trained = {item.id for item in assignment.items if item.training is not None}
    if kept is not None and not kept.trains:
        trained &= {*kept.charged, *kept.passes}
    elif claim.role == "template":
        trained = set()
    plain = set(plain_items(assignment))
    if kept is not None and kept.edits:
        changed = changed_in(assignment.reference, edited_sources(kept, assignment.reference))
        plain = {*touched(changed, plain, examined), *plain.intersection((*kept.charged, *kept.follows, *kept.passes))}
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
