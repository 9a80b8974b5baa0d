"""What became of the mutants: a table by operator, the survivors, and what its author must look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from grader.proof.mutants.equivalents import FILE, Explained, stale
from grader.proof.mutants.running import Fate

COLUMNS = ("made", "killed", "timed out", "survived", "explained", "grader error")


@dataclass(frozen=True, kw_only=True)
class Account:
    """The fates of the mutants that ran, the ids of all that were made, and the explanations of the suite."""

    fates: Sequence[Fate]
    made: frozenset[str]
    explained: tuple[Explained, ...]

    def reasons(self) -> dict[str, str]:
        """{id: why it is a correct answer}."""
        return {entry.id: entry.why for entry in self.explained}

    def unexplained(self) -> list[Fate]:
        """Survivors that no explanation covers."""
        reasons = self.reasons()
        return [fate for fate in self.fates if fate.outcome == "survived" and fate.mutant.id not in reasons]


def problems(account: Account) -> list[str]:
    """What an author must look at: survivors without a reason, reasons without a survivor, faults of the grader."""
    found = [
        f"survived: {fate.mutant.id} {fate.mutant.described()}\n"
        f"let an item notice it, or say in {FILE} why it is a correct answer"
        for fate in account.unexplained()
    ]
    found += stale(account.explained, set(account.made))
    reasons = account.reasons()
    for fate in account.fates:
        if fate.outcome in ("killed", "timed out") and fate.mutant.id in reasons:
            found.append(f"{FILE}: {fate.mutant.id} does not survive, {fate.by} notices it; remove the entry")
        if fate.outcome == "grader error":
            found.append(
                f"grader error in {fate.by} with {fate.mutant.id} {fate.mutant.described()}\n{fate.why[-800:]}"
            )
    return found


def lines(account: Account) -> Iterator[str]:
    """The survivors that are explained, and the table."""
    reasons = account.reasons()
    for fate in account.fates:
        if fate.outcome == "survived" and fate.mutant.id in reasons:
            yield f"explained {fate.mutant.id} {fate.mutant.described()}: {reasons[fate.mutant.id]}"
    yield from table(account)


def table(account: Account) -> Iterator[str]:
    """One line per operator and one for all; `survived` counts those without explanation."""
    rows = {operator: _counts(account, operator) for operator in sorted({f.mutant.operator for f in account.fates})}
    total: Counter[str] = sum(rows.values(), Counter())
    width = max(len(name) for name in (*rows, "all operators"))
    yield " ".join((f"{'operator':{width}}", *(f"{column:>{len(column) + 1}}" for column in COLUMNS)))
    for name, row in (*rows.items(), ("all operators", total)):
        yield _row(name, width, row)


def verdict(account: Account) -> str:
    """The last line: how many mutants ran, how many were left out, and how many problems there are."""
    count = len(problems(account))
    left_out = len(account.made) - len(account.fates)
    cut = f", {left_out} more left out by the cap of {len(account.fates)}" if left_out else ""
    return f"{len(account.fates)} mutants{cut}: {f'{count} problem(s)' if count else 'none survives unexplained'}"


def _row(name: str, width: int, counts: Mapping[str, int]) -> str:
    return " ".join((f"{name:{width}}", *(f"{counts.get(column, 0) or '.':>{len(column) + 1}}" for column in COLUMNS)))


def _counts(account: Account, operator: str) -> Counter[str]:
    reasons = account.reasons()
    counts: Counter[str] = Counter()
    for fate in account.fates:
        if fate.mutant.operator == operator:
            explained = fate.outcome == "survived" and fate.mutant.id in reasons
            counts["made"] += 1
            counts["explained" if explained else fate.outcome] += 1
    return counts
