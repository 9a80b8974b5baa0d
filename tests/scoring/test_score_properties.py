"""What holds for every score, whatever the rubric and the results."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from rubric import NEEDS_F, assignment, item, rule

from grader.assignment.assignment import Cap, Choice, Late, LateStep, PerDay
from grader.model import CheckResult, Graded, Mark, Violation
from grader.scoring import score

POINTS = st.sampled_from(["0", "0.5", "1", "2.25", "3", "10"])
CREDIT = st.one_of(st.sampled_from([0.0, 1.0, 0.5]), st.floats(0, 1))
LATE = Late(due="2024-03-22T23:00:00-04:00", action="zero")
STEPS = (LateStep(hours=24, percent=Decimal("12.5")), LateStep(hours=48, percent=Decimal(40)))
LATE_BY_STEPS = Late(due=LATE.due, steps=STEPS, action="zero")
LATE_BY_DAYS = Late(due=LATE.due, per_day=PerDay(points=Decimal("1.5")))


@st.composite
def rubrics(draw):
    """Two questions of three items and manual ones beside them; scopes nest, as sections of a handout do."""
    items = [item(f"{q}{n}", draw(POINTS), q, extra_credit=draw(st.booleans())) for q in "12" for n in "abc"]
    items += [item("m1", "3", "3", kind="manual"), item("m2", "2", "3", kind="manual")]
    items += [item("r1", "3", "3", replaces="m1", needs=NEEDS_F)]
    scopes = st.sampled_from(
        [("everything", ()), ("question", ("1",)), ("group", ("programming",)), ("item", ("1b",)), ("item", ("m1",))]
    )
    rules = []
    for number in range(draw(st.integers(0, 4))):
        action = draw(st.sampled_from(["report", "deduct", "cap", "zero"]))
        scope, target = draw(scopes)
        amount = draw(st.sampled_from(["0.5", "2", "7"])) if action in ("deduct", "cap") else "0"
        rules.append(rule(f"rule{number}", action, scope, target, amount))
    choices = (Choice(id="c", items=("1a", "1c"), count=1),) if draw(st.booleans()) else ()
    caps = (Cap(id="cap", items=("2a", "2b"), points=Decimal(draw(POINTS))),) if draw(st.booleans()) else ()
    return assignment(
        *items,
        rules=tuple(rules),
        choices=choices,
        caps=caps,
        late=draw(st.sampled_from([LATE, LATE_BY_STEPS, LATE_BY_DAYS, Late()])),
    )


@st.composite
def outcomes(draw, rubric):
    results = {}
    for entry in rubric.items:
        if entry.kind == "manual" or draw(st.integers(0, 9)) == 0:
            continue
        status = draw(st.sampled_from(["scored", "scored", "scored", "not_attempted", "skipped", "grader_error"]))
        credit = draw(CREDIT) if status == "scored" else 0.0
        status = ("passed" if credit == 1 else "failed") if status == "scored" else status
        results[entry.id] = CheckResult(item=entry.id, status=status, credit=credit)
    broken = draw(st.lists(st.sampled_from([entry.id for entry in rubric.rules] or ["none"]), max_size=4))
    return Graded(
        key="ann",
        results=results,
        violations=tuple(Violation(rule=name, message="m", line=draw(st.integers(1, 9))) for name in broken),
        files={"f": "f.py"} if draw(st.booleans()) else {},
        late=draw(st.sampled_from([None, False, True])),
        submitted_at=draw(st.sampled_from([None, *(f"2024-03-{day}T12:00:00-04:00" for day in (22, 23, 24, 25))])),
    )


@st.composite
def mark_lists(draw, rubric):
    chosen = draw(st.lists(st.sampled_from(rubric.items), max_size=4))
    return [
        Mark(submission="ann", item=entry.id, points=entry.points * draw(st.integers(0, 4)) / 4) for entry in chosen
    ]


CASES = rubrics().flatmap(lambda rubric: st.tuples(st.just(rubric), outcomes(rubric), mark_lists(rubric)))


@given(CASES)
def test_a_score_is_exact_and_within_its_bounds(case):
    rubric, graded, marks = case
    report = score(graded, rubric, marks)
    extra = sum((line.maximum for line in report.lines if line.extra_credit), Decimal(0))
    assert 0 <= report.score <= report.total + extra
    assert report.score == sum((line.score for line in report.lines if line.score is not None), Decimal(0))
    assert all(0 <= line.score <= line.maximum for line in report.lines if line.score is not None)
    assert all(line.counted for line in report.lines if line.score is not None)
    assert all(entry.taken >= 0 for entry in report.applied)
    assert 0 <= report.open_points <= sum(line.maximum for line in report.lines)


@given(CASES)
def test_lenient_is_never_lower_and_takes_nothing(case):
    rubric, graded, marks = case
    strict, lenient = score(graded, rubric, marks), score(graded, rubric, marks, lenient=True)
    assert lenient.score == lenient.would_be == strict.would_be >= strict.score
    assert [entry.rule for entry in lenient.applied] == [entry.rule for entry in strict.applied]


@given(CASES, st.randoms(use_true_random=False))
def test_the_order_of_the_journal_does_not_matter(case, random):
    rubric, graded, marks = case
    entries, found = list(graded.results.items()), list(graded.violations)
    random.shuffle(entries)
    random.shuffle(found)
    shuffled = replace(graded, results=dict(entries), violations=tuple(found))
    assert score(shuffled, rubric, marks) == score(graded, rubric, marks)


@given(CASES)
def test_giving_the_same_marks_twice_changes_nothing(case):
    rubric, graded, marks = case
    assert score(graded, rubric, [*marks, *marks]) == score(graded, rubric, marks)


@settings(max_examples=300)
@given(CASES, st.data())
def test_more_credit_never_means_fewer_points(case, data):
    rubric, graded, marks = case
    scored = [name for name, result in graded.results.items() if result.status in ("passed", "failed")]
    if not scored:
        return
    name = data.draw(st.sampled_from(scored))
    more = data.draw(st.floats(graded.results[name].credit, 1))
    better = CheckResult(item=name, status="passed" if more == 1 else "failed", credit=more)
    improved = replace(graded, results={**graded.results, name: better})
    before, after = score(graded, rubric, marks), score(improved, rubric, marks)
    assert after.score >= before.score
    assert after.would_be >= before.would_be
