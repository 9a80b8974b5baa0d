"""`voids.csv`: items that count for nobody as they were meant, because the question or its test was wrong.

    item,how,by,why
    lstm.forward,full,kim,"the handout gave another order of the gates"

`full` gives every submission the item's points, whatever rules say; `out` takes it out of scores and totals.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from grader.assignment.assignment import Assignment
from grader.course import sheets
from grader.course.marks import unknown_item
from grader.errors import UsageError
from grader.model import Void, VoidHow

NAME = "voids.csv"
COLUMNS = ("item", "how", "by", "why")


def read(path: Path, assignment: Assignment) -> tuple[Void, ...]:
    """The voids of a file; none when it is not there. Raises `UsageError` that lists every bad line of it."""
    if not path.exists():
        return ()
    problems: list[str] = []
    found: dict[str, Void] = {}
    for line, row in sheets.table(path, "voids", COLUMNS, COLUMNS):
        try:
            void = checked(row["item"], row["how"], row["by"], row["why"], assignment)
            if void.item in found:
                raise ValueError(f"{void.item} is voided twice")
            found[void.item] = void
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    if problems:
        raise UsageError(sheets.listed(path, "nothing was voided", problems))
    return tuple(found.values())


def listed(voids: Iterable[Void]) -> str:
    """A voids.csv with these."""
    return sheets.text_in_rows([COLUMNS, *((void.item, void.how, void.by, void.why) for void in voids)])


def checked(item: str, how: str, by: str, why: str, assignment: Assignment) -> Void:
    """The void that these words mean. Raises ValueError with what is wrong with them."""
    known = {entry.id: entry for entry in assignment.items}
    word = next((word for word in get_args(VoidHow) if word == how), None)
    if item not in known:
        raise ValueError(unknown_item(item, assignment))
    if word is None:
        raise ValueError(f"{how!r} is not known; expected {' or '.join(get_args(VoidHow))}")
    if not by or not why:
        raise ValueError("who decided it (by) and the reason (why) must be given")
    if stands_for := known[item].replaces:
        raise ValueError(f"{item} counts in place of {stands_for}; void that one, and both are")
    if word == "out" and any(item in choice.items for choice in assignment.choices):
        raise ValueError(f"{item} is one of a choice, so it cannot be taken out of the total; give full marks instead")
    return Void(item=item, how=word, by=by, why=why)
