"""`python -m grader.commands.inside OPTIONS`: what grades in a container or on a platform (see `run.inside`)."""

from __future__ import annotations

import json
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

from grader.sandbox.launch import launch


def main(options: dict[str, Any]) -> int:
    """Returns the exit code."""
    with launch() as launched:  # torch is imported there while the rest is imported here
        from grader.commands.grade import Request, run

        kinds = {field.name: str(field.type) for field in fields(Request)}
        return run(Request(**{name: typed(kinds[name], value) for name, value in options.items()}), launched)


def typed(kind: str, value: Any) -> Any:
    """An option as a field of `Request` that is annotated so has it."""
    as_said = Path if "Path" in kind else lambda part: part
    return tuple(map(as_said, value)) if kind.startswith("tuple") else as_said(value)


if __name__ == "__main__":
    from grader.commands.ending import told

    with told():
        sys.exit(main(json.loads(sys.argv[1])))
