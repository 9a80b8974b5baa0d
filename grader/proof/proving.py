"""One assignment's changes of one kind: make, choose, run, and hold against the suite's explanations."""

from __future__ import annotations

from collections.abc import Callable

from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders
from grader.proof.changes.explained import read_explained
from grader.proof.changes.kinds import MUTANT, Kind
from grader.proof.changes.report import Account
from grader.proof.changes.running import run_changes
from grader.proof.changes.selection import select
from grader.proof.mutants.making import mutants_of
from grader.proof.rewritings.making import rewritings_of
from grader.run.grading import Progress


def prove(
    kind: Kind,
    assignment: Assignment,
    folders: Folders,
    jobs: int,
    tell: Callable[[Progress], None] = lambda progress: None,
) -> Account:
    """Run the changes of an assignment. Raises AuthorError for bad markers and unreadable explanations."""
    explained = read_explained(assignment.suite, kind)
    made = mutants_of(assignment.reference) if kind is MUTANT else rewritings_of(assignment)
    fates = run_changes(assignment, folders, select(made, kind.most), kind, jobs, tell)
    return Account(kind=kind, fates=fates, made=tuple(made), explained=explained)
