"""PrairieLearn: `/grade/student` → `/grade/results/results.json`, a score in [0, 1].

The score is the share of what could be judged there. What the grader could not judge costs no attempt
(`gradable: false`), and the file stays below 1 MB.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grader.errors import UsageError
from grader.model import Line, Report
from grader.platforms.base import BROKEN, Outcome, Task
from grader.reports.curve import picture
from grader.reports.files import write_text
from grader.reports.words import HIDDEN, STATE_WORDS, curves, explanation, heading, number, rule_lines
from grader.text import clean

ROOT = Path("/grade")
LIMIT = 1_000_000
TEXTS = (8000, 2000, 500, 100)  # how long one item's text may be; the first with which the whole fits is taken


class PrairieLearn:
    """The platform below a root folder."""

    out: Path | None = None
    rewrites = True

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root

    def task(self) -> Task:
        """The student's files; the platform itself keeps deadlines."""
        folder = self._root / "student"
        if not folder.is_dir():
            raise UsageError(f"there is no folder {folder}: PrairieLearn puts the student's files there")
        return Task(paths=(folder,))

    def write(self, outcome: Outcome) -> None:
        """results.json; the folder is made here, as the platform asks."""
        write_text(self._root / "results" / "results.json", text(outcome))


def text(outcome: Outcome) -> str:
    """The text of results.json, below the platform's limit."""
    for limit in TEXTS:
        found = json.dumps(content(outcome, limit), ensure_ascii=False, allow_nan=False) + "\n"
        if len(found.encode("utf-8", "replace")) <= LIMIT:
            return found
    return json.dumps({**content(outcome, TEXTS[-1]), "tests": []}, allow_nan=False) + "\n"


def content(outcome: Outcome, limit: int = TEXTS[0]) -> dict[str, Any]:
    """What results.json says."""
    report = outcome.report
    if report is None:
        return {"gradable": False, "score": 0, "message": BROKEN, "output": clean(outcome.trouble, limit)}
    if report.refused:
        return {"gradable": False, "score": 0, "format_errors": [clean(report.refused, limit)]}
    lines = [line for line in report.lines if line.counted]
    judged = not outcome.trouble and not any(line.state == "grader_error" for line in lines)
    said = [outcome.trouble, *rule_lines(report.applied), *report.notes]
    return {
        "gradable": judged,
        "score": share(report),
        "message": clean("\n".join(filter(None, said)), limit),
        "tests": [_test(line, limit) for line in lines if line.score is not None],
        "extra_data": dict(outcome.facts),
    }


def share(report: Report) -> float:
    """The score as a share of the points that were judged."""
    lines = [line for line in report.lines if line.counted and not line.extra_credit and line.score is not None]
    most = float(sum(line.maximum for line in lines))
    return min(1.0, max(0.0, float(report.score) / most)) if most else 0.0


def _test(line: Line, limit: int) -> dict[str, Any]:
    texts = [f"{block.label}: {block.text}" if block.label else block.text for block in explanation(line)]
    hidden = HIDDEN in texts
    return {
        "name": heading(line),
        "points": 0 if line.score is None else number(line.score),
        "max_points": 0 if line.extra_credit else number(line.maximum),
        "message": HIDDEN if hidden else STATE_WORDS[line.state],
        "output": "" if hidden else clean("\n".join(texts), limit),
        "images": [{"label": series.name, "url": picture(series)} for series in curves(line)],
    }
