"""A class of a dozen: most fail one item alike, some were late, one waits, one is doubted, two never handed in."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from learning_examples import PERPLEXITY
from report_examples import ASSIGNMENT, BOB, HOSTILE, failed, passed

from grader.assignment.assignment import Late, LateStep
from grader.model import DOUBT_REASON, CheckResult, Graded, Mark, Person, Report, Violation
from grader.scoring import score_class

DUE = "2024-04-01T08:00:00-04:00"
STEPS = (LateStep(hours=24, percent=Decimal(10)),)
LATE = replace(ASSIGNMENT, late=Late(due=DUE, steps=STEPS, action="zero"))
OURS = "out: 40 of 120 entries differ (33%).\nGreatest difference 0.0713 at (2, 0, 5)."
MISTAKE = "equals the result without the 1/sqrt(d) scaling"


def student(number: int) -> Graded:
    results = dict(BOB.results)
    results["rnn.forward"] = failed(
        "rnn.forward", message=OURS if number < 9 else f"other {number}", reason="values differ"
    )
    if number % 3 == 0:
        results["attention.weights"] = failed("attention.weights", message="w", hint=MISTAKE)
    if number % 4 == 0:
        results["rnn.gradient"] = failed("rnn.gradient", credit=0.5, message="g", hint=MISTAKE)
    curve = [[step, {"loss": 5 / step}] for step in range(1, 200)]
    figures = {"training": {**PERPLEXITY, "curve": curve, "value": 6.0 + number / 5, "peak_mib": 300.0 + number}}
    results["train.perplexity"] = replace(
        passed("train.perplexity") if number < 5 else failed("train.perplexity"), figures=figures
    )
    return Graded(key=f"s{number:02}", results=results, seconds=1.0 + number)


def reports() -> list[Report]:
    everybody = [student(number) for number in range(10)]
    everybody[2] = replace(everybody[2], submitted_at="2024-04-01T09:00:00-04:00")
    everybody[3] = replace(everybody[3], submitted_at="2024-04-01T07:00:00-04:00")
    everybody[4] = replace(
        everybody[4], violations=(Violation(rule="prints", message="print() is called", file="a.py", line=3),)
    )
    doubted = passed("attention.fast", reason=DOUBT_REASON, notes=("The figure is odd.",))
    everybody[5] = replace(everybody[5], results={**everybody[5].results, "attention.fast": doubted})
    broken = CheckResult(item="attention.mask", status="grader_error", message="The worker did not start.")
    everybody[6] = replace(everybody[6], results={**everybody[6].results, "attention.mask": broken})
    refused = Graded(key="s10", refused="the archive is damaged")
    hostile = Graded(key="s11", results={"rnn.forward": failed("rnn.forward", message=HOSTILE, hint=HOSTILE)})
    marks = [Mark(submission=f"s{number:02}", item="theory.bptt", points=Decimal(3)) for number in range(9)]
    return score_class([*everybody, refused, hostile], LATE, marks)


PEOPLE = [Person(key=f"s{number:02}", name=f"Name {number}", person_id=str(900 + number)) for number in range(12)]
PEOPLE.append(Person(key="s03", name="Partner <b>", person_id="950"))
ROSTER = [Person(key="", name=f"Roster {number}", person_id=str(900 + number)) for number in (0, 1, 3, 49, 50, 98, 99)]
