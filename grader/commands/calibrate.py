"""`grader calibrate`: the evidence for tolerances, measured on the reference."""

from __future__ import annotations

import sys
from pathlib import Path

from grader.commands.shared import open_assignment, require_reference
from grader.engine import Engine, Order
from grader.errors import EXIT_DONE, EXIT_NO
from grader.grading import PUBLIC_SEED, automatic_items
from grader.proofs import tolerance_problems


def run(slug: str, assignments: Path | None) -> int:
    """Print how much of each bound rounding uses. Returns 1 when one is too tight or accepts a wrong value."""
    folders, assignment = open_assignment(slug, assignments)
    require_reference(folders)
    order = Order(folders=folders, seed=PUBLIC_SEED, items=automatic_items(assignment))
    with Engine(order) as engine:
        found = engine.examine()
    write = sys.stdout.write
    write(f"{'item':32} {'rtol':>8} {'used by rounding':>17}  wrongly accepts\n")
    for item, examined in found.items():
        noise = "-" if examined.noise is None else f"{examined.noise:.1%}"
        write(f"{item:32} {examined.bound:8.1e} {noise:>17}  {', '.join(examined.lets_pass)}".rstrip() + "\n")
    worst = max((examined.noise for examined in found.values() if examined.noise), default=0.0)
    write(f"{slug}: float32 rounding uses at most {worst:.1%} of a bound (measured against the reference in float64)\n")
    problems = tolerance_problems(found)
    write("".join(f"PROBLEM {problem}\n" for problem in problems))
    return EXIT_NO if problems else EXIT_DONE
