"""One assignment's mutants: make, choose, run, and hold against the suite's explanations."""

from __future__ import annotations

from collections.abc import Callable

from grader.assignment.assignment import Assignment
from grader.assignment.locate import Folders
from grader.proof.mutants.equivalents import read_explained
from grader.proof.mutants.making import mutants_of
from grader.proof.mutants.report import Account
from grader.proof.mutants.running import run_mutants
from grader.proof.mutants.selection import select
from grader.run.grading import Progress


def prove(
    assignment: Assignment, folders: Folders, jobs: int, tell: Callable[[Progress], None] = lambda progress: None
) -> Account:
    """Run the mutants of an assignment. Raises AuthorError for bad markers and unreadable explanations."""
    explained = read_explained(assignment.suite)
    mutants = mutants_of(assignment.reference)
    fates = run_mutants(assignment, folders, select(mutants), jobs, tell)
    return Account(fates=fates, made=frozenset(mutant.id for mutant in mutants), explained=explained)
