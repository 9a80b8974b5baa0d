"""Proofs of a suite: what each kept submission must earn, and whether it did. Graded submissions in, problems out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from grader.assignment.assignment import Assignment
from grader.model import Examination, Graded
from grader.proof.costs import Cost, cost_of, too_many_charged
from grader.proof.kept import Kept
from grader.scoring import score
from grader.scoring.charging import charged_once
from grader.thresholds import credit_for, decided
from grader.wording import listed
from grader.worker.words import is_unexplained

UPSTREAM = (
    "Where a gradient is compared, pull back a drawn upstream gradient (`grader.calling.pulled_back`), not a sum: that "
    "cancels behind a normalisation"
)
HEADROOM = 4  # other processors and thread counts round differently; four times what is seen here was never reached


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One submission that was run for a proof: a kept one, the reference or the template."""

    key: str
    title: str
    kept: Kept | None = None
    role: str = ""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Whether a claim holds; `problems` is empty when it does."""

    claim: Claim
    problems: tuple[str, ...]
    cost: Cost | None = None


def judge_claim(claim: Claim, graded: Graded, assignment: Assignment) -> Finding:
    """Compare what a submission earned with what it must earn."""
    found = decided(graded, assignment)
    graded = charged_once(found, assignment)
    if claim.role == "reference":
        problems = _full_marks(graded, assignment)
    elif claim.role == "template":
        problems = _nothing_attempted(graded, assignment)
    else:
        assert claim.kept is not None
        check = {"correct": _correct, "wrong": _wrong, "hostile": _hostile, "former": _former}[claim.kept.kind]
        problems = check(claim.kept, graded, assignment)
        problems += [
            f"{name} does not differ as the known mistake does, so that it follows nothing"
            for name in claim.kept.follows
            if name in found.results and found.results[name].charged_with != claim.kept.fails[0]
        ]
    cost = cost_of(claim.kept, graded, assignment) if claim.kept is not None and claim.kept.kind == "wrong" else None
    return Finding(claim=claim, problems=(*_grader_errors(graded), *problems, *_unexplained(graded)), cost=cost)


def _unexplained(graded: Graded) -> list[str]:
    """What students would read and could not understand."""
    texts = {name: f"{result.message}\n{result.hint}" for name, result in graded.results.items()}
    texts |= {f"the rule {found.rule}": found.message for found in graded.violations}
    advice = "say in words what it means and what to do (`grader.worker.words`, or a `require` in the test)"
    return [
        f"{name} names an inside of Python: {text.strip()[:300]!r}; {advice}"
        for name, text in texts.items()
        if is_unexplained(text)
    ]


def never_failed(assignment: Assignment, kept: Sequence[Kept]) -> list[str]:
    """Automatic items that no known mistake fails: nothing shows that they can fail at all."""
    failed = {item for entry in kept if entry.kind == "wrong" for item in (*entry.charged, *entry.follows)}
    return [
        f"item {item.id!r} is failed by no submission in wrong/"
        for item in assignment.items
        # What the short form writes compares values alone: the gate and the adversaries show that it can fail.
        if item.kind == "automatic" and item.id not in failed and not item.needs.gpu
        if item.training is not None or not item.made_from
    ]


def unknown_names(assignment: Assignment, kept: Sequence[Kept]) -> list[str]:
    """Items and rules that kept submissions name and the manifest does not have."""
    items = {item.id for item in assignment.items}
    rules = {rule.id for rule in assignment.rules}
    return [
        f"{entry.kind}/{entry.name}: unknown item or rule {name!r}"
        for entry in kept
        for name in (*{*entry.charged, *entry.follows, *entry.passes} - items, *set(entry.breaks) - rules)
    ]


def tolerance_problems(found: Mapping[str, Examination]) -> list[str]:
    """Items whose bound does not clear the rounding noise, or lets obviously wrong values pass."""
    problems = [
        f"item {name!r}: rounding alone uses {entry.noise:.0%} of the bound; at most {1 / HEADROOM:.0%} is safe. "
        f"{UPSTREAM}; else widen the tolerance"
        for name, entry in found.items()
        if entry.noise is not None and entry.noise > 1 / HEADROOM
    ]
    problems += [
        f"item {name!r} accepts the reference's values replaced by {what}"
        for name, entry in found.items()
        for what in entry.lets_pass
    ]
    return problems


def hidden_gradients(found: Mapping[str, Examination]) -> list[str]:
    """Warnings of gradients that are compared and are zero, whatever is drawn: the loss may hide what is wrong."""
    return [
        f"item {name!r}: {listed(entry.vanishing)} vanish in every case, so that wrong ones may agree. {UPSTREAM}"
        for name, entry in found.items()
        if entry.vanishing
    ]


MOST_UNANCHORED = Decimal("0.05")  # of the automatic points


@dataclass(frozen=True, kw_only=True)
class Forgery:
    """What adversaries without a solution could earn, in points: of items that are `unanchored`, and of others."""

    anchored: Decimal
    unanchored: Decimal
    total: Decimal


def forgery_of(assignment: Assignment, found: Mapping[str, Examination]) -> Forgery:
    """Sum up what the examined items would give them."""
    earned = [assignment.item(name) for name, entry in found.items() if entry.earned_by]
    return Forgery(
        anchored=sum((item.points for item in earned if not item.unanchored), Decimal(0)),
        unanchored=sum((item.points for item in earned if item.unanchored), Decimal(0)),
        total=sum((item.points for item in assignment.items if item.kind == "automatic"), Decimal(0)),
    )


def forgery_problems(assignment: Assignment, found: Mapping[str, Examination]) -> list[str]:
    """Items that can be earned without a solution and do not say why, and that say why and cannot."""
    problems = []
    for name, entry in found.items():
        item = assignment.item(name)
        if entry.earned_by and not item.unanchored:
            by = ", ".join(entry.earned_by)
            advice = "compare a value of the same call with the reference, or say why none can: `unanchored: <why>`"
            problems.append(f"item {name!r} is earned without a solution, by answers of {by}; {advice}")
        if item.unanchored and not entry.earned_by:
            problems.append(f"item {name!r} is marked `unanchored`, and no adversary earns it; remove the mark")
    forgery = forgery_of(assignment, found)
    if forgery.unanchored > MOST_UNANCHORED * forgery.total:
        share = f"{forgery.unanchored} of {forgery.total} points"
        problems.append(f"adversaries earn {share} of unanchored items; at most {MOST_UNANCHORED:.0%} is allowed")
    return problems


def guess_problems(assignment: Assignment) -> list[str]:
    """Predicted items of which the same answer for every row earns a part. Raises AuthorError for bad labels."""
    problems = []
    for item in assignment.items:
        if (wanted := item.predictions) is not None:
            from grader.suite.predictions import guessed, labels_of  # with torch

            value = guessed(wanted.metric, labels_of(assignment.suite / wanted.labels))
            if (credit := credit_for(wanted, wanted, wanted.full, value)) > 0:
                told = f"the same answer for every row has {wanted.metric} {value:.4g} and earns {credit:.0%}"
                problems.append(f"item {item.id!r}: {told}; ask for more")
    return problems


def not_passed(graded: Graded) -> dict[str, str]:
    """{item: status and reason} of what was judged and not passed."""
    return {
        name: f"{result.status}: {result.reason}"
        for name, result in graded.results.items()
        if result.status not in ("passed", "skipped")
    }


def _former(kept: Kept, graded: Graded, assignment: Assignment) -> list[str]:
    """Who hands in last year's solution must not earn what was changed."""
    results = graded.results
    return [
        f"{name} was changed on purpose, and last year's reference passes it"
        for name in kept.fails
        if name in results and results[name].credit >= 1
    ]


def _grader_errors(graded: Graded) -> list[str]:
    return [
        f"{name}: grader error: {result.staff[-1500:]}"
        for name, result in graded.results.items()
        if result.status == "grader_error"
    ]


def _full_marks(graded: Graded, assignment: Assignment, lacking: Collection[str] = ()) -> list[str]:
    problems = [
        f"{name} is not passed ({why}): {graded.results[name].message[:600]}"
        for name, why in not_passed(graded).items()
        if name not in lacking
    ]
    problems += [f"breaks the rule {found.rule}: {found.message}" for found in graded.violations]
    report = score(graded, assignment)
    problems += [
        f"{line.item} earns {line.score} of {line.maximum}"
        for line in report.lines
        if line.result is not None and line.score is not None and line.score != line.maximum and line.counted
        if line.item not in lacking
    ]
    return problems


def _nothing_attempted(graded: Graded, assignment: Assignment) -> list[str]:
    problems = [
        f"{name} should be not attempted, it is {result.status} ({result.reason}): {result.message[:300]}"
        for name, result in graded.results.items()
        if result.status not in ("not_attempted", "skipped")
    ]
    report = score(graded, assignment)
    if report.score != 0:
        problems.append(f"the untouched template earns {report.score} points")
    return problems


def _correct(kept: Kept, graded: Graded, assignment: Assignment) -> list[str]:
    problems = _full_marks(graded, assignment, kept.fails)
    problems += [f"passes {name}, which it is said to lack" for name in kept.fails if name not in not_passed(graded)]
    if kept.breaks:
        expected = set(kept.breaks)
        problems = [line for line in problems if not any(f"rule {rule}:" in line for rule in expected)]
    return problems


def _wrong(kept: Kept, graded: Graded, assignment: Assignment) -> list[str]:
    if kept.equivalent:
        return _correct(kept, graded, assignment)
    failed = not_passed(graded)
    problems = [f"passes {name}, which it must fail" for name in kept.charged if name not in failed]
    problems += [
        f"fails {name} ({why}), which it must pass: {graded.results[name].message[:500]}"
        for name, why in failed.items()
        if name not in kept.charged
    ]
    problems += _rules_broken(kept, graded)
    problems += too_many_charged(kept, assignment)
    given = {name: graded.results[name].hint for name in kept.charged if name in graded.results}
    if kept.hint and not any(kept.hint in hint for hint in given.values()):
        problems.append(f"does not produce its hint {kept.hint!r}; hints given: {given}")
    said = {name: graded.results[name].message for name in kept.charged if name in graded.results}
    if kept.message and not any(kept.message in text for text in said.values()):
        problems.append(f"no item that it fails says {kept.message!r}; said is: {said}"[:1000])
    return problems


def _hostile(kept: Kept, graded: Graded, assignment: Assignment) -> list[str]:
    passed = {name for name, result in graded.results.items() if result.status == "passed"}
    problems = [f"passes {name}, which it must not" for name in sorted(passed - set(kept.passes))]
    problems += [
        f"does not pass {name} ({not_passed(graded).get(name)}), which it earned honestly"
        for name in kept.passes
        if name not in passed
    ]
    return problems + _rules_broken(kept, graded)


def _rules_broken(kept: Kept, graded: Graded) -> list[str]:
    broken = {violation.rule for violation in graded.violations}
    problems = [f"does not break the rule {rule}, which it must" for rule in kept.breaks if rule not in broken]
    if kept.kind == "wrong":
        unexpected: Mapping[str, str] = {v.rule: v.message for v in graded.violations if v.rule not in kept.breaks}
        problems += [f"breaks the rule {rule}: {message}" for rule, message in unexpected.items()]
    return problems
