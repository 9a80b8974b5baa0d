"""The tiny assignment for tests: its folders, and submissions made from its reference by edits."""

from __future__ import annotations

import shutil
from pathlib import Path

from grader.assignment import Assignment
from grader.intake.tree import digest_of  # noqa: F401  (replaced below when intake has another name for it)
