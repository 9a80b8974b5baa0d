"""The download of Moodle: folders  <Full Name>_<participant id>_assignsubmission_file_/…, or flat with the file's name.

A class without groups that hands in as groups stands under "Default group", which has no id.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from grader.intake.candidates import Candidate
from grader.intake.downloads import is_file, strays, tops
from grader.intake.expected import ExpectedNames
from grader.intake.tree import Entry, below
from grader.model import Person
from grader.text import one_line

_MOODLE = re.compile(r"(?P<name>.+?)(?:_(?P<id>\d+))?_assignsubmission_(?P<plugin>[a-z]+)_?(?P<original>.*)", re.DOTALL)
# What Moodle itself calls somebody without naming anybody.
_NAMELESS = re.compile(r"(?:default|group|team|participant)\b.*", re.IGNORECASE)


def moodle(entries: tuple[Entry, ...], expected: ExpectedNames) -> list[Candidate] | None:
    """One candidate for each participant or group."""
    found = tops(entries)
    named = {top: cut for top in found if (cut := _MOODLE.fullmatch(top))}
    if not named or 2 * len(named) <= len(found):
        return None
    owners: dict[str, list[tuple[str, re.Match[str]]]] = {}
    for top, cut in named.items():
        owners.setdefault(cut["id"] or cut["name"], []).append((top, cut))
    candidates = [_candidate(owner, parts, found) for owner, parts in owners.items()]
    return [*candidates, *strays(found, set(named))]


def _candidate(owner: str, parts: list[tuple[str, re.Match[str]]], found: Mapping[str, tuple[Entry, ...]]) -> Candidate:
    inside: list[Entry] = []
    passed_over: list[tuple[Entry, str]] = []
    for top, cut in parts:
        if not is_file(top, found[top]):
            # The page of an online text stays beside the files: it may be all there is.
            inside += below(found[top], top)
        elif cut["plugin"] == "file" and cut["original"]:
            inside.append(found[top][0].moved(cut["original"]))
        else:
            passed_over.append((found[top][0], "it is a text written online, and no file"))
    name = one_line(parts[0][1]["name"], 200)
    numbered = parts[0][1]["id"] is not None
    return Candidate(
        label=owner if numbered else name,
        from_course=numbered or _NAMELESS.fullmatch(name) is not None,
        entries=tuple(inside),
        people=(Person(key=owner, name=name, person_id=owner if numbered else ""),),
        passed_over=tuple(passed_over),
    )
