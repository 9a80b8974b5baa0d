"""The download of Canvas: flat files  <name>[_LATE]_<user id>_<attachment id>_<original name>.

The name is a student's or a group's, and a group's may hold underscores and digits, so a file name can often be cut in
more than one way. Anonymous downloads write `LATE_anon_<code>_<attachment id>_<original name>`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from grader.intake.candidates import Candidate
from grader.intake.downloads import is_file, strays, tops
from grader.intake.expected import ExpectedNames
from grader.intake.names import upload_mark
from grader.intake.tree import Entry
from grader.model import Person
from grader.text import one_line

_IDS = re.compile(
    r"(?=(?P<late>_LATE)?_(?P<user>\d+)_(?:(?P<attachment>\d+)_(?P<original>.+)|(?P<entry>text|link)\.html)$)"
)
_ANONYMOUS = re.compile(
    r"(?P<early>LATE_)?anon_(?P<user>[A-Za-z0-9]+?)(?P<late>_LATE)?_(?:(?P<attachment>\d+)_(?P<original>.+)|(?P<entry>text|link)\.html)"
)


@dataclass(frozen=True, kw_only=True)
class _Upload:
    """One file of the download, its name taken apart; `number` is which upload under `base` it is."""

    entry: Entry
    user: str
    name: str
    late: bool
    attachment: int
    original: str
    base: str = ""
    number: int = 0


def canvas(entries: tuple[Entry, ...], expected: ExpectedNames) -> list[Candidate] | None:
    """One candidate for each user or group."""
    found = tops(entries)
    flat = [inside[0] for top, inside in found.items() if is_file(top, inside)]
    readings = {entry.path: list(_readings(entry)) for entry in flat}
    readings = {path: cuts for path, cuts in readings.items() if cuts}
    if not readings or 2 * len(readings) <= len(found):
        return None
    fixed = frozenset(PurePosixPath(name).name for name in expected.names)
    users: dict[str, list[_Upload]] = {}
    for upload in _chosen_readings(list(readings.values()), fixed):
        users.setdefault(upload.user, []).append(upload)
    return [*(_candidate(user, uploads, fixed) for user, uploads in users.items()), *strays(found, set(readings))]


def _readings(entry: Entry) -> Iterator[_Upload]:
    """Every way in which the name can be cut, the shortest name first."""
    name = entry.path
    anonymous = _ANONYMOUS.fullmatch(name)
    if anonymous:
        yield _upload(entry, anonymous, "", bool(anonymous["late"] or anonymous["early"]))
        return
    for found in _IDS.finditer(name):
        person = name[: found.start()]
        # "x_LATE_1_2_y" can also be cut behind LATE, which is no name.
        if person and not person.endswith("_LATE") and person != "LATE":
            yield _upload(entry, found, person, bool(found["late"]))


def _upload(entry: Entry, found: re.Match[str], name: str, late: bool) -> _Upload:
    return _Upload(
        entry=entry,
        user=found["user"],
        name=name,
        late=late,
        attachment=int(found["attachment"] or 0),
        original=found["original"] or f"{found['entry']}.html",
    )


def _chosen_readings(readings: Sequence[Sequence[_Upload]], fixed: frozenset[str]) -> Iterator[_Upload]:
    """Of each file the reading that fits the download: ids are of one length in it, and names are the manifest's."""
    plain = [cuts[0] for cuts in readings if len(cuts) == 1] or [
        cut for cuts in readings for cut in cuts if upload_mark(cut.original)[0] in fixed
    ]
    users = _usual(len(upload.user) for upload in plain)
    attachments = _usual(len(str(upload.attachment)) for upload in plain)

    def fit(upload: _Upload) -> tuple[int, bool, bool]:
        odd = abs(len(upload.user) - users) if users else 0
        odd += abs(len(str(upload.attachment)) - attachments) if attachments else 0
        return -odd, upload_mark(upload.original)[0] in fixed, len(upload.user) > 2

    for cuts in readings:
        yield max(cuts, key=fit)


def _usual(lengths: Iterator[int]) -> int:
    counted = Counter(lengths)
    return min(counted, key=lambda length: (-counted[length], length)) if counted else 0


def _candidate(user: str, uploads: list[_Upload], fixed: frozenset[str]) -> Candidate:
    """One student's files. Canvas marks a resubmitted file by `-1`, `-2`: of each the last on time is taken."""
    chosen: list[_Upload] = []
    passed_over: list[tuple[Entry, str]] = []
    notes: list[str] = []
    looks: list[str] = []
    for original, attempts in _by_original(uploads, fixed).items():
        upload = attempts[-1]
        chosen.append(replace(upload, entry=upload.entry.moved(original)))
        if len(attempts) > 1:
            which = "the last on time" if not upload.late else "the last"
            sentence = (
                f"'{original}' was handed in {len(attempts)} times; {which} counts (resubmission {upload.number})"
            )
            notes.append(sentence)
            looks.append(f"{sentence}.")
            passed_over += [(other.entry, f"{which} upload of it counts") for other in attempts[:-1]]
    return Candidate(
        label=user,
        from_course=True,
        entries=tuple(upload.entry for upload in chosen),
        people=(Person(key=user, name=one_line(uploads[0].name, 200), person_id=user),),
        notes=tuple(notes),
        looks=tuple(looks),
        late=any(upload.late for upload in chosen),
        passed_over=tuple(passed_over),
    )


def _by_original(uploads: list[_Upload], fixed: frozenset[str]) -> dict[str, list[_Upload]]:
    """Original name → its uploads, the one that counts last.

    A `-1` that the manifest itself writes marks no upload; one that stands alone gives way to the plain name only
    where the manifest has it.
    """
    grouped: dict[str, list[_Upload]] = {}
    for upload in uploads:
        base, number = (upload.original, 0) if upload.original in fixed else upload_mark(upload.original)
        grouped.setdefault(base, []).append(replace(upload, number=number))
    return {
        base if len(own) > 1 or base in fixed else own[0].original: sorted(
            own, key=lambda upload: (not upload.late, upload.number, upload.attachment)
        )
        for base, own in grouped.items()
    }
