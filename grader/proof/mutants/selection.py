"""Which mutants run when there are more than time allows: some of every kind of mistake in every function."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from grader.proof.mutants.making import Mutant

# All mutants of the five assignments stay below this. It bounds what a larger reference may cost in CI.
MOST = 400
SEED = "mutants"


def select(mutants: Sequence[Mutant], most: int = MOST, seed: str = SEED) -> list[Mutant]:
    """At most `most` mutants, in their order. Strata are operator and function; each gives one in turn.

    The draw depends on the ids and the seed alone: another line number, or a mutant more elsewhere, does not change
    the order within a stratum.
    """
    drawn = sorted(mutants, key=lambda mutant: _rank(mutant, seed))
    taken: Counter[tuple[str, str, str]] = Counter()
    turns: dict[str, int] = {}
    for mutant in drawn:
        stratum = (mutant.operator, mutant.file, mutant.scope)
        turns[mutant.id] = taken[stratum]
        taken[stratum] += 1
    kept = {mutant.id for mutant in sorted(drawn, key=lambda mutant: turns[mutant.id])[:most]}
    return [mutant for mutant in mutants if mutant.id in kept]


def _rank(mutant: Mutant, seed: str) -> str:
    return hashlib.sha256(f"{seed}\0{mutant.id}".encode()).hexdigest()
