"""What the readers of bulk downloads share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from grader.intake.candidates import Candidate
from grader.intake.names import is_class_file, stem
from grader.intake.tree import Entry, by_top
from grader.text import one_line

OWNER_UNKNOWN = "its name does not follow the download's pattern, so its owner is unknown"


def tops(entries: Sequence[Entry]) -> dict[str, tuple[Entry, ...]]:
    """What lies at the top of a download, junk left out."""
    return {top: inside for top, inside in by_top(entries).items() if any(entry.left_out != "junk" for entry in inside)}


def is_file(top: str, inside: Sequence[Entry]) -> bool:
    """Whether what lies at the top is a file and no folder."""
    return inside[0].path == top


def strays(found: Mapping[str, tuple[Entry, ...]], taken: set[str]) -> list[Candidate]:
    """What stands among the submissions and is none gets a row instead of silence, unless it is the course's own."""
    return [
        Candidate(label=stem(top), entries=inside, problem=OWNER_UNKNOWN)
        for top, inside in found.items()
        if top not in taken and not is_class_file(top)
    ]


def text(value: object) -> str:
    """A word of the system's own data as it may be shown."""
    return "" if value is None else one_line(str(value), 200)


def moment(written: str, form: str) -> str | None:
    """A time as a system writes it, in ISO 8601 without an offset: these systems do not say theirs."""
    try:
        return datetime.strptime(written, form).isoformat()
    except ValueError:
        return None
