"""`class.html`: a class at a glance, one self-contained page without scripts, in the look of the other pages."""

from __future__ import annotations

from grader.reports.curve import overlay
from grader.reports.html import template
from grader.reports.overview import Overview

TEMPLATE = "class.html"
HONEST = "What passed and was contradicted, or missed narrowly. Nobody is accused of anything here."
BROKEN = "Findings with a consequence, or noted. A finding is evidence, not a proof of intent."


def page(overview: Overview, *, named: bool) -> str:
    """The whole page; `named` says that it tells who people are. Equal classes give equal text."""
    curves = [overlay(entry.item, entry.passed, entry.others, entry.level) for entry in overview.trainings]
    return template(TEMPLATE).render(
        it=overview,
        named=named,
        most=max((count for _, count in overview.bins), default=0) or 1,
        trainings=list(zip(overview.trainings, curves, strict=True)),
        cases=(
            ("waiting", "Waits for a person", "Points that nobody has given yet.", overview.waiting),
            ("doubts", "Doubt that honest work can raise", HONEST, overview.doubts),
            ("rules", "Rules that were broken", BROKEN, overview.breaches),
            ("late", "Handed in late", "After deadline and grace, by what it cost.", overview.late),
        ),
    )
