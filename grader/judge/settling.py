"""What was not passed is settled in another worker than the one in which it was first looked at.

One worker serves all items of a submission, so an item may meet what earlier ones left behind. That must never cost:

- a look that found nothing wrong counts (docs/security.md says what a past could earn);
- an item that ended badly in a worker without a past has been judged fairly; a disagreement is repeated all the same;
- any other is asked again, in a virgin worker of its own where they are few, and that one's word counts;
- where they are many they share a second worker, the last one first. Its past then holds none of the items that the
  first one's held. Where all of them answer with the same bits in both, the past does not matter. As soon as one does
  not, each of them gets a virgin worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from grader.judge.calls import Key, digest_of
from grader.judge.reference_run import Recorded
from grader.judge.replay import Attempt, Bodies, Body, Explained, Look, Replay, Seen, disagreed, outcome_of
from grader.judge.sides import Desk
from grader.judge.verdicts import Verdict
from grader.model import CheckResult
from grader.suite.agreement import Disagreement

FEW = 3  # a virgin worker costs as much as several probes; a submission that fails at everything may share one

Explain = Callable[[Attempt, Recorded, Body, Disagreement], Explained]
Finish = Callable[[CheckResult, float], CheckResult]


class Renewable(Protocol):
    """The worker that is asked: whether it has a past, and a way to a virgin one."""

    def is_virgin(self) -> bool: ...
    def renew(self) -> None: ...
    def begin(self) -> None: ...


@dataclass(frozen=True)
class Doubt:
    """An item that was not passed at first look, and whether that look was a fair one."""

    recorded: Recorded
    look: Look
    fair: bool

    @property
    def settled(self) -> bool:
        """Whether the look counts as it is: a test's own error does, and a fair look that left no numbers to explain.

        That the machine's memory ran out says nothing about the next look.
        """
        result = self.look.result
        return self.look.shown is None or (self.fair and result is not None and result.status != "grader_error")

    def as_it_is(self) -> CheckResult:
        """The look's result, a disagreement without an explanation."""
        if self.look.result is not None:
            return self.look.result
        shown = self.look.shown
        assert shown is not None
        assert shown.disagreement is not None
        return disagreed(self.recorded, shown, Explained(shown.disagreement, shown.drawn or {}))


class Settling:
    """Settles the doubts of one submission. `finish` adds to a result what was heard and how many seconds it took."""

    def __init__(self, replay: Replay, desk: Desk, workers: Renewable, explain: Explain, finish: Finish) -> None:
        self._replay = replay
        self._desk = desk
        self._workers = workers
        self._explain = explain
        self._finish = finish
        self._apart = False  # whether each item gets a virgin worker: they are few, or a past has made a difference
        self._leans = False  # whether the present item is settled by two workers that have both a past

    def settle(self, doubts: Sequence[Doubt]) -> Iterator[CheckResult]:
        """The items' results. Never raises."""
        self._workers.renew()
        self._apart = self._apart or len(doubts) <= FEW
        leaning = []
        for doubt in reversed(doubts):
            result = self._settled(doubt)
            if self._leans:
                leaning.append((doubt, result))
            else:
                yield result
        for doubt, result in leaning:
            yield self._settled(doubt) if self._apart else result

    def _settled(self, doubt: Doubt) -> CheckResult:
        if self._apart:
            self._workers.renew()
        self._workers.begin()
        self._leans = False
        look = self._replay.staged(doubt.recorded, lambda bodies: self._look_again(doubt, bodies))
        assert look.result is not None
        return self._finish(look.result, look.seconds + doubt.look.seconds)

    def _look_again(self, doubt: Doubt, bodies: Bodies) -> Look:
        shown = doubt.look.shown
        assert shown is not None
        self._desk.binding = shown.binding
        self._leans = not doubt.fair and not self._workers.is_virgin()
        if doubt.look.result is None:
            return self._disagreement(doubt, shown, bodies)
        if self._ends_alike(doubt, doubt.look.result, shown, bodies):
            return doubt.look
        self._apart = True
        return self._anew(doubt.recorded, bodies)

    def _disagreement(self, doubt: Doubt, shown: Attempt, bodies: Bodies) -> Look:
        recorded, body = doubt.recorded, bodies[shown.reading]
        assert shown.disagreement is not None
        virgin = self._workers.is_virgin()
        again = self._repeat(shown, body)
        if fingerprint(self._desk.seen) != fingerprint(shown.seen):
            self._apart, self._leans = True, False
            if not virgin:
                self._workers.renew()
                again = self._repeat(shown, body)
        if isinstance(again, Disagreement):
            only = self._replay.only_where(recorded, shown, body)
            return Look(disagreed(recorded, shown, self._explain(shown, recorded, body, again), only), shown)
        if not doubt.fair:
            return self._anew(recorded, bodies)
        unsteady = Explained(shown.disagreement, shown.drawn or {}, unsteady=again is None)
        return Look(disagreed(recorded, shown, unsteady), shown)

    def _anew(self, recorded: Recorded, bodies: Bodies) -> Look:
        """The whole item in a virgin worker: that counts."""
        self._leans = False
        self._workers.renew()
        look = self._replay.decide(recorded, bodies)
        doubt = Doubt(recorded, look, fair=True)
        if doubt.settled:
            return look
        self._workers.renew()  # what the item's own cases left behind is to be told from a steady result
        return self._look_again(doubt, bodies)

    def _ends_alike(self, doubt: Doubt, result: CheckResult, shown: Attempt, bodies: Bodies) -> bool:
        """Whether what ended badly, or earned a part, does so again."""
        if shown.verdict is not None and shown.credit == 0:
            return self._repeat(shown, bodies[shown.reading]) == shown.verdict
        again = self._replay.decide(doubt.recorded, bodies).result
        return again is not None and (again.credit, again.message) == (result.credit, result.message)

    def _repeat(self, shown: Attempt, body: Body) -> Disagreement | Verdict | None:
        return outcome_of(self._desk, body, shown.route, shown.drawn or {})


def fingerprint(seen: Seen) -> list[tuple[Key, str]]:
    """What the submission answered, to the last bit."""
    return [(call.key, digest_of(values)) for call, values in seen]
