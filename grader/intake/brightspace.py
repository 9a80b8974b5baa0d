"""The download of Brightspace (D2L): folders  <user id>-<folder id> - <Full Name> - <time>/…, or flat files so named.

Each attempt is a folder of its own; `index.html` lists them.
"""

from __future__ import annotations

import re

from grader.intake.candidates import Candidate
from grader.intake.downloads import is_file, moment, strays, tops
from grader.intake.expected import ExpectedNames
from grader.intake.tree import Entry, below
from grader.model import Person
from grader.text import one_line

_OWNER = r"(?P<user>\d+)-(?P<folder>\d+) ?- ?(?P<name>.+?)"
_TIME = r" ?- ?(?P<time>[A-Z][a-z]+\.? \d{1,2}, \d{4} \d{1,2}:?\d{2} [AP]M)"
# A name may hold dashes, so the time is looked for first.
_FORMS = (
    re.compile(rf"{_OWNER}{_TIME}(?: ?- ?(?P<original>.+))?"),
    re.compile(rf"{_OWNER}(?P<time>)(?P<original>)"),
)


def _cut(top: str) -> re.Match[str] | None:
    return next((found for form in _FORMS if (found := form.fullmatch(top))), None)


def brightspace(entries: tuple[Entry, ...], expected: ExpectedNames) -> list[Candidate] | None:
    """One candidate for each attempt of each user."""
    found = tops(entries)
    cuts = {top: cut for top in found if (cut := _cut(top))}
    if not cuts or 2 * len(cuts) <= len(found):
        return None
    attempts: dict[tuple[str, str], list[tuple[str, re.Match[str]]]] = {}
    for top, cut in cuts.items():
        attempts.setdefault((cut["user"], cut["time"] or ""), []).append((top, cut))
    candidates = []
    for (user, time), parts in attempts.items():
        inside: list[Entry] = []
        for top, cut in parts:
            flat = is_file(top, found[top])
            inside += [found[top][0].moved(cut["original"] or top)] if flat else below(found[top], top)
        candidates.append(
            Candidate(
                label=user,
                from_course=True,
                entries=tuple(inside),
                people=(Person(key=user, name=one_line(parts[0][1]["name"], 200), person_id=user),),
                submitted_at=_time(time),
            )
        )
    return [*candidates, *strays(found, set(cuts))]


def _time(written: str) -> str | None:
    plain = re.sub(r"[.:]", "", written)
    forms = ("%b %d, %Y %I%M %p", "%B %d, %Y %I%M %p")
    plain = re.sub(r" (\d{3}) ([AP]M)$", r" 0\1 \2", plain)
    return next((found for form in forms if (found := moment(plain, form))), None)
