"""Mutants as submissions: laid out in batches, graded until something is not passed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Literal

from grader.assignment import Assignment
from grader.engine import Engine, Order
from grader.grading import PUBLIC_SEED, Progress, automatic_items
from grader.locate import Folders
from grader.model import CheckResult, Submission, Violation
from grader.mutants.making import Mutant
from grader.reference import lay_out

Outcome = Literal["killed", "timed out", "survived", "grader error"]
BATCH = 40  # submissions that lie on the disk at one time


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What became of a mutant: `by` is the item or rule that noticed it, `why` what it said."""

    mutant: Mutant
    outcome: Outcome
    by: str = ""
    why: str = ""
    seconds: float = 0.0
