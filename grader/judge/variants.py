"""Known mistakes as hypotheses: when a submission's numbers equal those of a known-wrong variant, say which it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from grader.assignment.assignment import Assignment
from grader.judge.calls import Call, Key
from grader.judge.sides import Book, ReferenceSide
from grader.proof.kept import Kept, edited_sources
from grader.suite.agreement import differences
from grader.worker.loading import FileSpec, Modules, Probe

Seen = Sequence[tuple[Call, Mapping[str, object]]]


@dataclass
class Variants:
    """The hinted wrong variants of a suite, loaded when they are first needed."""

    assignment: Assignment
    kept: Sequence[Kept]
    specs: Sequence[FileSpec]
    probes: Mapping[str, Probe]
    _sides: dict[str, ReferenceSide] = field(default_factory=dict)
    _known: dict[tuple[str, Key], Mapping[str, object] | None] = field(default_factory=dict)

    def matching(self, item: str, seen: Seen, among: Sequence[Kept] | None = None) -> list[Kept]:
        """The variants of this item that produce exactly what was seen, and do not merely agree with the reference."""
        candidates = [kept for kept in self.kept if item in kept.fails and kept.hint] if among is None else among
        return [kept for kept in candidates if self._explains(kept, seen)]

    def forget(self, book: Book) -> None:
        """Drop the values for calls that are not in the book."""
        self._known = {place: values for place, values in self._known.items() if place[1] in book.calls}

    def _explains(self, kept: Kept, seen: Seen) -> bool:
        differs = False
        for call, actual in seen:
            values = self._values(kept, call)
            if values is None or differences(actual, values):
                return False
            differs = differs or call.expected is None or bool(differences(values, call.expected))
        return differs

    def _values(self, kept: Kept, call: Call) -> Mapping[str, object] | None:
        place = (kept.name, call.key)
        if place not in self._known:
            # A variant may raise where the reference does not; then it explains nothing.
            try:
                self._known[place] = self._side(kept).compute(call)
            except Exception:
                self._known[place] = None
        return self._known[place]

    def _side(self, kept: Kept) -> ReferenceSide:
        if kept.name not in self._sides:
            sources = edited_sources(kept, self.assignment.reference)
            modules = Modules(self.assignment.reference, self.specs, self.assignment.globals, sources=sources)
            self._sides[kept.name] = ReferenceSide(modules, Book(), self.probes)
        return self._sides[kept.name]
