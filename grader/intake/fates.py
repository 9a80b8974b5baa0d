"""What becomes of every file and folder that is handed in: the account that intake keeps.

Every entry that was listed, at whatever depth of archives, ends with exactly one fate; what no step of the intake spoke
of is left out by name, so that nothing can vanish.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from grader.intake.tree import LEFT_OUT, Entry
from grader.model import Fate, FateWord

NOBODYS = "it stands beside the submissions and belongs to none of them"


@dataclass
class Ledger:
    """The account of one candidate: what was seen of it, what was left out and why, and what is to be said of it.

    `notes` are for its author; `looks` are for staff.
    """

    notes: list[str] = field(default_factory=list)
    looks: list[str] = field(default_factory=list)
    seen: dict[str, Entry] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    _left: dict[str, str] = field(default_factory=dict)
    _aside: set[str] = field(default_factory=set)

    def see(self, entries: Iterable[Entry]) -> None:
        """Entries that belong to the candidate."""
        for entry in entries:
            self.seen[entry.origin] = entry
            if entry.left_out:
                self._left[entry.origin] = LEFT_OUT[entry.left_out]
                if entry.left_out != "empty":
                    self._aside.add(entry.origin)

    def see_aside(self, entry: Entry, why: str) -> None:
        """An entry that is left out whatever becomes of the candidate."""
        self.see([entry])
        self._left[entry.origin] = why
        self._aside.add(entry.origin)

    def leave(self, entry: Entry, why: str) -> None:
        """One of them is not taken."""
        self._left[entry.origin] = why

    def say(self, entry: Entry, what: str) -> None:
        """What an entry that is taken is there for."""
        self.words[entry.origin] = what

    def why_left(self, entry: Entry) -> str:
        """Why it was left out; "" when it was not."""
        return self._left.get(entry.origin, "")

    def fates(self, key: str, refused: str = "") -> Iterator[Fate]:
        """One for each entry seen. `refused`: why the whole candidate was."""
        for origin in self.seen:
            left = self._left.get(origin, "")
            if refused and origin not in self._aside:
                yield Fate(path=origin, fate="refused", submission=key, why=refused)
            elif left:
                yield Fate(path=origin, fate="left out", submission=key, why=left)
            else:
                yield Fate(path=origin, fate="graded", submission=key, why=self.words.get(origin, ""))


def accounted(listed: Iterable[Entry], fates: Iterable[Fate]) -> tuple[Fate, ...]:
    """The fates in the order of their paths, with one for every listed entry that none of them speaks of."""
    known = {fate.path: fate for fate in fates}
    for entry in listed:
        if entry.origin not in known:
            why = LEFT_OUT[entry.left_out] if entry.left_out else NOBODYS
            word: FateWord = "graded" if entry.left_out == "opened" else "left out"
            known[entry.origin] = Fate(path=entry.origin, fate=word, why=why)
    return tuple(known[path] for path in sorted(known))
