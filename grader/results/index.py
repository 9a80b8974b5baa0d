"""A journal too large to be in memory: who is in it, and where the lines stand that concern them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grader.model import CheckResult, Graded, Took
from grader.results.journal import NAME, Contents, Stored, apply, check_first, graded_of, read, read_lines
from grader.results.lines import beginning, read_result


@dataclass(slots=True)
class Entry:
    """A submission as an index knows it: without its results, and where the lines stand that concern it."""

    digest: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    finished: bool = False
    places: list[tuple[int, int]] = field(default_factory=list)

    @property
    def attempt(self) -> int:
        """Which attempt of its author this is, from 1."""
        number: int = self.facts.get("attempt", 1)
        return number

    def take(self, record: Mapping[str, Any], place: tuple[int, int], words: dict[str, str]) -> None:
        """A line of it that stands in this place."""
        kind = record["kind"]
        if kind == "submission":
            self.finished = self.finished and self.digest == record["digest"]
            self.digest, self.facts = record["digest"], _in_little(record["facts"], words)
        elif kind in ("started", "finished"):
            self.finished = kind == "finished"
        if self.places and self.places[-1][1] == place[0]:
            place = (self.places.pop()[0], place[1])
        self.places.append(place)


def _in_little(facts: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    """Facts in little memory: names of files, and their ids, are the same for a whole class."""

    def once(named: Mapping[str, str]) -> dict[str, str]:
        return {words.setdefault(name, name): words.setdefault(text, text) for name, text in named.items()}

    return {**facts, **{name: once(facts[name]) for name in ("files", "prints") if name in facts}}


class Index:
    """A journal of which only the class is in memory: the results of a submission are read when they are asked for."""

    def __init__(self, folder: Path) -> None:
        """Raises UsageError like `read`."""
        self._path = folder / NAME
        self.head = Contents(words=None)  # what concerns no submission
        self.submissions: dict[str, Entry] = {}
        if self._path.exists() and not self._ends_well():
            self.head, self.submissions = Contents(words=None), {}
            self._fill(json.loads)

    def lines(self, key: str) -> bytes:
        """The lines that concern a submission, as they are."""
        file = os.open(self._path, os.O_RDONLY)
        try:
            return b"".join(os.pread(file, end - begin, begin) for begin, end in self.submissions[key].places)
        finally:
            os.close(file)

    def stored(self, key: str, words: dict[str, str] | None = None) -> Stored:
        """All that the journal says of a submission, with `words` in little memory, for who keeps it.

        Raises UsageError where a line is damaged.
        """
        contents = Contents(words=words)
        self._read(key, lambda line: apply(json.loads(line), contents))
        return contents.submissions[key]

    def graded(self, key: str, words: dict[str, str] | None = None) -> Graded:
        """What scoring needs of a submission; without `words` results are shared. Raises UsageError like `stored`."""
        if words is not None:
            return graded_of(key, self.stored(key, words), self.head)
        contents, begun = Contents(words=None), beginning(key)
        shared: dict[str, tuple[CheckResult, Took]] = {}

        def take(line: bytes) -> None:
            if (found := read_result(line, begun)) is None:
                apply(json.loads(line), contents)
            else:
                item = found[0].item
                contents.submissions.setdefault(key, Stored()).results[item], shared[item] = found[0], found

        self._read(key, take)
        stored = contents.submissions[key]
        took = {item: took for item, (result, took) in shared.items() if stored.results.get(item) is result}
        return graded_of(key, stored, self.head, took)

    def _read(self, key: str, take: Callable[[bytes], None]) -> None:
        try:
            for line in self.lines(key).split(b"\n")[:-1]:
                take(line)
        except ValueError:
            read(self._path.parent)  # which says what line it is
            raise

    def outlined(self) -> list[Graded]:
        """The submissions by key, without what was judged."""
        return [
            graded_of(key, Stored(digest=entry.digest, facts=entry.facts, finished=entry.finished), self.head)
            for key, entry in sorted(self.submissions.items())
        ]

    def _ends_well(self) -> bool:
        """Take all lines in, most of them unread; whether the last one is whole, of which alone that is in doubt."""
        begin, end = self._fill(_unread())
        with self._path.open("rb") as file:
            file.seek(begin)
            try:
                return end == 0 or bool(json.loads(file.read(end - begin)))
            except ValueError:
                return False

    def _fill(self, parsed: Callable[[bytes], Any]) -> tuple[int, int]:
        """Take all lines in; where the last one begins and ends."""
        begin = last = 0
        words: dict[str, str] = {}
        before, entry = None, Entry()
        for record, end in read_lines(self._path, parsed):
            if begin == 0:
                check_first(record, self._path)
            if record is before:
                entry.places[-1] = (entry.places[-1][0], end)
            elif "key" in record:
                entry = self.submissions.get(record["key"]) or self.submissions.setdefault(record["key"], Entry())
                entry.take(record, (begin, end), words)
            else:
                apply(record, self.head)
            last, begin, before = begin, end, record
        return last, begin


# A line as we write it, of those kinds of which an index needs no more.
_BEGINNING = re.compile(rb'\{"kind":"(result|violation|finished)","key":"([^"\\]*)",')


def _unread() -> Callable[[bytes], Any]:
    """What takes of a line no more than an index needs; lines that say the same one after the other give one record."""
    beginning, record = b"\n", dict[str, str]()

    def begun(line: bytes) -> Any:
        nonlocal beginning, record
        if not line.endswith(b"}\n"):
            return json.loads(line)
        if line.startswith(beginning):
            return record
        if (found := _BEGINNING.match(line)) is None:
            return json.loads(line)
        beginning, record = found[0], {"kind": found[1].decode(), "key": found[2].decode()}
        return record

    return begun
