"""`grader schema`: what `assignment.yaml` may hold, for an editor's language server."""

from __future__ import annotations

import json
import sys

from grader.errors import EXIT_DONE
from grader.short.schema import schema


def run() -> int:
    """Print the JSON schema."""
    sys.stdout.write(json.dumps(schema(), indent=2) + "\n")
    return EXIT_DONE
