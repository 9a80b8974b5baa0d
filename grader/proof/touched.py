"""Which items a change of the reference can touch: those that run a function it changes, or read the files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from grader.model import Examination
from grader.parsing.functions import changed_functions
from grader.proof.reference import LEFT_OUT


def changed_in(reference: Path, texts: Mapping[str, str]) -> frozenset[str] | None:
    """The functions of the reference that differ in these texts of its files; None where more than bodies does."""
    found = frozenset[str]()
    for name, text in texts.items():
        if not name.endswith(LEFT_OUT):  # nothing runs there
            changed = changed_functions((reference / name).read_text(encoding="utf-8"), text)
            if changed is None:
                return None
            found |= changed
    return found


def touched(
    changed: frozenset[str] | None, items: Collection[str], examined: Mapping[str, Examination]
) -> tuple[str, ...]:
    """Those of the items whose verdict a change of these functions may alter: all of them where it is None.

    A function that was never seen to run may do so while a file is loaded, or where it cannot be seen: again all.
    """
    seen = {name for entry in examined.values() for name in entry.runs or ()}
    if changed is None or not changed <= seen:
        return tuple(items)
    return tuple(name for name in items if _hangs_on(changed, examined.get(name)))


def _hangs_on(changed: frozenset[str], examination: Examination | None) -> bool:
    if examination is None or examination.runs is None:
        return True
    return not changed.isdisjoint(examination.runs)
