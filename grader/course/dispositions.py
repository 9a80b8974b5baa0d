"""`dispositions.csv`: what a person decided about each row of attention.csv, filled in with any spreadsheet.

    row,submission,what,must,decision,by,why
    kfdwmtbq,ada,"12 points by a rule alone: …",yes,changed,kim,"her own nn_lstm, taken for nn.LSTM"

`accepted`: it stands as it is; a figure that waits counts as it was measured. `changed`: a broken rule costs nothing;
what else is to change stands in marks.csv. A row is about exactly what was said: when the sentence changes, it is asked
anew. `must`: grades are not released without a decision.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from grader.course import sheets
from grader.errors import UsageError
from grader.text import one_line

NAME = "dispositions.csv"
COLUMNS = ("row", "submission", "what", "must", "decision", "by", "why")
WORDS = ("accepted", "changed")
_LETTERS = "bcdfghjklmnpqrstvwxz"  # which no spreadsheet reads as a number, a date or a word


@dataclass(frozen=True, kw_only=True)
class Row:
    """One sentence about one submission ("" for the class), and what was decided; `decision` is "" until then."""

    submission: str
    what: str
    must: bool = False
    decision: str = ""
    by: str = ""
    why: str = ""

    @cached_property
    def id(self) -> str:
        """Its name: equal sentences about equal submissions have equal ones."""
        number = int.from_bytes(hashlib.sha256(f"{self.submission}\n{self.what}".encode()).digest()[:8], "big")
        return "".join(_LETTERS[number // 20**place % 20] for place in range(8))


def row(submission: str, sentence: str, *, must: bool = False) -> Row:
    """A sentence as tables show it."""
    return Row(submission=submission, what=one_line(sentence, 1000), must=must)


def settled(path: Path, now: Sequence[Row]) -> list[Row]:
    """The rows of `now` with what the file decides of them, then what it decided of sentences that are no longer said.

    Raises `UsageError` that lists every bad line.
    """
    found: dict[str, Row] = {}
    problems: list[str] = []
    said = {entry.id: entry for entry in now}
    for line, cells in sheets.table(path, "dispositions", COLUMNS, COLUMNS) if path.exists() else ():
        try:
            name, entry = _decided(cells, said)
            if name in found:
                raise ValueError(f"the row {name} is decided twice")
            if entry.decision:
                found[name] = entry
        except ValueError as error:
            problems.append(f"line {line}: {error}")
    if problems:
        raise UsageError(sheets.listed(path, "nothing was decided", problems))
    old = [entry for name, entry in found.items() if name not in said]
    return [*(found.get(name, entry) for name, entry in said.items()), *old]


def _decided(cells: dict[str, str], said: dict[str, Row]) -> tuple[str, Row]:
    name, word = cells["row"], cells["decision"].lower()
    entry = said.get(name) or Row(submission=cells["submission"], what=cells["what"])
    if name not in said and entry.id != name:
        raise ValueError(f"there is no row {name!r}{sheets.near(name, said)}; `grader settle` writes them anew")
    if not word:
        return name, entry
    if word not in WORDS:
        near = sheets.near(word, WORDS)
        raise ValueError(f"the decision is {cells['decision']!r}, expected {' or '.join(WORDS)}{near}")
    if not cells["by"] or not cells["why"]:
        raise ValueError("a decision needs who made it (by) and the reason (why)")
    return name, replace(entry, decision=word, by=cells["by"], why=cells["why"])


def united(paths: Sequence[Path]) -> str:
    """The decisions of several files as one. Raises UsageError where they decide a row in two ways."""
    found: dict[str, tuple[Path, Row]] = {}
    for path in paths:
        for entry in settled(path, ()):
            other, before = found.setdefault(entry.id, (path, entry))
            if before.decision != entry.decision:
                raise UsageError(f"{other} and {path} decide the row {entry.id} in two ways: make them equal")
    return listed(entry for _, entry in found.values())


def listed(rows: Iterable[Row]) -> str:
    """A dispositions.csv with these rows; what must be decided and is not comes first."""
    ordered = sorted(rows, key=lambda entry: (bool(entry.decision), not entry.must))
    return sheets.text_in_rows([COLUMNS, *(_cells(entry) for entry in ordered)])


def _cells(entry: Row) -> tuple[str, ...]:
    must = "yes" if entry.must else ""
    return entry.id, entry.submission, entry.what, must, entry.decision, entry.by, entry.why


def open_rows(rows: Iterable[Row]) -> list[Row]:
    """What must be decided and is not."""
    return [entry for entry in rows if entry.must and not entry.decision]
