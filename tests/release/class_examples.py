"""A graded class of the tiny assignment: five students, with what a person must look at."""

from __future__ import annotations

from pathlib import Path

from tiny_assignment import ITEMS, ROOT

from grader.course import people
from grader.model import NARROW_REASON, CheckResult, Person, Refused, Submission, Violation
from grader.results.journal import Journal
from grader.run.scores import Scores, scores_of, scoring_of, write_results

PEOPLE = (
    Person(key="ada", name="Ada Lovelace", email="ada@example.edu", person_id="20101"),
    Person(key="bob", name="Bob Núñez", email="bob@example.edu", person_id="20102"),
    Person(key="cyd", name="Cyd, Test", email="cyd@example.edu", person_id="020103"),
    Person(key="dan", name="=Dan()", email="dan@example.edu", person_id="20104"),
    Person(key="eve", name="Eve Ng", email="eve@example.edu", person_id="20105"),
)


def results(**changed: CheckResult) -> list[CheckResult]:
    """All items passed, but for some."""
    named = {name.replace("_", "."): result for name, result in changed.items()}
    return [named.get(item, CheckResult(item=item, status="passed", credit=1.0)) for item in ITEMS]


def failed(item: str, **more) -> CheckResult:
    return CheckResult(item=item, status="failed", **more)


def write_class(folder: Path) -> Path:
    """ada passes all, bob fails one, cyd misses one narrowly, dan is refused, eve breaks a rule."""
    with Journal(folder, "tiny") as journal:
        journal.start_run("tiny", "seed", {"grader": "0.2"})
        submit(journal, "ada", results())
        submit(journal, "bob", results(gate_forward=failed("gate.forward", message="differs")))
        submit(journal, "cyd", results(scorer_forward=failed("scorer.forward", reason=NARROW_REASON)))
        journal.submission(Refused(key="dan", reason="the archive is damaged"))
        submit(journal, "eve", results(), Violation(rule="no_softmax", message="torch.softmax is used", line=3))
    people.write(PEOPLE, folder / "people.csv")
    write(folder)
    return folder


def submit(journal: Journal, key: str, found: list[CheckResult], *broken: Violation) -> None:
    files = {"layers": "layers.py", "model": "model.py", "nb": "tiny.ipynb"}
    journal.submission(Submission(key=key, root=Path("/nowhere"), digest=f"digest of {key}", files=files))
    journal.started(key)
    for result in found:
        journal.result(key, result, f"stamp of {result.item}")
    for violation in broken:
        journal.violation(key, violation)
    journal.finished(key, {"level": "strict"}, 1.0)


def write(folder: Path) -> None:
    """All files of results, as they follow from what stands in the folder."""
    from tiny_assignment import tiny

    write_results(scoring_of(folder, tiny()[1]))


def scored(folder: Path) -> Scores:
    from tiny_assignment import tiny

    return scores_of(folder, tiny()[1])


def score_by_key(folder: Path) -> dict[str, float]:
    return {report.key: float(report.score) for report in scored(folder).reports}


ASSIGNMENTS = ROOT
