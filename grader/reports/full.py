"""`report.json`: everything that is known about one submission, staff evidence included, and back to a `Report`.

Decimals are text, so that they stay exact; numbers that JSON does not have (infinity, not-a-number) are text too.
`version` grows when a reader of the former version could misread a file; unknown keys of a newer file are refused.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import secrets
import types
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from grader.errors import UsageError
from grader.model import Line, Report, Took, fields_of, with_took
from grader.reports.repeated import Said, said_of

FORMAT = "grader-report"
VERSION = 1


def content(report: Report) -> dict[str, Any]:
    """The report as JSON data."""
    return {name: _plain(value) for name, value in _fields(report.whole()).items()}


def _fields(report: Report) -> dict[str, Any]:
    rest = {name: value for name, value in fields_of(report).items() if name != "took"}
    return {"format": FORMAT, "version": VERSION, **rest}


def dump(report: Report, said: Mapping[str, Said | None] | None = None) -> str:
    """The text of report.json; equal reports give equal text. `said`: as `said_of` has it, for who has it already."""
    known = said_of(report) if said is None else said
    try:
        lines = [_line(line, known[line.item], report.took.get(line.item)) for line in report.lines]
        return _text({**_fields(report), "lines": lines})
    except ValueError:  # as in `text`
        return _text(content(report))


class Encoded(str):
    """Text that is JSON already."""

    __slots__ = ()


def encoded(value: object) -> Encoded:
    """JSON on one line. Raises ValueError for a number that JSON does not have."""
    return Encoded(_encode(value))


def _line(line: Line, said: Said | None, took: Took | None) -> Encoded:
    if said is None:
        return encoded(line)
    parts = said.made(_parts)
    if line.result is None:
        return Encoded(parts[0])
    observation, seconds = took or (line.result.observation, line.result.seconds)
    if type(seconds) is not float or not math.isfinite(seconds):
        return encoded(with_took(line, took))
    return Encoded(f"{parts[0]}{encode_basestring(observation)}{parts[1]}{seconds!r}{parts[2]}")


def _parts(line: Line) -> list[str]:
    """The text of a line without observation and seconds, which stand between the parts."""
    if line.result is None:
        return [_encode(line)]
    result = {**fields_of(line.result), "observation": _BREAK, "seconds": _BREAK}
    return _encode({**fields_of(line), "result": result}).split(f'"{_BREAK}"')


def text(data: Mapping[str, Any]) -> str:
    """JSON, each entry of a list on a line of its own; what is no JSON by itself as `content` has it.

    Much faster than an indented one, which the standard library writes in Python.
    """
    try:
        return _text(data)
    except ValueError:  # a number that JSON does not have
        return _text(_plain(data))


def _text(data: Mapping[str, Any]) -> str:
    many = {key: value for key, value in data.items() if isinstance(value, list | tuple) and value}
    texts = iter(_encoded([entry for key, value in data.items() for entry in many.get(key, (value,))]))
    lines = []
    for key in data:
        found = [f"\n  {next(texts)}" for _ in many[key]] if key in many else []
        lines.append(f' "{key}": ' + (f"[{','.join(found)}\n ]" if found else next(texts)))
    return "{\n" + ",\n".join(lines) + "\n}\n"


# Nobody can know it, so no text that is encoded has it.
_BREAK = secrets.token_hex(16)


def _encoded(values: Sequence[object]) -> list[str]:
    """The text of each, all encoded in one go: to call the encoder costs more than what most of them do."""
    parted = [part for value in values if not isinstance(value, Encoded) for part in (value, _BREAK)]
    texts = iter(_encode(parted[:-1])[1:-1].split(f', "{_BREAK}", '))
    return [value if isinstance(value, Encoded) else next(texts) for value in values]


def _default(value: object) -> Any:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if hasattr(value, "__dataclass_fields__"):
        return fields_of(value)
    return list(value) if isinstance(value, Sequence) else _plain(value)


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_default).encode


def load(text: str, name: str = "report.json") -> Report:
    """The report that `dump` wrote. Raises `UsageError` for anything else; `name` says which file it was."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise UsageError(f"{name}: this is not JSON; expected a report.json written by `grader grade`") from None
    return parse(data, name)


def parse(data: Any, name: str) -> Report:
    """As `load`, of JSON data."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise UsageError(f"{name}: this is not a report of the grader; expected a report.json")
    if data.get("version") != VERSION:
        raise UsageError(f"{name}: format version {data.get('version')}, this grader reads version {VERSION}")
    said = {key: value for key, value in data.items() if key not in ("format", "version")}
    try:
        report: Report = _record(Report, said)
    except (TypeError, ValueError, KeyError, InvalidOperation) as error:
        raise UsageError(f"{name}: the report is damaged ({error}); `grader score` writes it anew") from None
    return report


def _plain(value: object) -> Any:
    if value is None or isinstance(value, str | bool | int):  # what there is most of comes first
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {entry.name: _plain(getattr(value, entry.name)) for entry in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


@functools.cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    """What makes of JSON data the type that a field is annotated with; found once, since a report has hundreds."""
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint):
        return functools.partial(_record, hint)
    if origin in (Union, types.UnionType):
        (inner,) = (_reader(argument) for argument in arguments if argument is not type(None))
        return lambda data: None if data is None else inner(data)
    if origin is tuple:
        return functools.partial(_tuple, [_reader(kind) for kind in arguments if kind is not Ellipsis], arguments[-1])
    if origin is Mapping:
        entry_of = _reader(arguments[1])
        return lambda data: {key: entry_of(entry) for key, entry in _expect(dict, data).items()}
    if origin is Literal:
        return lambda data: arguments[arguments.index(data)]
    if hint is Decimal:
        return lambda data: Decimal(_expect(str, data))
    if hint is float:
        return float
    return (lambda data: data) if hint is object else functools.partial(_expect, hint)


def _expect(kind: type, data: Any) -> Any:
    if not isinstance(data, kind):
        raise TypeError(f"{type(data).__name__} where {kind.__name__} was expected")
    return data


def _record(hint: Any, data: Any) -> Any:
    return hint(**values(hint, data))


def values(record: type, data: Any) -> dict[str, Any]:
    """Fields of a record from JSON data. Raises TypeError, ValueError, KeyError or InvalidOperation for other data."""
    readers = _readers(record)
    return {key: readers[key](entry) for key, entry in _expect(dict, data).items()}


@functools.cache
def _readers(record: type) -> dict[str, Callable[[Any], Any]]:
    return {name: _reader(hint) for name, hint in get_type_hints(record).items()}


def _tuple(readers: list[Callable[[Any], Any]], last: Any, data: Any) -> tuple[Any, ...]:
    entries = _expect(list, data)
    each = readers * len(entries) if last is Ellipsis else readers
    return tuple([read(entry) for read, entry in zip(each, entries, strict=True)])
