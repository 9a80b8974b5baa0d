"""Gradescope: `/autograder/submission` and `submission_metadata.json` → `/autograder/results/results.json`.

Lateness is that of the submission's own time, so that a regrade weeks later finds the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grader.assignment.moments import moment_of
from grader.errors import UsageError
from grader.platforms.base import BROKEN, Outcome, Task
from grader.reports import gradescope
from grader.reports.files import write_text
from grader.text import clean

ROOT = Path("/autograder")
BRIEF = "What differs is not shown for this attempt."


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
        times, last = _previous(metadata.get("previous_submissions"))
        place = metadata["assignment"] if isinstance(metadata.get("assignment"), dict) else {}
        due = str(place.get("due_date") or "")
        return Task(
            paths=(folder,),
            submitted_at=created,
            submission=str(metadata.get("id", "")),
            total=str(place.get("total_points", "")),
            due=due,
            extended=_extended(metadata.get("users"), due),
            previous=times,
            last=last,
        )

    def write(self, outcome: Outcome) -> None:
        """results.json, readable for the platform."""
        path = self._root / "results" / "results.json"
        write_text(path, json.dumps(content(outcome), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        path.chmod(0o644)


def _extended(users: object, due: str) -> str:
    """The latest deadline that one of the people has of their own, where it is later than everybody's."""
    places = [user.get("assignment") for user in users if isinstance(user, dict)] if isinstance(users, list) else []
    own = [moment_of(str(place.get("due_date"))) for place in places if isinstance(place, dict)]
    everybodys, latest = moment_of(due), max((moment for moment in own if moment), default=None)
    return latest.isoformat() if latest and everybodys and latest > everybodys else ""


def _previous(listed: object) -> tuple[tuple[str, ...], Mapping[str, Any] | None]:
    """The times of earlier submissions, and what the last one was told, if it is one of our results."""
    known = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    timed = sorted(
        ((str(entry.get("submission_time")), entry) for entry in known if not entry.get("autograder_error")),
        key=lambda pair: pair[0],
    )
    last = next((entry["results"] for _, entry in reversed(timed) if _is_ours(entry.get("results"))), None)
    return tuple(moment for moment, _ in timed), last


def _is_ours(results: object) -> bool:
    facts = results.get("extra_data") if isinstance(results, dict) else None
    return isinstance(facts, dict) and facts.get("complete") is True


def content(outcome: Outcome) -> dict[str, Any]:
    """What results.json says; valid by the schema of `grader.reports.gradescope`."""
    if outcome.again is not None:
        first = str(outcome.again.get("output", "")).removeprefix(str(outcome.again["extra_data"].get("again", "")))
        text = clean(f"{outcome.why}\n\n{first.lstrip()}", gradescope.OUTPUT_LIMIT)
        return {**outcome.again, "output": text, "extra_data": {**outcome.again["extra_data"], "again": outcome.why}}
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
        said = list(dict.fromkeys([BROKEN, outcome.trouble]))
    else:
        found = gradescope.results(outcome.report)
        said = [outcome.trouble, found["output"]]
    if outcome.brief:
        found["tests"] = [
            {**test, "output": BRIEF if test.get("status") == "failed" else ""} for test in found["tests"]
        ]
    if outcome.leaders:
        found["leaderboard"] = list(outcome.leaders)
    found["output"] = clean("\n\n".join(text for text in said if text), gradescope.OUTPUT_LIMIT)
    kept = {name: value for name, value in found["extra_data"].items() if name != "seed"}  # its id says which it was
    told = {"complete": not outcome.trouble, "late": outcome.late, "notes": list(outcome.notes)}
    found["extra_data"] = {**kept, **outcome.facts, **told}
    return found
