"""Known mistakes as hypotheses: when a submission's numbers equal those of a known-wrong variant, say which it is."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from grader.assignment.assignment import Assignment
from grader.judge.calls import Call
from grader.judge.handed import HandedIn, reference_handed
from grader.judge.sides import Book, ReferenceSide, Side
from grader.proof.kept import Kept, edited_sources
from grader.recording.contents import StoredMistake
from grader.recording.mistakes import KnownValues
from grader.suite.agreement import differences
from grader.worker.loading import FileSpec, Modules, Probe

Seen = Sequence[tuple[Call, Mapping[str, object]]]
Play = Callable[[Side, HandedIn], None]  # an item's test on all its cases, of this submission


def mistakes_of(kept: Iterable[Kept], assignment: Assignment) -> tuple[StoredMistake, ...]:
    """The wrong submissions that are edits of the reference and have a hint to give for one of the items."""
    items = {item.id for item in assignment.items}
    return tuple(
        StoredMistake(
            name=entry.name,
            fails=tuple(name for name in (*entry.charged, *entry.follows) if name in items),
            # Nothing follows from an item that is not here.
            follows=tuple(name for name in entry.follows if name in items and items & set(entry.charged)),
            hint=entry.hint,
            digest=hashlib.sha256(repr(entry.edits).encode()).hexdigest()[:24],
        )
        for entry in kept
        if entry.kind == "wrong" and entry.edits and entry.hint and items & {*entry.charged, *entry.follows}
    )


class MistakenSides:
    """The reference with the edits of known mistakes, loaded when they are first needed."""

    def __init__(
        self, assignment: Assignment, kept: Iterable[Kept], specs: Sequence[FileSpec], probes: Mapping[str, Probe]
    ) -> None:
        self._assignment = assignment
        self._kept = {entry.name: entry for entry in kept if entry.kind == "wrong"}
        self._specs = specs
        self._probes = probes
        self._sides: dict[str, ReferenceSide] = {}

    def __getitem__(self, name: str) -> ReferenceSide:
        if name not in self._sides:
            sources = self._sources(name)
            modules = Modules(self._assignment.reference, self._specs, self._assignment.globals, sources=sources)
            self._sides[name] = ReferenceSide(modules, Book(), self._probes)
        return self._sides[name]

    def files(self, name: str) -> HandedIn:
        """The files of one who hands that mistake in."""
        return reference_handed(self._assignment, self._sources(name))

    def _sources(self, name: str) -> Mapping[str, str]:
        return edited_sources(self._kept[name], self._assignment.reference)


@dataclass
class Variants:
    """The known mistakes of a suite. Without `sides`, only values that are known already explain anything."""

    mistakes: Sequence[StoredMistake]
    sides: MistakenSides | None
    known: KnownValues = field(default_factory=lambda: KnownValues(None))

    def hand_in(self, item: str, play: Play) -> None:
        """Learn what the known mistakes of an item answer whose test reads files: each is judged on its own.

        Such a test asks with parts of the submission's text, and a mistaken version has nothing like them in it.
        """
        for mistake in self.mistakes if self.sides is not None else ():
            if item not in mistake.fails or _key(mistake, item) in self.known:
                continue
            assert self.sides is not None
            side = self.sides[mistake.name]
            side.asked.clear()
            play(side, self.sides.files(mistake.name))
            # Under the same name twice: asked in two ways about one case. Then neither says anything of others.
            calls = [(_key(mistake, item, call.key.probe, call.key.case), call) for call in side.asked.values()]
            names = [name for name, _ in calls]
            for name, call in calls:
                self.known.add(name, call.expected if names.count(name) == 1 else None)
            self.known.add(_key(mistake, item), {})

    def matching(self, item: str, seen: Seen, among: Sequence[StoredMistake] | None = None) -> list[StoredMistake]:
        """The variants of this item that produce exactly what was seen, and do not merely agree with the reference."""
        candidates = [mistake for mistake in self.mistakes if item in mistake.fails] if among is None else among
        return [mistake for mistake in candidates if self._explains(mistake, item, seen)]

    def answering(self, item: str, seen: Seen, among: Sequence[StoredMistake]) -> list[StoredMistake]:
        """Those of the variants that answer exactly what was seen, whether that is wrong or right."""
        return [
            mistake
            for mistake in among
            if all(self._equal(mistake, item, call, actual) is not None for call, actual in seen)
        ]

    def _explains(self, mistake: StoredMistake, item: str, seen: Seen) -> bool:
        differs = False
        for call, actual in seen:
            if (values := self._equal(mistake, item, call, actual)) is None:
                return False
            differs = differs or call.expected is None or bool(differences(values, call.expected))
        return differs

    def _equal(
        self, mistake: StoredMistake, item: str, call: Call, actual: Mapping[str, object]
    ) -> Mapping[str, object] | None:
        """The mistaken version's values, if what was seen are these."""
        values = self.values(mistake, item, call)
        return None if values is None or differences(actual, values) else values

    def values(self, mistake: StoredMistake, item: str, call: Call) -> Mapping[str, object] | None:
        """What the mistaken version answers; None where it raises, which explains nothing, or where nobody knows."""
        name = _key(mistake, call.key) if call.kept else _key(mistake, item, call.key.probe, call.key.case)
        if name in self.known:
            return self.known.get(name)
        if self.sides is None:
            return None
        try:
            values = self.sides[mistake.name].compute(call)
        except Exception:
            values = None
        if call.kept:  # what one submission alone has led to is not worth keeping
            self.known.add(name, values)
        return values


def _key(mistake: StoredMistake, *what: object) -> str:
    text = " ".join([mistake.digest, *map(repr, what)])
    return hashlib.sha256(text.encode()).hexdigest()[:32]
