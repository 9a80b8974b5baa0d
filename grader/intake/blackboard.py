"""The download of Blackboard: flat files  <assignment>_<user>_attempt_<time>[_<original name>].

The file without an original name is the receipt, whose first line names the student. Every attempt is there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from grader.intake.archives import UNREADABLE
from grader.intake.candidates import Candidate
from grader.intake.downloads import is_file, moment, strays, tops
from grader.intake.expected import ExpectedNames
from grader.intake.tree import Entry
from grader.model import Person
from grader.text import one_line

_BLACKBOARD = re.compile(
    r"(?P<assignment>.+)_(?P<user>[^_]+)_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<original>.+)|\.txt)"
)
_NAME = re.compile(r"Name:\s*(?P<name>[^\r\n(]+)")
_RECEIPT_LIMIT = 64 << 10

Parts = list[tuple[Entry, re.Match[str]]]


def blackboard(entries: tuple[Entry, ...], expected: ExpectedNames) -> list[Candidate] | None:
    """One candidate for each attempt of each user."""
    found = tops(entries)
    cuts = {top: cut for top, inside in found.items() if is_file(top, inside) and (cut := _BLACKBOARD.fullmatch(top))}
    if not cuts or 2 * len(cuts) <= len(found):
        return None
    attempts: dict[tuple[str, str], Parts] = {}
    for top, cut in cuts.items():
        attempts.setdefault((cut["user"], cut["time"]), []).append((found[top][0], cut))
    candidates = [_candidate(user, time, parts) for (user, time), parts in attempts.items()]
    return [*candidates, *strays(found, set(cuts))]


def _candidate(user: str, time: str, parts: Parts) -> Candidate:
    receipts = [entry for entry, cut in parts if not cut["original"]]
    return Candidate(
        label=user,
        from_course=True,
        entries=tuple(entry.moved(cut["original"]) for entry, cut in parts if cut["original"]),
        people=(Person(key=user, name=_name(receipts), person_id=user),),
        submitted_at=moment(time, "%Y-%m-%d-%H-%M-%S"),
        passed_over=tuple((entry, "it is the platform's receipt") for entry in receipts),
    )


def _name(receipts: Sequence[Entry]) -> str:
    for entry in receipts:
        try:
            with entry.open() as stream:
                found = _NAME.match(stream.read(_RECEIPT_LIMIT).decode("utf-8-sig", "replace"))
        except UNREADABLE:
            continue
        if found:
            return one_line(found["name"].strip(), 200)
    return ""
