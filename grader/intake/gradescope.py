"""The export of Gradescope: submission_metadata.yml, and a folder or an archive for each submission."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import yaml

from grader.assignment.yaml import safe_loader
from grader.errors import SubmissionError
from grader.intake.archives import UNREADABLE
from grader.intake.candidates import Candidate
from grader.intake.downloads import strays, text, tops
from grader.intake.expected import ExpectedNames
from grader.intake.names import stem
from grader.intake.tree import MIB, Entry, below
from grader.model import Person
from grader.text import one_line

METADATA = "submission_metadata.yml"
_METADATA_LIMIT = 256 * MIB
_GRADESCOPE = re.compile(r"(?:submission_)?(?P<id>\d+)")


def gradescope(entries: tuple[Entry, ...], expected: ExpectedNames) -> list[Candidate] | None:
    """The candidates of an export with its metadata. The submissions that the metadata lists are the active ones."""
    metadata = next((entry for entry in entries if entry.path == METADATA), None)
    if metadata is None:
        return None
    rest = tuple(entry for entry in entries if entry is not metadata)
    named = {top: inside for top, inside in tops(rest).items() if _GRADESCOPE.fullmatch(_bare(top))}
    records = {_gradescope_id(_bare(key)): record for key, record in _metadata(metadata).items()}
    found = []
    for top, inside in named.items():
        record = records.pop(_gradescope_id(_bare(top)), {})
        content = below(inside, top) if "/" in inside[0].path else inside
        found.append(replace(_gradescope_candidate(_gradescope_id(_bare(top)), record), entries=content))
    for submission, record in records.items():
        missing = "its files are not in the export; download the export again"
        found.append(replace(_gradescope_candidate(submission, record), problem=missing))
    return [*found, *strays(tops(rest), set(named))]


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
            name=text(entry.get("name")),
            email=text(entry.get("email")),
            person_id=text(entry.get("sid") or entry.get("id")),
        )
        for entry in (submitters if isinstance(submitters, list) else [])
        if isinstance(entry, dict)
    )
    submitted = _time(record.get("created_at") or record.get("submission_time"))
    says = record.get("active")
    active = says if isinstance(says, bool) else True if record else None
    return Candidate(label=submission, from_course=True, people=people, submitted_at=submitted, active=active)


class _RubyLoader(safe_loader()):  # type: ignore[misc]
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


def _time(value: object) -> str | None:
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    try:
        return datetime.fromisoformat(str(value)).isoformat()
    except ValueError:
        return None
