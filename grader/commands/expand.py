"""`grader expand`: the short form as the long form, to be read, or to go on from."""

from __future__ import annotations

import sys
from pathlib import Path

from grader.assignment.locate import assignment_folders
from grader.assignment.manifest import is_short
from grader.errors import EXIT_DONE, UsageError
from grader.short import sources
from grader.short.expanding import long_form, write


def run(slug: str, item: str | None, into: Path | None, assignments: Path | None) -> int:
    """Print the long form, or one check's part of it; with `into`, write the whole suite there. Raises UsageError."""
    folders = assignment_folders(slug, assignments)
    if not is_short(folders.suite):
        raise UsageError(f"{folders.suite / 'assignment.yaml'} has nothing in the short form: no checks, no answers")
    long = long_form(folders)
    if into is not None:
        if item is not None:
            raise UsageError("--into writes the whole suite: name no item")
        if into.exists():
            raise UsageError(f"{into} exists already; name a folder that does not")
        write(long, folders.suite, into)
        sys.stdout.write(f"wrote {into}\n")
        return EXIT_DONE
    if item is None:
        sys.stdout.write("\n".join(f"# --- {name} ---\n{text}" for name, text in long.texts.items()))
        return EXIT_DONE
    known = {plan.id: sources.one(plan) for plan in long.checks}
    known |= {asked.id: sources.one_answer(asked) for asked in long.answers}
    if item not in known:
        raise UsageError(f"{slug} has no check {item!r}; its checks are {', '.join(known)}")
    sys.stdout.write(known[item])
    return EXIT_DONE
