"""What each known mistake costs at most, as the kept submissions declare it and `grader verify` proves it.

python -m benchmarks.mistakes        print the tables of docs/measurements.md
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.trainings import assignments
from grader.assignment.assignment import Assignment
from grader.judge.replay import ALMOST
from grader.model import CheckResult, Graded, Violation
from grader.proof.costs import Cost, cost_lines, cost_of, summary
from grader.proof.kept import Kept, read_kept

ONLY = "Only where"  # begins what is said of a mistake that shows with a size of 1 alone


def costs(assignment: Assignment) -> Iterator[tuple[Kept, Cost]]:
    """Every kept submission that holds one mistake, and what it costs when its items earn nothing."""
    for kept in read_kept(assignment.suite):
        if (cost := cost_of(kept, _as_declared(kept, assignment), assignment)) is not None:
            yield kept, cost


def _as_declared(kept: Kept, assignment: Assignment) -> Graded:
    charged = {name: ALMOST if kept.message.startswith(ONLY) else 0.0 for name in kept.charged}
    results = {
        item.id: CheckResult(item=item.id, status="failed", credit=charged[item.id])
        if item.id in charged
        else CheckResult(item=item.id, status="passed", credit=1.0)
        for item in assignment.items
        if item.kind == "automatic" and (item.training is None or item.id in charged)
    }
    broken = tuple(Violation(rule=name, message="") for name in kept.breaks)
    files = {file.id: file.path for file in assignment.files}
    return Graded(key=kept.name, results=results, violations=broken, files=files)


def tables() -> Iterator[str]:
    """A table for each assignment, and a sentence below it."""
    for assignment in assignments():
        found = list(costs(assignment))
        yield from ("", *cost_lines(assignment.slug, found), "", f"{summary(found)[0].upper()}{summary(found)[1:]}.")


if __name__ == "__main__":
    print(*tables(), sep="\n")
