"""Gradescope: `/autograder/submission` and `submission_metadata.json` → `/autograder/results/results.json`.

Lateness is that of the submission's own time, so that a regrade weeks later finds the same.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grader.errors import UsageError
from grader.platforms.base import BROKEN, Outcome, Task
from grader.reports import gradescope
from grader.reports.files import write_text
from grader.text import clean

ROOT = Path("/autograder")


class Gradescope:
    """The platform below a root folder."""

    out: Path | None = None
    rewrites = True

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root

    def task(self) -> Task:
        """The student's files, and when they were handed in."""
        folder = self._root / "submission"
        if not folder.is_dir():
            raise UsageError(f"there is no folder {folder}: Gradescope puts the student's files there")
        try:
            metadata = json.loads((self._root / "submission_metadata.json").read_text(encoding="utf-8"))
            created = metadata["created_at"]
            if not isinstance(created, str):
                raise TypeError("created_at is no text")
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            note = f"submission_metadata.json could not be read ({error!r}); whether it was late is not known."
            return Task(paths=(folder,), notes=(clean(note, 300),))
        return Task(paths=(folder,), submitted_at=created)

    def write(self, outcome: Outcome) -> None:
        """results.json, readable for the platform."""
        path = self._root / "results" / "results.json"
        write_text(path, json.dumps(content(outcome), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        path.chmod(0o644)


def content(outcome: Outcome) -> dict[str, Any]:
    """What results.json says; valid by the schema of `grader.reports.gradescope`."""
    if outcome.report is None:
        found: dict[str, Any] = {
            "score": 0,
            "output": "",
            "output_format": "text",
            "test_output_format": "text",
            "test_name_format": "text",
            "visibility": "visible",
            "stdout_visibility": "hidden",
            "tests": [],
            "extra_data": {},
        }
        said = [BROKEN, outcome.trouble]
    else:
        found = gradescope.results(outcome.report)
        said = [outcome.trouble, found["output"]]
    found["output"] = clean("\n\n".join(text for text in said if text), gradescope.OUTPUT_LIMIT)
    kept = {name: value for name, value in found["extra_data"].items() if name != "seed"}  # its id says which it was
    told = {"complete": not outcome.trouble, "late": outcome.late, "notes": list(outcome.notes)}
    found["extra_data"] = {**kept, **outcome.facts, **told}
    return found
