"""What became of the changes: a table by operator, those that fared otherwise, and what an author must look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from grader.proof.changes.explained import Explained, stale
from grader.proof.changes.kinds import Kind
from grader.proof.changes.making import Change
from grader.proof.changes.running import Fate

SHOWN = 600  # characters of what an item said


@dataclass(frozen=True, kw_only=True)
class Account:
    """The fates of the changes that ran, all that were made, and the explanations of the suite."""

    kind: Kind
    fates: Sequence[Fate]
    made: Sequence[Change]
    explained: tuple[Explained, ...]

    def reason(self, fate: Fate) -> Explained | None:
        """The explanation that covers what became of a change."""
        covering = (entry for entry in self.explained if entry.covers(fate.change))
        return next((entry for entry in covering if entry.allows(fate.by)), None)

    def unwanted(self, fate: Fate) -> bool:
        """Whether a change fared otherwise than its kind must."""
        noticed = fate.outcome in ("noticed", "timed out")
        return noticed if self.kind.right else fate.outcome == "passed"

    def unexplained(self) -> list[Fate]:
        """Changes that fared otherwise, and no explanation covers it."""
        return [fate for fate in self.fates if self.unwanted(fate) and self.reason(fate) is None]


def problems(account: Account) -> list[str]:
    """What an author must look at: exceptions without a reason, reasons without one, faults of the grader."""
    kind = account.kind
    found = [f"{_fared(kind, fate)}\n{kind.advice}" for fate in account.unexplained()]
    found += stale(account.explained, account.made, kind)
    found += [problem for entry in account.explained if (problem := _needless(account, entry))]
    found += [
        f"grader error in {fate.by} with {fate.change.id} {fate.change.described()}\n{fate.why[-800:]}"
        for fate in account.fates
        if fate.outcome == "grader error"
    ]
    return found


def lines(account: Account) -> Iterator[str]:
    """The exceptions that are explained, and the table."""
    for fate in account.fates:
        if account.unwanted(fate) and (entry := account.reason(fate)) is not None:
            yield f"{account.kind.excused} {fate.change.id} {fate.change.described()}: {entry.why}"
    yield from table(account)


def table(account: Account) -> Iterator[str]:
    """One line per operator and one for all; exceptions that are explained are counted as such alone."""
    rows = {operator: _counts(account, operator) for operator in sorted({f.change.operator for f in account.fates})}
    total: Counter[str] = sum(rows.values(), Counter())
    width = max(len(name) for name in (*rows, "all operators"))
    kind = account.kind
    columns = ("made", kind.noticed, "timed out", kind.passed, kind.excused, "grader error")
    yield " ".join((f"{'operator':{width}}", *(f"{column:>{len(column) + 1}}" for column in columns)))
    for name, row in (*rows.items(), ("all operators", total)):
        yield _row(name, width, row, columns)


def verdict(account: Account) -> str:
    """The last line: how many changes ran, how many were left out, and how many problems there are."""
    count = len(problems(account))
    left_out = len(account.made) - len(account.fates)
    cut = f", {left_out} more left out by the cap of {len(account.fates)}" if left_out else ""
    said = f"{count} problem(s)" if count else account.kind.verdict
    return f"{len(account.fates)} {account.kind.name}s{cut}: {said}"


def _fared(kind: Kind, fate: Fate) -> str:
    """How a change fared, and what noticed it."""
    if fate.outcome == "passed":
        return f"{kind.passed}: {fate.change.id} {fate.change.described()}"
    share = f" ({fate.share:.2g} times the bound)" if fate.share else ""
    why = fate.why if len(fate.why) <= SHOWN else f"{fate.why[:SHOWN]}…"
    return f"{kind.noticed} {fate.by}{share}: {fate.change.id} {fate.change.described()}\n{why}"


def _needless(account: Account, entry: Explained) -> str:
    """What is wrong with an explanation whose changes ran and fared as their kind must; empty when nothing is."""
    kind = account.kind
    covered = [fate for fate in account.fates if entry.covers(fate.change)]
    if not covered or any(account.unwanted(fate) and entry.allows(fate.by) for fate in covered):
        return ""
    if any(fate.outcome == "grader error" for fate in covered):
        return ""
    if kind.right:
        return f"{kind.file}: {entry.said()} loses nothing by {', '.join(entry.by)}; remove the entry"
    return f"{kind.file}: {entry.id} does not survive, {covered[0].by} notices it; remove the entry"


def _row(name: str, width: int, counts: Mapping[str, int], columns: Sequence[str]) -> str:
    return " ".join((f"{name:{width}}", *(f"{counts.get(column, 0) or '.':>{len(column) + 1}}" for column in columns)))


def _counts(account: Account, operator: str) -> Counter[str]:
    kind = account.kind
    words = {"passed": kind.passed, "noticed": kind.noticed}
    counts: Counter[str] = Counter()
    for fate in account.fates:
        if fate.change.operator == operator:
            excused = account.unwanted(fate) and account.reason(fate) is not None
            counts["made"] += 1
            counts[kind.excused if excused else words.get(fate.outcome, fate.outcome)] += 1
    return counts
