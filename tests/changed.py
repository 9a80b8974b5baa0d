"""Changes of a few lines, for tests: the lines stand in one solution region."""

from __future__ import annotations

import textwrap

from grader.proof.changes.kinds import REWRITING
from grader.proof.changes.making import Change, changes_in
from grader.proof.changes.source import Source
from grader.proof.mutants.operators import OPERATORS
from grader.proof.rewritings import operators as rewriting
from grader.templates.markers import BEGIN, END


def source_of(code: str) -> Source:
    """A file that is one region."""
    return Source("net.py", f"{BEGIN}\n{textwrap.dedent(code).strip()}\n{END}\n")


def mutants(code: str, *operators: str) -> list[Change]:
    """The mutants of some lines by these operators (none named: all)."""
    chosen = {name: OPERATORS[name] for name in operators} if operators else OPERATORS
    return changes_in(source_of(code), chosen)


def after(code: str, operator: str) -> list[str]:
    """The lines after each mutation by one operator."""
    return [mutant.text.removeprefix(f"{BEGIN}\n").removesuffix(f"\n{END}\n") for mutant in mutants(code, operator)]


def rewritten(code: str, operator: str) -> list[str]:
    """The lines after each rewriting by one operator."""
    found = changes_in(source_of(code), {operator: rewriting.OPERATORS[operator]}, REWRITING)
    return [change.text.removeprefix(f"{BEGIN}\n").removesuffix(f"\n{END}\n") for change in found]
