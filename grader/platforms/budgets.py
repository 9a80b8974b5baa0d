"""What an assignment takes of a platform's container, by what was measured, and which containers have that."""

from __future__ import annotations

import math
from dataclasses import dataclass

from grader.assignment.assignment import Assignment
from grader.run.engine import Source

# CPUs and memory of the containers that Gradescope offers, and the longest that it waits.
TIERS = (("0.5 CPU, 0.75 GB", 768), ("1 CPU, 1.5 GB", 1536), ("2 CPU, 3 GB", 3072), ("4 CPU, 6 GB", 6144))
MOST_MINUTES = 40
# A whole grading from a recording, without trainings: 400 to 543 MiB on the five assignments that are shipped.
GRADING_MIB = 640
TRIES = 2  # in the grey zone a training is repeated


@dataclass(frozen=True)
class Budget:
    """Memory in MiB, and minutes of the machine where the trainings were measured; `unknown` trainings never were."""

    memory_mib: int
    minutes: float
    unknown: tuple[str, ...] = ()

    @property
    def tier(self) -> str:
        """The container to choose."""
        return tier(self.memory_mib)


def tier(memory_mib: int) -> str:
    """The smallest container that has the memory, or the largest there is."""
    return next((name for name, size in TIERS if size >= memory_mib), TIERS[-1][0])


def budget(assignment: Assignment, source: Source) -> Budget:
    """Of one submission, with trainings on that source of data."""
    trained = [item.id for item in assignment.items if item.training is not None and item.training.budget(source)]
    known = {name: assignment.evidence_of(name, source) for name in (trained if source != "off" else [])}
    found = [entry for entry in known.values() if entry is not None]
    memory = max((entry.memory_mib for entry in found), default=0.0)
    minutes = TRIES * sum(entry.seconds for entry in found) / 60
    return Budget(round(GRADING_MIB + memory), minutes, tuple(name for name, entry in known.items() if entry is None))


def in_words(assignment: Assignment) -> str:
    """One line: without trainings, and with those on made data."""
    plain, trained = budget(assignment, "off"), budget(assignment, "made")
    text = f"{plain.tier} without trainings"
    if trained == plain:
        return text
    late = f", more than the {MOST_MINUTES} that Gradescope waits" if trained.minutes > MOST_MINUTES else ""
    return f"{text}; {trained.tier} and up to {math.ceil(trained.minutes)} minutes{late} with those on made data"
