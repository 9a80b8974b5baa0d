"""The kinds of change: what must become of each, and the words for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

KindName = Literal["mutant", "rewriting"]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of change. `right`: it must pass everything that what it changes passes; otherwise it must not.

    `file` of a suite explains those that fare otherwise, `excused` is the report's word for them; `passed` and
    `noticed` are its words for the two ends, `advice` what an author can do about a wrong one.
    """

    name: KindName
    right: bool
    file: str
    passed: str
    noticed: str
    excused: str
    verdict: str
    advice: str
    most: int


MUTANT = Kind(
    name="mutant",
    right=False,
    file="equivalent_mutants.yaml",
    passed="survived",
    noticed="killed",
    excused="explained",
    verdict="none survives unexplained",
    advice="let an item notice it, or say in equivalent_mutants.yaml why it is a correct answer",
    most=400,
)
REWRITING = Kind(
    name="rewriting",
    right=True,
    file="refused_rewritings.yaml",
    passed="passed",
    noticed="lost",
    excused="refused",
    verdict="none loses a point",
    advice="let the suite accept it, or give the handout's own reason in refused_rewritings.yaml",
    most=165,
)
KINDS: tuple[Kind, ...] = (MUTANT, REWRITING)
