"""How late, by which rule, at what cost: from policy, terms and times, and in words."""

from dataclasses import replace
from decimal import Decimal

import pytest
from rubric import assignment, graded, item, passed, rule

from grader.assignment.assignment import Cap, Late, LateStep, Milestone, PerDay
from grader.course.terms import Terms
from grader.model import Mark
from grader.scoring import score, score_class
from grader.scoring.lateness import USUAL, lateness_of

ZONE = "America/New_York"
PLAIN = Late(due="2024-04-01 08:00", zone=ZONE)
STEPS = replace(PLAIN, steps=(LateStep(hours=24, percent=Decimal(10)), LateStep(hours=48, percent=Decimal(25))))
DAYS = replace(PLAIN, per_day=PerDay(percent=Decimal(10)))


def late(policy, when, terms=USUAL, **more):
    return lateness_of(graded(passed("a"), submitted_at=when, **more), policy, terms)


@pytest.mark.parametrize(
    ("policy", "when", "percent"),
    [
        (STEPS, "2024-04-01T12:00:00Z", None),  # 08:00 in New York
        (STEPS, "2024-04-01T12:00:01Z", 10),
        (STEPS, "2024-04-02T21:00:00+09:00", 10),  # exactly 24 hours
        (STEPS, "2024-04-02T08:00:01-04:00", 25),
        (STEPS, "2024-04-09T08:00:00-04:00", 25),  # the last step holds on
        (replace(STEPS, action="zero"), "2024-04-03T08:00:00-04:00", 25),
        (replace(STEPS, action="zero"), "2024-04-03T08:00:01-04:00", 100),  # only as the manifest says
        (DAYS, "2024-04-03T08:00:00-04:00", 20),
        (DAYS, "2024-04-03T08:00:01-04:00", 30),
        (DAYS, "2024-05-03T08:00:01-04:00", 100),
        (replace(DAYS, per_day=PerDay(percent=Decimal(10), days=2)), "2024-05-03T08:00:01-04:00", 20),
        (replace(DAYS, per_day=PerDay(percent=Decimal(10), days=2), action="zero"), "2024-04-03T09:00:00-04:00", 100),
        (PLAIN, "2024-05-01T08:00:00-04:00", 0),
        (replace(PLAIN, action="zero"), "2024-04-01T08:00:01-04:00", 100),
    ],
)
def test_what_lateness_costs(policy, when, percent):
    found = late(policy, when)
    assert (found.late, found.percent) == (percent is not None, percent or 0)


def test_the_grace_of_48_hours_is_on_time_to_the_second():
    policy = Late(due="2024-04-01T08:00:00-04:00", grace_hours=48, action="zero")
    inside, outside = late(policy, "2024-04-03T08:00:00-04:00"), late(policy, "2024-04-03T08:00:01-04:00")
    assert (inside.late, outside.late, outside.percent) == (False, True, 100)
    assert inside.words == (
        "Handed in on 2024-04-03 08:00 UTC-04:00, due 2024-04-01 08:00 UTC-04:00, with 48 hours of grace: on time.",
    )
    assert outside.words[-1] == "Nothing of it counts."


@pytest.mark.parametrize(("due", "days"), [("2024-03-08 23:59", "03-11 23:59"), ("2024-11-01 23:59", "11-04 23:59")])
def test_days_over_a_change_of_clocks_end_by_the_clock(due, days):
    policy = Late(due=due, zone=ZONE, per_day=PerDay(percent=Decimal(5)))
    assert late(policy, f"2024-{days}").percent == 15
    assert late(policy, f"2024-{days}:01").percent == 20


def test_the_minute_counts_where_the_policy_says_so_and_the_page_says_it():
    exact, minute = (Late(due="2024-04-01 23:59", zone=ZONE, minute_counts=counts) for counts in (False, True))
    when = "2024-04-01T23:59:45-04:00"
    assert (late(exact, when).late, late(minute, when).late) == (True, False)
    assert late(minute, when).words == (
        "Handed in on 2024-04-01 23:59:45 EDT, due 2024-04-01 23:59 EDT: on time: the minute counts.",
    )
    assert late(minute, "2024-04-02T00:00:00-04:00").late


def test_an_extension_moves_the_deadline_for_one_submission():
    terms = Terms(due="2024-04-03T12:00:00+00:00", reason="ill")
    found = late(STEPS, "2024-04-03T09:00:00-04:00", terms)
    assert (found.percent, late(STEPS, "2024-04-03T08:00:00-04:00", terms).late) == (10, False)
    assert found.words[0] == ("Handed in on 2024-04-03 09:00 EDT, due 2024-04-03 08:00 EDT by an extension: 1 h late.")
    assert "ill" not in " ".join(found.words)  # why is for staff
    report = score(
        graded(passed("a"), submitted_at="2024-04-03T09:00:00-04:00"), assignment(item("a"), late=STEPS), (), terms
    )
    assert report.attention[0].endswith("The extension: ill.")


def test_late_days_are_used_before_anything_is_taken():
    terms = Terms(days=2, left=4)
    covered = late(STEPS, "2024-04-03T08:00:00-04:00", terms)
    assert (covered.late, covered.days, covered.percent) == (True, 2, 0)
    assert covered.words[1:] == ("2 late days used for it, 2 left of 4.", "It costs nothing.")
    beyond = late(STEPS, "2024-04-03T09:00:00-04:00", terms)
    assert (beyond.days, beyond.percent) == (2, 10)
    lost = late(replace(STEPS, action="zero"), "2024-05-03T09:00:00-04:00", terms)
    assert (lost.days, lost.percent) == (0, 100)  # none is wasted on what is lost anyway


@pytest.mark.parametrize(
    ("policy", "terms", "taken"),
    [
        (replace(PLAIN, action="zero"), Terms(), 100),
        (replace(PLAIN, action="zero"), Terms(due="2024-04-09T00:00:00+00:00"), 0),
        (STEPS, Terms(), 0),
    ],
)
def test_the_platforms_word_alone_costs_no_more_than_it_says(policy, terms, taken):
    found = late(policy, None, terms, late=True)
    assert (found.late, found.percent) == (True, taken)
    assert (taken == 0) == ("How late is not known here" in found.words[-1])


# --- points -----------------------------------------------------------------------------------------------------------


def test_every_line_bears_its_share_after_rules_and_caps():
    rubric = assignment(
        item("a", "3"),
        item("b", "3", extra_credit=True),
        item("m", "1", kind="manual", question="3"),
        rules=(rule("r", "deduct", "item", ("a",), "1"),),
        caps=(Cap(id="c", items=("a", "b"), points=Decimal(4)),),
        late=STEPS,
    )
    results = graded(passed("a"), passed("b"), broken=("r",), submitted_at="2024-04-01T09:00:00-04:00")
    report = score(results, rubric, [Mark(submission="ann", item="m", points=Decimal(1))])
    assert {line.item: line.score for line in report.lines} == {
        "a": Decimal("1.8"),
        "b": Decimal("1.8"),
        "m": Decimal("0.9"),
    }
    assert (report.score, report.would_be) == (Decimal("4.5"), 5)
    assert [(entry.rule, entry.taken) for entry in report.applied] == [("r", 1), ("late", Decimal("0.5"))]
    assert report.applied[-1].title == "handed in 1 h late"


def test_a_mark_that_overrides_is_late_like_the_rest():
    rubric = assignment(item("a", "2"), late=STEPS)
    results = graded(passed("a", 0.0), submitted_at="2024-04-01T09:00:00-04:00")
    assert score(results, rubric, [Mark(submission="ann", item="a", points=Decimal(2))]).score == Decimal("1.8")


def test_points_per_day_end_at_nothing():
    policy = replace(PLAIN, per_day=PerDay(points=Decimal("1.5")))
    rubric = assignment(item("a"), item("b", "1"), late=policy)
    scores = []
    for day in (1, 2, 3, 9):
        results = graded(passed("a"), passed("b"), submitted_at=f"2024-04-0{day}T08:30:00-04:00")
        scores.append(score(results, rubric).score)
    assert scores == [Decimal("1.5"), 0, 0, 0]


# --- attempts and milestones ------------------------------------------------------------------------------------------


def attempt(number, when, credit=1.0, name="a"):
    more = {"of": "ann", "key": f"ann~{number}"} if number > 1 else {}
    return graded(passed(name, credit), attempt=number, submitted_at=when, **more)


FIRST, SECOND, THIRD = "2024-04-01T07:00:00-04:00", "2024-04-01T09:00:00-04:00", "2024-04-02T09:00:00-04:00"


@pytest.mark.parametrize(
    ("counts", "number", "points"), [("last", 3, "7.5"), ("best", 2, "9"), ("last_on_time", 1, "8"), ("active", 1, "8")]
)
def test_each_attempt_is_late_by_itself(counts, number, points):
    rubric = assignment(item("a", "10"), late=STEPS, counts=counts)
    [report] = score_class([attempt(1, FIRST, 0.8), attempt(2, SECOND), attempt(3, THIRD)], rubric)
    assert (report.attempt, report.score) == (number, Decimal(points))
    assert [entry.late for entry in report.attempts] == [False, True, True]


def test_of_equally_good_attempts_the_one_that_uses_fewer_late_days_counts():
    rubric = assignment(item("a", "10"), late=STEPS, counts="best")
    [report] = score_class([attempt(1, FIRST), attempt(2, SECOND)], rubric, (), {"ann": Terms(days=2, left=2)})
    assert (report.attempt, report.late_days) == (1, 0)


def test_a_milestone_counts_whichever_attempt_reached_it():
    early = (Milestone(due="2024-03-25 08:00", points=Decimal(1), items=("a",), title="Checkpoint"),)
    rubric = assignment(item("a"), item("b"), late=replace(STEPS, early=early), counts="last")
    reached, late_one = attempt(1, "2024-03-25T08:00:00-04:00"), attempt(2, SECOND)
    [report] = score_class([reached, late_one], rubric)
    line = report.lines[-1]
    assert (line.title, line.score, line.extra_credit) == ("Checkpoint", 1, True)
    assert report.score == Decimal("1.8") + 1  # lateness takes nothing of it
    assert report.questions[-1] == ("handed in early", "Milestones")
    [too_late] = score_class([replace(reached, submitted_at=FIRST), late_one], rubric)
    [failed] = score_class([attempt(1, "2024-03-25T08:00:00-04:00", 0.5), late_one], rubric)
    assert [len(entry.lines) for entry in (too_late, failed)] == [2, 2]
