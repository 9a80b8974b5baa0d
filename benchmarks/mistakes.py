"""What each known mistake costs: the tables of docs/measurements.md.

python -m benchmarks.mistakes [slug ...]        judge the kept wrong submissions, without trainings; a table each
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from grader.assignment.locate import known_slugs
from grader.commands.shared import open_assignment
from grader.commands.verify import costs_of, kept_findings, without_trainings
from grader.proof.costs import cost_lines, holds_one_mistake, summary
from grader.proof.kept import read_kept
from grader.run.engine import Order
from grader.run.grading import PUBLIC_SEED, automatic_items


def main(slugs: Sequence[str]) -> None:
    """Print the tables."""
    for slug in slugs or known_slugs():
        folders, assignment = open_assignment(slug, None)
        mistakes = [entry for entry in read_kept(assignment.suite) if holds_one_mistake(entry)]
        kept = [plain for entry in mistakes if (plain := without_trainings(entry, assignment))]
        items = tuple(name for name in automatic_items(assignment) if assignment.item(name).training is None)
        order = Order(folders=folders, seed=PUBLIC_SEED, items=items)
        findings, _ = kept_findings(assignment, order, kept, 0, examines=False)
        costs = costs_of(findings)
        print("", *cost_lines(slug, costs), "", f"{summary(costs)}.", sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
