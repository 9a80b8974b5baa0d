"""The JSON schema of a whole `assignment.yaml`, short keys included, for editors that complete and check YAML."""

from __future__ import annotations

from typing import Any

from grader.assignment import manifest
from grader.assignment.types import schema_of
from grader.short.form import Short

NEEDED = ["slug", "title", "files"]


def schema() -> dict[str, Any]:
    """A JSON schema (2020-12); what the short form makes (items, parts, the total) is not demanded."""
    found = manifest.schema()
    definitions: dict[str, Any] = found["$defs"]
    schema_of(Short, definitions)
    root, short = definitions["Assignment"], definitions.pop("Short")
    root["properties"] |= short["properties"]
    root["properties"]["files"]["items"] = {"anyOf": [{"type": "string"}, root["properties"]["files"]["items"]]}
    # The long form needs what the short form writes.
    root["required"] = NEEDED
    root["anyOf"] = [{"required": [key]} for key in ("items", "checks", "answers", "train", "predictions")]
    return found
