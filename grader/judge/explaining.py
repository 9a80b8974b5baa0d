"""After a disagreement: which known mistake is it, and what is the smallest case that shows it?"""

from __future__ import annotations

import contextlib
import inspect
import time
from collections.abc import Callable, Sequence

from grader.judge.bindings import Binding
from grader.judge.drawing import draw, is_drawn, item_seed, weight, with_seeds
from grader.judge.plugin import JudgePlugin
from grader.judge.reference_run import Recorded
from grader.judge.replay import Attempt, Body, Explained, outcome_of, player
from grader.judge.sides import Desk
from grader.judge.variants import Variants
from grader.judge.verdicts import Verdict
from grader.recording.contents import StoredMistake
from grader.suite.agreement import Disagreement

SHRINK_PROBES = 40
# A safety net for code that is slow: what is shown depends on the probes alone, also on a machine that is busy.
SHRINK_SECONDS = 8.0


class _Enough(BaseException):
    """The budget for shrinking is used up."""


class Explainer:
    """Explains disagreements of one submission.

    Without a `seed` no new cases are drawn, since no reference can answer them: the smallest recorded one that shows
    the disagreement is taken.
    """

    def __init__(
        self,
        plugin: JudgePlugin,
        desk: Desk,
        variants: Variants,
        seed: str | None,
        show: Callable[[], None] | None = None,
    ) -> None:
        """With `show`, which is called before, the case that is reported is run last and leaves its calls."""
        self._plugin = plugin
        self._desk = desk
        self._variants = variants
        self._seed = seed
        self._show = show

    def __call__(self, attempt: Attempt, recorded: Recorded, body: Body, found: Disagreement) -> Explained:
        """Explain `attempt`, whose case has just been repeated and gave `found`, with its own binding."""
        drawn = attempt.drawn or {}
        if self._plugin.reads_files(recorded.item.id):
            self._variants.hand_in(recorded.item.id, player(body, recorded))
        # A slow disagreement may have used the item's time up; explaining it gets some of its own.
        self._desk.give(max(self._desk.left, SHRINK_SECONDS))
        hint, charged_with = self._hint(attempt.route, recorded, body, drawn)
        smaller = self._choose if self._seed is None else self._shrink
        smallest, at = smaller(attempt.route, recorded, body, drawn, found)
        if self._show is not None:
            self._show()
            last = self._desk.last
            outcome_of(self._desk, body, attempt.route, at)
            self._desk.last = last
        return Explained(smallest, at, hint, charged_with)

    def _hint(self, route: str, recorded: Recorded, body: Body, drawn: dict[str, object]) -> tuple[str, str]:
        """The hint of the one known mistake that fits, and the item that charges it; further cases decide."""
        matches = self._variants.matching(recorded.item.id, self._desk.seen)
        if not matches and self._desk.binding.number > 0:
            return self._hint_as_declared(route, recorded, body, drawn)
        for other in recorded.cases:
            if len({kept.hint for kept in matches}) <= 1:
                break
            if other is drawn:
                continue
            if isinstance(self._whole(body, route, other), Disagreement):
                matches = self._variants.matching(recorded.item.id, self._desk.seen, matches) or matches
        if (followed := self._followed(route, recorded, body, matches)) is not None:
            return followed.hint, followed.fails[0]
        return matches[0].hint if matches else "", ""

    def _followed(
        self, route: str, recorded: Recorded, body: Body, matches: Sequence[StoredMistake]
    ) -> StoredMistake | None:
        """The mistake that another item charges, where this one only follows: all cases must be answered as it does."""
        left = [mistake for mistake in matches if recorded.item.id in mistake.follows]
        for drawn in recorded.cases:
            if not left or isinstance(self._whole(body, route, drawn), Verdict):
                return None
            left = self._variants.answering(recorded.item.id, self._desk.seen, left)
        return left[0] if left else None

    def _whole(self, body: Body, route: str, drawn: dict[str, object]) -> Disagreement | Verdict | None:
        """Run one case with the item's whole time: what is charged must not hang on how fast the machine is today."""
        self._desk.give(self._desk.limits.wall_seconds)
        return outcome_of(self._desk, body, route, drawn)

    def _hint_as_declared(
        self, route: str, recorded: Recorded, body: Body, drawn: dict[str, object]
    ) -> tuple[str, str]:
        """The hint for the declared binding: known mistakes are the reference's, whose own binding that is."""
        shown, self._desk.binding = self._desk.binding, Binding()
        try:
            outcome_of(self._desk, body, route, drawn)
            return self._hint(route, recorded, body, drawn)
        finally:
            self._desk.binding = shown

    def _choose(
        self, route: str, recorded: Recorded, body: Body, drawn: dict[str, object], found: Disagreement
    ) -> tuple[Disagreement, dict[str, object]]:
        """The smallest recorded case that shows it; those before `drawn` have agreed."""
        later = recorded.cases[recorded.cases.index(drawn) + 1 :] if drawn in recorded.cases else []
        until = time.monotonic() + SHRINK_SECONDS
        for case in sorted(later, key=weight):
            if weight(case) >= weight(drawn) or time.monotonic() > until:
                break
            outcome = outcome_of(self._desk, body, route, case)
            if isinstance(outcome, Disagreement):
                return outcome, case
        return found, drawn

    def _shrink(
        self, route: str, recorded: Recorded, body: Body, drawn: dict[str, object], found: Disagreement
    ) -> tuple[Disagreement, dict[str, object]]:
        assert self._seed is not None
        function = self._plugin.tests[recorded.item.id].obj
        if not is_drawn(function) or drawn == recorded.cases[0]:
            return found, drawn
        known: dict[str, Disagreement | None] = {repr(case): None for case in recorded.cases}
        known[repr(drawn)] = found
        left = [SHRINK_PROBES]

        def seen(case: dict[str, object]) -> Disagreement | None:
            if (key := repr(case)) not in known:
                left[0] -= 1
                outcome = outcome_of(self._desk, body, route, case)
                known[key] = outcome if isinstance(outcome, Disagreement) else None
            return known[key]

        # Which numbers stand in the tensors makes no case smaller: a shrinker that minds them runs twice as many.
        # The first case has the simplest seed that can be drawn.
        plain = with_seeds(drawn, recorded.cases[0])
        like, found = (plain, same) if (same := seen(plain)) is not None else (drawn, found)
        best = [(weight(like), found, like)]
        started: list[float] = []  # with the first case: importing what draws them takes its time

        def attempt(**arguments: object) -> None:
            case = {name: value for name, value in arguments.items() if name not in fixtures}
            if repr(case) not in known and repr(case := with_seeds(case, like)) not in known:
                started.append(time.monotonic())
                if left[0] <= 0 or started[-1] > started[0] + SHRINK_SECONDS:
                    raise _Enough
            if (disagreement := seen(case)) is not None:
                best.append((weight(case), disagreement, case))
                raise disagreement

        fixtures = dict.fromkeys(_arguments(function) & {"student", "reference", "submission", "route", "reading"})
        with contextlib.suppress(Disagreement, _Enough):
            draw(function, attempt, fixtures, item_seed(self._seed, recorded.item.id), shrink=True)
        _, smallest, at = min(best, key=lambda entry: entry[0])
        return smallest, at


def _arguments(function: Callable[..., object]) -> set[str]:
    return set(inspect.signature(function).parameters)
