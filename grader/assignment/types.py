"""Nodes → the dataclasses of `grader.assignment.assignment`, by their annotations; and the JSON schema from them.

Every problem is collected with its line, so an author sees all of them in one run.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
import re
import types
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from grader.assignment.yaml import Many, Node, Scalar, Table

Where = tuple[str | int, ...]

MAX_DECIMALS = 4
_DECIMAL = re.compile(rf"[+-]?(\d{{1,9}}(\.\d{{1,{MAX_DECIMALS}}})?|\.\d{{1,{MAX_DECIMALS}}})")
_INTEGER = re.compile(r"[+-]?\d{1,18}")
_FLOAT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_TRUE = ("true", "yes", "on")
_FALSE = ("false", "no", "off")

BAD = object()
"""Stands for a value that could not be read; its problem is already noted."""


@dataclass
class Reading:
    """What is learnt while a manifest is read: the line of every value, and all problems."""

    lines: dict[Where, int] = field(default_factory=dict)
    problems: list[tuple[int, str]] = field(default_factory=list)
    also: tuple[str, ...] = ()  # keys of the manifest that somebody else reads
    whole: str = "the manifest"  # what the file is called

    def bad(self, line: int, message: str) -> Any:
        """Note a problem and stand in for the value."""
        self.problems.append((line, message))
        return BAD

    def line(self, *where: str | int) -> int:
        """The line of that value, or of the nearest thing around it that was written."""
        for end in range(len(where), -1, -1):
            if where[:end] in self.lines:
                return self.lines[where[:end]]
        return 1

    def name(self, where: Where) -> str:
        """`items[3].points`: the place as an author would say it; lists count from 1 like people do."""
        text = ""
        for step in where:
            text += f"[{step + 1}]" if isinstance(step, int) else f".{step}" if text else step
        return text or self.whole


def suggestion(word: str, known: list[str] | tuple[str, ...]) -> str:
    """`; did you mean 'x'?`, or nothing when no known word is near."""
    near = get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def build(hint: Any, node: Node, where: Where, reading: Reading, **given: object) -> Any:
    """The value of type `hint` that the node says, or `BAD`. `given` are fields that are not written in the file."""
    reading.lines.setdefault(where, node.line)
    if dataclasses.is_dataclass(hint):
        return _record(hint, node, where, reading, given)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _optional(arguments, node, where, reading)
    if origin is Literal:
        return _one_of(arguments, node, where, reading)
    if origin is tuple:
        return _list(arguments[0], node, where, reading)
    if origin is dict:
        return _mapping(arguments[1], node, where, reading)
    if hint is object:
        return _plain(node, where, reading)
    return _scalar(hint, node, where, reading)


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.is_null


def _required(entry: dataclasses.Field[Any]) -> bool:
    return entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING


def _record(hint: Any, node: Node, where: Where, reading: Reading, given: dict[str, object]) -> Any:
    if not isinstance(node, Table):
        return reading.bad(
            node.line, f"{reading.name(where)}: expected keys and values ({', '.join(_keys(hint, given))})"
        )
    hints = _hints(hint)
    known = [*_keys(hint, given), *(reading.also if not where else ())]
    for key in node.entries:
        if key not in known:
            expected = f"unknown key {key!r}, expected one of {', '.join(known)}"
            reading.bad(node.key_lines[key], f"{reading.name(where)}: {expected}{suggestion(key, known)}")
    values: dict[str, Any] = dict(given)
    complete = True
    for entry in dataclasses.fields(hint):
        key = _key(entry)
        written = node.entries.get(key)
        if entry.name in given:
            continue
        if written is not None:
            reading.lines[(*where, entry.name)] = node.key_lines[key]
        if written is None or (_is_null(written) and not _required(entry)):
            if _required(entry):
                reading.bad(node.line, f"{reading.name(where)}: the key {key!r} is missing")
                complete = False
            continue
        values[entry.name] = build(hints[entry.name], written, (*where, entry.name), reading)
        complete = complete and values[entry.name] is not BAD
    return hint(**values) if complete else BAD


_hints = functools.cache(get_type_hints)  # a manifest has a hundred records of a dozen kinds


def _keys(hint: Any, given: dict[str, object]) -> list[str]:
    return [_key(entry) for entry in dataclasses.fields(hint) if entry.name not in given]


def _key(entry: dataclasses.Field[Any]) -> str:
    """How a field is written: by its name, or where that is a word of Python (`in`), by what it says itself."""
    return str(entry.metadata.get("key", entry.name))


def _optional(arguments: tuple[Any, ...], node: Node, where: Where, reading: Reading) -> Any:
    if _is_null(node):
        return None
    (hint,) = (argument for argument in arguments if argument is not type(None))
    return build(hint, node, where, reading)


def _one_of(words: tuple[str, ...], node: Node, where: Where, reading: Reading) -> Any:
    if isinstance(node, Scalar) and node.text in words:
        return node.text
    shown = repr(node.text) if isinstance(node, Scalar) else "a list or mapping"
    near = suggestion(node.text, words) if isinstance(node, Scalar) else ""
    return reading.bad(node.line, f"{reading.name(where)} is {shown}, expected one of {', '.join(words)}{near}")


def _list(hint: Any, node: Node, where: Where, reading: Reading) -> Any:
    if not isinstance(node, Many):
        return reading.bad(node.line, f"{reading.name(where)}: expected a list, such as [a, b]")
    values = tuple(build(hint, entry, (*where, index), reading) for index, entry in enumerate(node.entries))
    return BAD if any(value is BAD for value in values) else values


def _mapping(hint: Any, node: Node, where: Where, reading: Reading) -> Any:
    if not isinstance(node, Table):
        return reading.bad(node.line, f"{reading.name(where)}: expected keys and values")
    values = {key: build(hint, entry, (*where, key), reading) for key, entry in node.entries.items()}
    return BAD if any(value is BAD for value in values.values()) else values


def _plain(node: Node, where: Where, reading: Reading) -> Any:
    """Any value, read as YAML's readers expect: numbers, flags, text, lists and mappings."""
    if isinstance(node, Many):
        return [_plain(entry, (*where, index), reading) for index, entry in enumerate(node.entries)]
    if isinstance(node, Table):
        return {key: _plain(entry, (*where, key), reading) for key, entry in node.entries.items()}
    if not node.plain:
        return node.text
    if node.is_null:
        return None
    if node.text.lower() in ("true", "false"):
        return node.text.lower() == "true"
    if _INTEGER.fullmatch(node.text):
        return int(node.text)
    if _FLOAT.fullmatch(node.text):
        return float(node.text)
    return node.text


def _scalar(hint: Any, node: Node, where: Where, reading: Reading) -> Any:
    read, expected = _SCALARS[hint]
    if not isinstance(node, Scalar):
        return reading.bad(node.line, f"{reading.name(where)}: expected {expected}, not a list or mapping")
    value = read(node)
    if value is BAD:
        shown = "empty" if node.is_null else repr(node.text)
        return reading.bad(node.line, f"{reading.name(where)} is {shown}, expected {expected}")
    return value


def _text(node: Scalar) -> Any:
    return BAD if node.is_null else node.text


def _flag(node: Scalar) -> Any:
    word = node.text.lower()
    return word in _TRUE if word in _TRUE + _FALSE else BAD


def _integer(node: Scalar) -> Any:
    return int(node.text) if _INTEGER.fullmatch(node.text) else BAD


def _float(node: Scalar) -> Any:
    value = float(node.text) if _FLOAT.fullmatch(node.text) else math.nan
    return value if math.isfinite(value) else BAD


def _decimal(node: Scalar) -> Any:
    return Decimal(node.text) if _DECIMAL.fullmatch(node.text) else BAD


_SCALARS: dict[Any, tuple[Any, str]] = {
    str: (_text, "text"),
    bool: (_flag, "true or false"),
    int: (_integer, "a whole number"),
    float: (_float, "a number"),
    Decimal: (_decimal, f"a number such as 2 or 0.5, with at most {MAX_DECIMALS} decimals"),
}

# --- the schema for editors -----------------------------------------------------------------------------------

_SCHEMAS: dict[Any, dict[str, Any]] = {
    str: {"type": ["string", "number"]},  # an id such as 1.1 is a number to a JSON schema and text to us
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{_FLOAT.pattern}$"}]},  # 1e-5 in YAML 1.1
    Decimal: {"anyOf": [{"type": "number"}, {"type": "string", "pattern": f"^{_DECIMAL.pattern}$"}]},
    object: {},
}


def schema_of(hint: Any, definitions: dict[str, Any], leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """The JSON schema of a type; dataclasses are put into `definitions` and referred to."""
    if dataclasses.is_dataclass(hint):
        name = hint.__name__ if isinstance(hint, type) else type(hint).__name__
        if name not in definitions:
            definitions[name] = _record_schema(hint, definitions, leave_out)
        return {"$ref": f"#/$defs/{name}"}
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [{"type": "null"}] + [schema_of(a, definitions) for a in arguments if a is not type(None)]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": ["array", "null"], "items": schema_of(arguments[0], definitions)}
    if origin is dict:
        return {"type": ["object", "null"], "additionalProperties": schema_of(arguments[1], definitions)}
    return _SCHEMAS[hint]


def _record_schema(hint: Any, definitions: dict[str, Any], leave_out: tuple[str, ...]) -> dict[str, Any]:
    hints = _hints(hint)
    fields = [entry for entry in dataclasses.fields(hint) if entry.name not in leave_out]
    return {
        "type": "object",
        "description": inspect.getdoc(hint) or "",
        "properties": {_key(entry): schema_of(hints[entry.name], definitions) for entry in fields},
        "required": [_key(entry) for entry in fields if _required(entry)],
        "additionalProperties": False,
    }
