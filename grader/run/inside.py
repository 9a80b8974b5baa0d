"""How a program that holds the grading inside – a platform's supervisor, a container – says what is to be graded.

Reading a command line takes a library as long to import as all the rest. Options are `grader.commands.grade.Request`'s.
"""

from __future__ import annotations

import json

MODULE = "grader.commands.inside"


def argument(**options: object) -> str:
    """The argument of that module; what is None is left out, folders are told as text."""
    return json.dumps({name: value for name, value in options.items() if value is not None}, default=str)
