"""YAML text → nodes that keep every scalar as it was written, and the line where it stands.

A manifest needs exact decimals, ids such as `1.10` and small numbers such as `1e-5`, and an ordinary YAML loader
turns all three into something else. So scalars stay text here and `grader.assignment.types` reads them by the type that
is wanted. Anchors, aliases and tags are refused: a rubric needs none, and without them a file cannot unfold into more
than it holds.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grader.errors import AuthorError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 20

_NULLS = ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True)
class Scalar:
    """Text as it was written. `plain`: not quoted, so `null` and `true` may be more than words."""

    text: str
    plain: bool
    line: int

    @property
    def is_null(self) -> bool:
        """An empty value, `~` or `null`, not in quotes."""
        return self.plain and self.text in _NULLS


@dataclass(frozen=True)
class Many:
    """A YAML list."""

    entries: tuple[Node, ...]
    line: int


@dataclass(frozen=True)
class Table:
    """A YAML mapping; `key_lines` says where each key stands."""

    entries: dict[str, Node]
    key_lines: dict[str, int]
    line: int


Node = Scalar | Many | Table


def read(path: Path) -> Node:
    """Parse one YAML file. Raises `AuthorError` with file and line for anything that is not plain, single YAML."""
    return _parsed(_text(path), path)


@functools.lru_cache(maxsize=8)  # whether it is in the short form is asked before what it says
def _parsed(text: str, path: Path) -> Node:
    import yaml

    try:
        return _document(_Events(yaml.parse(text, Loader=safe_loader()), path))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        what = ", ".join(part for part in (error.context, error.problem) if part)
        raise AuthorError(f"this is not valid YAML: {what}", path, line) from None
    except yaml.YAMLError as error:
        raise AuthorError(f"this is not valid YAML: {error}", path) from None


def ordinary(path: Path) -> Any:
    """What a file says by YAML's ordinary rules. Raises `AuthorError`."""
    import yaml

    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=safe_loader())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise AuthorError(f"not readable as YAML: {error}", path) from error


def safe_loader() -> Any:
    """In C where libyaml is, which takes a tenth of the time."""
    import yaml

    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise AuthorError("the manifest is missing; `grader new <slug>` writes a first one", path) from None
    except OSError as error:
        raise AuthorError(f"this file cannot be read: {error.strerror}", path) from None
    if len(content) > MAX_BYTES:
        raise AuthorError(f"this file is larger than {MAX_BYTES // 1024} KiB, expected a page or two", path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise AuthorError("this byte is not UTF-8; save the file as UTF-8", path, line) from None


class _Events:
    """The parser's events, with what a manifest may not contain refused on the way."""

    def __init__(self, events: Iterator[object], path: Path) -> None:
        self._events = events
        self.path = path

    def next(self) -> object:
        from yaml import AliasEvent, NodeEvent

        event = next(self._events)
        if isinstance(event, AliasEvent) or (isinstance(event, NodeEvent) and event.anchor):
            raise self.error("anchors and aliases (& and *) are not supported, write the value out", event)
        tag = getattr(event, "tag", None)
        if tag and tag != "!":
            raise self.error(f"the tag {tag!r} is not supported, expected plain values", event)
        return event

    def error(self, message: str, event: object) -> AuthorError:
        return AuthorError(message, self.path, _line(event))


def _line(event: object) -> int:
    return int(event.start_mark.line) + 1  # type: ignore[attr-defined]


def _document(events: _Events) -> Node:
    from yaml import DocumentEndEvent, DocumentStartEvent, StreamEndEvent, StreamStartEvent

    event = events.next()
    while isinstance(event, StreamStartEvent | DocumentStartEvent):
        event = events.next()
    if isinstance(event, StreamEndEvent):
        return Table({}, {}, 1)
    root = _node(event, events, 0)
    event = events.next()
    while isinstance(event, DocumentEndEvent):
        event = events.next()
    if not isinstance(event, StreamEndEvent):
        raise events.error("a second YAML document begins here, expected one", event)
    return root


def _node(event: object, events: _Events, depth: int) -> Node:
    from yaml import MappingStartEvent, ScalarEvent, SequenceStartEvent

    if depth > MAX_DEPTH:
        raise events.error(f"values are nested more than {MAX_DEPTH} deep", event)
    if isinstance(event, ScalarEvent):
        return Scalar(event.value, bool(event.implicit[0]), _line(event))
    if isinstance(event, SequenceStartEvent):
        return _many(event, events, depth)
    if isinstance(event, MappingStartEvent):
        return _table(event, events, depth)
    raise events.error("a value was expected here", event)


def _many(start: object, events: _Events, depth: int) -> Many:
    from yaml import SequenceEndEvent

    entries: list[Node] = []
    while not isinstance(event := events.next(), SequenceEndEvent):
        entries.append(_node(event, events, depth + 1))
    return Many(tuple(entries), _line(start))


def _table(start: object, events: _Events, depth: int) -> Table:
    from yaml import MappingEndEvent, ScalarEvent

    entries: dict[str, Node] = {}
    lines: dict[str, int] = {}
    while not isinstance(event := events.next(), MappingEndEvent):
        if not isinstance(event, ScalarEvent):
            raise events.error("a key has to be a plain word", event)
        if event.value in entries:
            raise events.error(f"the key {event.value!r} stands here twice (first in line {lines[event.value]})", event)
        lines[event.value] = _line(event)
        entries[event.value] = _node(events.next(), events, depth + 1)
    return Table(entries, lines, _line(start))
