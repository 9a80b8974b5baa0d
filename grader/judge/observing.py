"""One case of each part once more under observation: what runs there, and whether it still earns what it earned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from grader.assignment.assignment import Assignment, Item, Part
from grader.errors import SandboxError
from grader.judge.drawing import weight
from grader.judge.reference_run import Recorded
from grader.judge.replay import Replay, sizes_of
from grader.judge.sides import Book, Desk
from grader.judge.tracing import missing_trace, needs_trace
from grader.judge.workers import Workers
from grader.model import Notes, Raised, Values, Violation
from grader.rules import check_trace

Waiting = list[tuple[Part, Sequence[Item]]]


class Observing:
    """Observes the parts of one submission that have rules on what runs.

    They are observed in a worker that has seen none of the cases, so that nothing is answered from memory; `load` has
    a file imported there before, since what its import runs is no part of what earns.
    """

    def __init__(
        self,
        assignment: Assignment,
        records: Mapping[str, Recorded],
        replay: Replay,
        desk: Desk,
        workers: Workers,
        load: Callable[[str], object],
        *,
        forks: bool,
    ) -> None:
        self._assignment = assignment
        self._records = records
        self._replay = replay
        self._desk = desk
        self._workers = workers
        self._load = load
        self._forks = forks
        self._waiting: Waiting = []

    def expect(self, part: Part, items: Sequence[Item]) -> None:
        """Observe a part when its items are settled."""
        if needs_trace(self._assignment, part.id):
            self._waiting.append((part, items))

    def set_aside(self, instead: Waiting | None = None) -> Waiting:
        """What is waiting, in whose place `instead` waits from now on."""
        before, self._waiting = self._waiting, instead or []
        return before

    def violations(self, earned: Mapping[str, str], book: Book) -> Iterator[Violation]:
        """What is found in the parts that wait. `earned`: the items that brought something, with the sizes that, where
        they are 1, brought nothing.
        """
        waiting = self.set_aside()
        if waiting and self._forks:
            self._workers.renew()
        for part, items in waiting:
            records = [_where_it_earned(self._records[item.id], earned[item.id]) for item in items if item.id in earned]
            if any(record.cases for record in records):
                yield from self._repeated(part, records)
            else:
                yield from self._glimpsed(part, items, book)

    def _repeated(self, part: Part, earned: Sequence[Recorded]) -> Sequence[Violation]:
        """What runs where something was earned: it must earn it again, traced.

        In the largest case: code that is right there is right in general, in the smallest one a step may do.
        """
        drawn = ((record, case) for record in earned for case in record.cases)
        record, case = max(drawn, key=lambda entry: weight(entry[1]))
        seen: list[Notes] = []
        ended = False
        for _ in range(2):  # what an earlier part left behind is not held against anybody
            self._loaded(part)
            self._desk.observed = seen = []
            look = self._replay.look_as_earned(replace(record, cases=[case]))
            self._desk.observed = None
            if look.result is not None and look.result.status == "grader_error":
                return ()
            ended = look.result is None or look.result.credit == 0
            if not ended:
                break
            self._workers.renew()
        found = dict.fromkeys(violation for notes in seen for violation in self._judged(part, notes))
        return tuple(found) or (missing_trace(self._assignment, part.id, ended=True) if ended else ())

    def _glimpsed(self, part: Part, items: Sequence[Item], book: Book) -> Sequence[Violation]:
        """What runs where nothing was earned; how that ends shows nothing."""
        keys = [key for item in items for key in self._records[item.id].keys]
        if not keys:
            return ()
        smallest = min(keys, key=lambda key: key.weight)
        self._loaded(part)
        try:
            observation = self._workers.run(book.calls[smallest].request(trace=True), self._assignment.limits)
        except SandboxError:
            return ()
        return self._judged(part, observation.notes) if isinstance(observation, (Values, Raised)) else ()

    def _loaded(self, part: Part) -> None:
        """Have the part's file imported; one that cannot be earns nothing."""
        if part.file is not None:
            with suppress(SandboxError):
                self._load(part.file)

    def _judged(self, part: Part, notes: Notes) -> Sequence[Violation]:
        if notes.operations is None or notes.module_types is None:
            return missing_trace(self._assignment, part.id)
        return check_trace(self._assignment, part.id, notes.module_types, notes.operations)


def _where_it_earned(recorded: Recorded, only: str) -> Recorded:
    """The item with the cases in which none of the named sizes is 1."""
    names = only.split(" or ") if only else []
    right = [case for case in recorded.cases if not any(sizes_of(case).get(name) == 1 for name in names)]
    return replace(recorded, cases=right)
