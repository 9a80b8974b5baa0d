"""`released.json`: the scores that were released, down to the points of every item, and nothing that names anybody.

Each submission has a random tag, by which the log speaks of it; whoever is forgotten takes the only link to it along.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from grader.errors import UsageError
from grader.model import CheckResult, Line, Report
from grader.reports import full
from grader.reports.files import write_text
from grader.results import log
from grader.scoring.entries import VOIDED

NAME = log.RELEASED
FORMAT = "grader-release"


@dataclass(frozen=True, kw_only=True)
class Release:
    """Release `number` of a class; `reports` hold points and states only; `log`: its lines before, and its head."""

    number: int
    when: str
    who: str
    reports: tuple[Report, ...]
    tags: Mapping[str, str]
    log: tuple[int, str] | None = None


def freeze(
    reports: Sequence[Report], before: Release | None, who: str, when: str, entries: Sequence[log.Entry]
) -> Release:
    """These scores as the next release; tags stay what they were."""
    tags = before.tags if before else {}
    return Release(
        number=before.number + 1 if before else 1,
        when=when,
        who=who,
        reports=tuple(map(_bare, reports)),
        tags={report.key: tags.get(report.key) or secrets.token_hex(8) for report in reports},
        log=(len(entries), entries[-1].digest if entries else ""),
    )


def read(folder: Path) -> Release | None:
    """The last release of a results folder; None when there was none. Raises UsageError."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        data = json.loads(path.read_text("utf-8"))
        known = data["format"] == FORMAT and data["version"] == 1
        entries = data["submissions"]
        reports = tuple(full.parse(entry["report"], str(path)) for entry in entries.values())
        tags = {key: str(entry["tag"]) for key, entry in entries.items()}
        said = tuple(data["log"]) if data.get("log") else None
        found = Release(number=data["number"], when=data["when"], who=data["who"], reports=reports, tags=tags, log=said)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        known = False
    if not known:
        raise UsageError(f"{path}: this is not a release of the grader; restore it from a copy")
    return found


def write(release: Release, folder: Path) -> None:
    """Write released.json."""
    entries = {
        report.key: {"tag": release.tags[report.key], "report": full.content(report)} for report in release.reports
    }
    data = {"format": FORMAT, "version": 1, "number": release.number, "when": release.when, "who": release.who}
    data |= {"log": release.log} if release.log else {}
    write_text(folder / NAME, json.dumps({**data, "submissions": entries}, indent=1, ensure_ascii=False) + "\n")


def _bare(report: Report) -> Report:
    """Points and states, without any text about the work."""
    return Report(
        key=report.key,
        slug=report.slug,
        title="",
        lines=tuple(map(_bare_line, report.lines)),
        questions=(),
        score=report.score,
        would_be=report.would_be,
        total=report.total,
        open_points=report.open_points,
        applied=tuple(replace(entry, title="", violations=()) for entry in report.applied),
        refused="refused" if report.refused else "",
        track=report.track,
        attempt=report.attempt,
        unfinished=report.unfinished,
    )


def _bare_line(line: Line) -> Line:
    result = line.result and CheckResult(item=line.item, status=line.result.status, credit=line.result.credit)
    comment = VOIDED if line.comment.endswith(VOIDED) else ""
    return replace(line, title="", message="", hint="", comment=comment, result=result)
