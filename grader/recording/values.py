"""Drawn cases as plain trees and back: a class by its name, its fields by theirs. Nothing is imported or unpickled."""

from __future__ import annotations

import dataclasses
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from grader.suite.cases import Case
from grader.wire.frames import WireError

Classes = Mapping[str, type[Case]]


LARGEST = 62  # bits of a whole number that is kept as it is
_WHOLE = re.compile(r"-?0x[0-9a-f]{16,64}")


def case_classes(suite: Path) -> dict[str, type[Case]]:
    """The classes of cases that the suite's imported modules define, by module and name."""
    found: dict[str, type[Case]] = {}
    queue = list(Case.__subclasses__())
    while queue:
        kind = queue.pop()
        queue.extend(kind.__subclasses__())
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
        if file is not None and Path(file).is_relative_to(suite):
            found[_name(kind)] = kind
    return found


def to_tree(value: object) -> object:
    """The plain form. Raises WireError for a value that has none."""
    if type(value) is int and value.bit_length() > LARGEST:  # a seed; the wire's whole numbers are shorter
        return {"whole": hex(value)}
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, Case):
        fields = {field.name: to_tree(getattr(value, field.name)) for field in dataclasses.fields(value) if field.init}
        return {"case": _name(type(value)), "fields": fields}
    if type(value) in (tuple, list):
        return {type(value).__name__: [to_tree(entry) for entry in value]}  # type: ignore[attr-defined]
    if type(value) is dict:
        return {"dict": [[to_tree(key), to_tree(entry)] for key, entry in value.items()]}
    raise WireError(f"a case holds a {type(value).__name__}, which a recording cannot: use numbers, flags and strings")


def from_tree(tree: object, classes: Classes) -> object:
    """The value again. Raises WireError for anything that `to_tree` would not have made of one of these classes."""
    if not isinstance(tree, dict):
        if isinstance(tree, list):
            raise WireError("a value is not of the known form")
        return tree
    if set(tree) == {"case", "fields"}:
        return _case(tree["case"], tree["fields"], classes)
    [(kind, entries)] = tree.items() if len(tree) == 1 else [("", None)]
    if kind == "whole" and isinstance(entries, str) and _WHOLE.fullmatch(entries):
        return int(entries, 16)
    if not isinstance(entries, list):
        raise WireError("a value is not of the known form")
    if kind in ("tuple", "list"):
        values = [from_tree(entry, classes) for entry in entries]
        return tuple(values) if kind == "tuple" else values
    if kind != "dict" or any(not isinstance(pair, list) or len(pair) != 2 for pair in entries):
        raise WireError("a value is not of the known form")
    try:
        return {from_tree(key, classes): from_tree(entry, classes) for key, entry in entries}
    except TypeError:
        raise WireError("a key of a dict is not of the known form") from None


def _case(name: object, fields: object, classes: Classes) -> Case:
    kind = classes.get(name) if isinstance(name, str) else None
    if kind is None or not isinstance(fields, dict):
        raise WireError(f"the suite has no class of cases {str(name)[:80]!r}")
    if set(fields) != {field.name for field in dataclasses.fields(kind) if field.init}:
        raise WireError(f"{str(name)[:80]} has other fields")
    try:
        return kind(**{key: from_tree(value, classes) for key, value in fields.items()})
    except WireError:
        raise
    except Exception as error:
        raise WireError(f"{str(name)[:80]} cannot be made: {type(error).__name__}") from None


def _name(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"
