"""A report as one comment in a course system: HTML on one line, for a field that knows a few tags and no more."""

from __future__ import annotations

import html
import re

from grader.model import Report
from grader.reports import gradescope
from grader.reports.words import heading
from grader.text import clean

LIMIT = 6000
_OURS = re.compile(r'<div class="dl-grader">(?:(?!<div|</div>).)*</div>', re.DOTALL)


def comment(report: Report) -> str:
    """What Gradescope would show at the top, and what people wrote to single lines; nothing that students must not see.

    It is all text: what a student's code said is escaped like everything else.
    """
    said = [f"{line.question}  {heading(line)}: {line.comment}" for line in report.lines if line.comment]
    texts = [gradescope.results(report)["output"], *(["", "Comments:", *said] if said else [])]
    lines = clean("\n".join(texts), LIMIT).strip("\n").split("\n")
    return f'<div class="dl-grader">{"<br>".join(map(_line, lines))}</div>'


def is_ours(text: str) -> bool:
    """Whether a comment is one that `comment` made, and nothing else."""
    return _OURS.fullmatch(text.strip()) is not None


def _line(text: str) -> str:
    inside = text.lstrip(" ")
    return "&nbsp;" * (len(text) - len(inside)) + html.escape(inside)
