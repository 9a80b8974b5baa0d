"""Which changes run when there are more than time allows: some of every operator in every function."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from grader.proof.changes.making import Change

SEED = "mutants"


def select(changes: Sequence[Change], most: int, seed: str = SEED) -> list[Change]:
    """At most `most` changes, in their order. Each stratum gives one in turn: of mutants every operator in every
    function is one, of rewritings, which are many times more, every operator.

    The draw depends on the ids and the seed alone: another line number, or a change more elsewhere, does not change
    the order within a stratum.
    """
    drawn = sorted(changes, key=lambda change: _rank(change, seed))
    taken: Counter[tuple[str, ...]] = Counter()
    turns: dict[str, int] = {}
    for change in drawn:
        stratum = (change.operator,) if change.kind == "rewriting" else (change.operator, change.file, change.scope)
        turns[change.id] = taken[stratum]
        taken[stratum] += 1
    kept = {change.id for change in sorted(drawn, key=lambda change: turns[change.id])[:most]}
    return [change for change in changes if change.id in kept]


def _rank(change: Change, seed: str) -> str:
    return hashlib.sha256(f"{seed}\0{change.id}".encode()).hexdigest()
