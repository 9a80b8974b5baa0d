"""Bulk downloads of course systems → candidates, by the names and metadata that each system writes.

Gradescope   assignment_<n>_export/ with submission_metadata.yml and submission_<id>/ or submission_<id>.zip
Canvas       flat files  <name>[_LATE]_<user id>_<attachment id>_<original name>
Moodle       folders     <Full Name>_<participant id>_assignsubmission_file_/…   (or flat, with the file's name)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

import yaml

from grader.errors import SubmissionError
from grader.intake.archives import UNREADABLE
from grader.intake.candidates import Candidate
from grader.intake.names import is_archive, is_source, stem
from grader.intake.tree import MIB, Entry, below, by_top, lone_folder
from grader.model import Person
from grader.text import one_line

METADATA = "submission_metadata.yml"
_METADATA_LIMIT = 256 * MIB
_GRADESCOPE = re.compile(r"(?:submission_)?(?P<id>\d+)")
_CANVAS = re.compile(
    r"(?P<name>[^_]+?)(?P<late>_LATE)?_(?P<user>\d+)_(?:(?P<attachment>\d+)_(?P<original>.+)|(?P<entry>text|link)\.html)"
)
_CANVAS_ANONYMOUS = re.compile(r"anon_(?P<user>[A-Za-z0-9]+)(?P<late>_LATE)?_(?P<attachment>\d+)_(?P<original>.+)")
_MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_(?P<plugin>[a-z]+)_?(?P<original>.*)")
_ATTEMPT = re.compile(r"(?P<stem>.+)-(?P<number>\d{1,2})")

Read = Callable[[tuple[Entry, ...]], list[Candidate] | None]


def recognised(entries: tuple[Entry, ...], fixed_names: frozenset[str]) -> list[Candidate] | None:
    """The candidates of a bulk download, or None if the entries are none. `fixed_names` are those of the manifest."""
    lone = lone_folder(entries)
    systems: tuple[Read, ...] = (_gradescope, lambda inside: _canvas(inside, fixed_names), _moodle)
    for inside in (entries, below(entries, lone)) if lone else (entries,):
        for system in systems:
            found = system(inside)
            if found is not None:
                return found
    return None


def _tops(entries: Sequence[Entry]) -> dict[str, tuple[Entry, ...]]:
    return {top: inside for top, inside in by_top(entries).items() if any(entry.left_out != "junk" for entry in inside)}


def _strays(tops: Mapping[str, Sequence[Entry]], taken: set[str]) -> list[Candidate]:
    """What stands among the submissions and is none: work that nobody claims gets a row instead of silence."""
    return [
        Candidate(label=stem(top), problem="its name does not follow the download's pattern, so its owner is unknown")
        for top, inside in tops.items()
        if top not in taken and ("/" in inside[0].path or is_source(top) or is_archive(top))
    ]


# --- Gradescope -----------------------------------------------------------------------------------------------


def _gradescope(entries: tuple[Entry, ...]) -> list[Candidate] | None:
    metadata = next((entry for entry in entries if entry.path == METADATA), None)
    if metadata is None:
        return None
    rest = tuple(entry for entry in entries if entry is not metadata)
    tops = {top: inside for top, inside in _tops(rest).items() if _GRADESCOPE.fullmatch(_bare(top))}
    records = {_gradescope_id(_bare(key)): record for key, record in _metadata(metadata).items()}
    found = []
    for top, inside in tops.items():
        record = records.pop(_gradescope_id(_bare(top)), {})
        content = below(inside, top) if "/" in inside[0].path else inside
        found.append(replace(_gradescope_candidate(_gradescope_id(_bare(top)), record), entries=content))
    for submission, record in records.items():
        missing = "its files are not in the export; download the export again"
        found.append(replace(_gradescope_candidate(submission, record), problem=missing))
    return [*found, *_strays(_tops(rest), set(tops))]


def _bare(top: str) -> str:
    return stem(top) if "." in top else top


def _gradescope_id(name: str) -> str:
    found = _GRADESCOPE.fullmatch(name)
    return found["id"] if found else name


def _gradescope_candidate(submission: str, record: Mapping[str, object]) -> Candidate:
    submitters = record.get("submitters")
    people = tuple(
        Person(
            key=submission,
            name=_text(entry.get("name")),
            email=_text(entry.get("email")),
            person_id=_text(entry.get("sid") or entry.get("id")),
        )
        for entry in (submitters if isinstance(submitters, list) else [])
        if isinstance(entry, dict)
    )
    submitted = _time(record.get("created_at") or record.get("submission_time"))
    return Candidate(label=submission, from_course=True, people=people, submitted_at=submitted)


class _RubyLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # the C loader is optional
    """The safe loader that also reads the containers Ruby marks with its own tags, as plain data."""


def _ruby(loader: Any, _tag: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    return loader.construct_scalar(node)


_RubyLoader.add_multi_constructor("!ruby/", _ruby)


def _metadata(entry: Entry) -> dict[str, dict[str, object]]:
    """Submission → its record with plain keys. Raises SubmissionError if the file is not what Gradescope writes."""
    if entry.size > _METADATA_LIMIT:
        raise SubmissionError(f"{METADATA} is larger than {_METADATA_LIMIT // MIB} MB")
    try:
        with entry.open() as stream:
            document = yaml.load(stream.read(entry.size), Loader=_RubyLoader)  # a safe loader
    except (yaml.YAMLError, RecursionError, *UNREADABLE) as error:
        raise SubmissionError(f"{METADATA} of the Gradescope export cannot be read: {one_line(str(error))}") from error
    if not isinstance(document, dict):
        raise SubmissionError(f"{METADATA} lists no submissions; is it the file of a Gradescope export?")
    return {str(key): _plain(record) for key, record in document.items() if isinstance(record, dict)}


def _plain(value: Any) -> Any:
    """The value with the colons of Ruby's symbols taken from all keys. Deep, since submitters are nested."""
    if isinstance(value, dict):
        return {str(key).removeprefix(":"): _plain(inner) for key, inner in value.items() if key not in _UNUSED}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


_UNUSED = frozenset({":results", ":history", "results", "history"})


def _text(value: object) -> str:
    return "" if value is None else one_line(str(value), 200)


def _time(value: object) -> str | None:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    try:
        return datetime.fromisoformat(str(value)).isoformat()
    except ValueError:
        return None


# --- Canvas ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Upload:
    """One file of a Canvas download, its name taken apart."""

    entry: Entry
    user: str
    name: str
    late: bool
    attachment: int
    original: str


def _canvas(entries: tuple[Entry, ...], fixed_names: frozenset[str]) -> list[Candidate] | None:
    tops = _tops(entries)
    flat = [inside[0] for top, inside in tops.items() if inside[0].path == top]
    uploads = [upload for entry in flat if (upload := _upload(entry))]
    if not uploads or 2 * len(uploads) <= len(tops):
        return None
    users: dict[str, list[_Upload]] = {}
    for upload in uploads:
        users.setdefault(upload.user, []).append(upload)
    taken = {upload.entry.path for upload in uploads}
    return [*(_canvas_candidate(user, files, fixed_names) for user, files in users.items()), *_strays(tops, taken)]


def _upload(entry: Entry) -> _Upload | None:
    found = _CANVAS_ANONYMOUS.fullmatch(entry.path) or _CANVAS.fullmatch(entry.path)
    if found is None:
        return None
    parts = found.groupdict()
    return _Upload(
        entry=entry,
        user=parts["user"],
        name=parts.get("name") or "",
        late=parts["late"] is not None,
        attachment=int(parts["attachment"] or 0),
        original=parts["original"] or f"{parts['entry']}.html",
    )


def _canvas_candidate(user: str, uploads: list[_Upload], fixed_names: frozenset[str]) -> Candidate:
    """One student's files. Canvas marks a resubmitted file by `-1`, `-2`: of each the last on time is taken."""
    chosen: list[_Upload] = []
    notes: list[str] = []
    for original, attempts in _by_original(uploads, fixed_names).items():
        numbered = sorted(attempts, key=lambda attempt: (not attempt[1].late, attempt[0], attempt[1].attachment))
        number, upload = numbered[-1]
        chosen.append(replace(upload, entry=upload.entry.moved(original)))
        if len(attempts) > 1:
            which = "the last on time" if not upload.late else "the last"
            notes.append(f"'{original}' was handed in {len(attempts)} times; {which} counts (resubmission {number})")
    return Candidate(
        label=user,
        from_course=True,
        entries=tuple(upload.entry for upload in chosen),
        people=(Person(key=user, name=one_line(uploads[0].name, 200), person_id=user),),
        notes=tuple(notes),
        late=any(upload.late for upload in chosen),
    )


def _by_original(uploads: list[_Upload], fixed_names: frozenset[str]) -> dict[str, list[tuple[int, _Upload]]]:
    """Original name → its attempts. A `-1` that the manifest itself writes, or that stands alone, marks no attempt."""
    grouped: dict[str, list[tuple[int, _Upload]]] = {}
    for upload in uploads:
        base, number = _attempt(upload.original, fixed_names)
        grouped.setdefault(base, []).append((number, upload))
    return {base if len(attempts) > 1 else attempts[0][1].original: attempts for base, attempts in grouped.items()}


def _attempt(original: str, fixed_names: frozenset[str]) -> tuple[str, int]:
    path = PurePosixPath(original)
    found = _ATTEMPT.fullmatch(path.stem)
    if found is None or original in fixed_names:
        return original, 0
    return found["stem"] + path.suffix, int(found["number"])


# --- Moodle ---------------------------------------------------------------------------------------------------


def _moodle(entries: tuple[Entry, ...]) -> list[Candidate] | None:
    tops = _tops(entries)
    named = {top: found for top in tops if (found := _MOODLE.fullmatch(top))}
    if not named or 2 * len(named) <= len(tops):
        return None
    students: dict[str, list[tuple[str, re.Match[str]]]] = {}
    for top, found in named.items():
        students.setdefault(found["id"], []).append((top, found))
    candidates = [_moodle_candidate(participant, parts, tops) for participant, parts in students.items()]
    return [*candidates, *_strays(tops, set(named))]


def _moodle_candidate(
    participant: str,
    parts: list[tuple[str, re.Match[str]]],
    tops: Mapping[str, tuple[Entry, ...]],
) -> Candidate:
    inside: list[Entry] = []
    for top, found in parts:
        if tops[top][0].path != top:
            inside += below(tops[top], top)
        elif found["plugin"] == "file" and found["original"]:
            inside.append(tops[top][0].moved(found["original"]))
    name = one_line(parts[0][1]["name"], 200)
    person = Person(key=participant, name=name, person_id=participant)
    return Candidate(label=participant, from_course=True, entries=tuple(inside), people=(person,))
