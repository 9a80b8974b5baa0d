"""One item on one submission: replay the recorded cases over routes and bindings."""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace

import pytest

from grader.judge.bindings import Binding, Bindings
from grader.judge.calls import Call
from grader.judge.drawing import inner_of
from grader.judge.plugin import OUTCOMES, Handed, JudgePlugin, Stage
from grader.judge.reference_run import Recorded, chosen
from grader.judge.sides import Answers, Desk, Ended, NoReference, ReferenceSide, Side, StudentSide, other_form
from grader.judge.verdicts import Verdict, of_disagreement, of_observation
from grader.model import DOUBT_REASON, CheckResult, Observation, Raised, Values, unjudged
from grader.suite.agreement import Disagreement, PartialCredit, closeness
from grader.suite.cases import Case
from grader.text import clean
from grader.wire.frames import encode

Seen = Sequence[tuple[Call, Mapping[str, object]]]
ALMOST = 0.8  # of an item's points, where it fails only with a size of 1
ENOUGH = 2  # cases without a size of 1 that agree show that it is right there
LEFT_SECONDS = 1.0  # of an item's time, below which an agreement or a failure may be one of the clock


@dataclass(frozen=True)
class Body:
    """A test under one reading: what it asserts of one case, earned in one way."""

    inner: Callable[..., object]
    fixtures: Mapping[str, object]
    reading: Mapping[str, object]

    def __call__(self, route: str, drawn: Mapping[str, object]) -> None:
        self.inner(**{**self.fixtures, **drawn, **chosen(self.fixtures, route, self.reading)})

    def of(self, student: Side, submission: Handed) -> Body:
        """The same of another submission: what answers, and the files."""
        own: dict[str, object] = {"student": student, "submission": submission}
        return replace(self, fixtures={name: own.get(name, value) for name, value in self.fixtures.items()})


Bodies = Mapping[str, Body]  # by the name of the reading


@dataclass
class Attempt:
    """How one route went with one binding: under the reading that went best.

    `agreed` counts the cases before the one that disagreed, `seen` is what was answered there.
    """

    route: str
    reading: str = ""
    credit: float = 0.0
    verdict: Verdict | None = None
    disagreement: Disagreement | None = None
    drawn: dict[str, object] | None = None
    binding: Binding = field(default_factory=Binding)
    partial: str = ""
    figures: Mapping[str, object] = field(default_factory=dict)
    doubtful: bool = False
    agreed: int = 0
    seen: Seen = ()

    @property
    def closeness(self) -> tuple[float, ...]:
        """How near it came to passing, for comparison with other attempts."""
        return (self.credit, self.agreed, *closeness(self.disagreement))


@dataclass(frozen=True)
class Explained:
    """What was found out about a disagreement."""

    disagreement: Disagreement
    drawn: dict[str, object]
    hint: str = ""
    charged_with: str = ""
    unsteady: bool = False


@dataclass(frozen=True)
class Look:
    """What one replay of an item found: its result, or a disagreement that is yet to be explained; in how long.

    `shown` is the attempt to show: None for what was passed, and where the grader is to blame.
    """

    result: CheckResult | None
    shown: Attempt | None = None
    seconds: float = 0.0


Perform = Callable[[Bodies], Look]


class Replay:
    """Runs recorded items against one submission."""

    def __init__(
        self,
        plugin: JudgePlugin,
        reference: ReferenceSide,
        student: StudentSide,
        desk: Desk,
        handed: Handed,
    ) -> None:
        self._plugin = plugin
        self._reference = reference
        self._student = student
        self._desk = desk
        self._handed = handed
        self._earned: dict[str, Attempt] = {}

    def look(self, recorded: Recorded) -> Look:
        """Replay the item once. Never raises: what goes wrong on the grader's side is a grader error."""
        return self.staged(recorded, lambda bodies: self.decide(recorded, bodies))

    def look_as_earned(self, recorded: Recorded) -> Look:
        """As `look`, first in the way in which the item earned everything before: finding that may take many runs."""
        return self.staged(recorded, lambda bodies: self._as_earned(recorded, bodies) or self.decide(recorded, bodies))

    def _as_earned(self, recorded: Recorded, bodies: Bodies) -> Look | None:
        before = self._earned.get(recorded.item.id)
        if before is None:
            return None
        self._desk.binding = before.binding
        again = self._try_binding(before.route, recorded, bodies)
        return Look(_passed(recorded, again, [again])) if again.credit == 1.0 else None

    def staged(self, recorded: Recorded, perform: Perform) -> Look:
        """What `perform` makes of the item's test. Never raises."""
        started = time.perf_counter()
        self._desk.begin(self._plugin.assignment.limits_of(recorded.item))
        looks: list[Look] = []

        def play(test: pytest.Function, fixtures: dict[str, object]) -> None:
            try:
                looks.append(perform(bodies_of(test, fixtures, recorded)))
            except NoReference as lacking:
                looks.append(Look(unjudged(recorded.item.id, str(lacking))))

        try:
            with self._plugin.staged(Stage(self._student, self._reference, self._handed, play)):
                trouble = self._plugin.run(recorded.item.id, log=False)
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"
        seconds = time.perf_counter() - started
        if not looks:
            return Look(unjudged(recorded.item.id, clean(trouble, 6000)), seconds=seconds)
        return replace(looks[0], seconds=seconds)

    def decide(self, recorded: Recorded, bodies: Bodies) -> Look:
        """Try the routes, and the bindings of each, until one earns everything."""
        attempts: list[Attempt] = []
        for route in recorded.routes:
            attempt = self._try_route(route, recorded, bodies)
            attempts.append(attempt)
            if attempt.credit == 1.0:
                self._earned[recorded.item.id] = attempt
                return Look(_passed(recorded, attempt, attempts))
        best = max(attempts, key=lambda attempt: attempt.credit)
        if best.credit > 0:
            return Look(_partly(recorded, best), best)
        shown = next((a for a in attempts if a.verdict is None or a.verdict.status != "not_attempted"), attempts[0])
        if shown.verdict is None:
            return Look(None, shown)
        only = self.only_where(recorded, shown, bodies[shown.reading])
        return Look(_ended(recorded, shown, shown.verdict, only), shown)

    def only_where(self, recorded: Recorded, shown: Attempt, body: Body) -> str:
        """The names of the sizes if the item fails just where one of them is 1, as after a `squeeze`; else "".

        The declared binding is looked at too: the one that comes closest on a single case may be wrong on all others.
        """
        desk = self._desk
        ended = desk.last is not None and not isinstance(desk.last[1], (Values, Raised))
        if ended or not any(1 in sizes_of(drawn).values() for drawn in recorded.cases):
            return ""
        kept, seen, before = (desk.last, desk.prints, desk.print_text, desk.item_text), list(desk.seen), desk.binding
        found = self._sizes_that_fail(recorded, shown.route, body, shown.binding)
        if not found and shown.binding.number > 0:
            found = self._sizes_that_fail(recorded, shown.route, body, Binding())
        desk.last, desk.prints, desk.print_text, desk.item_text = kept
        desk.seen[:], desk.binding = seen, before
        return " or ".join(found)

    def _sizes_that_fail(self, recorded: Recorded, route: str, body: Body, binding: Binding) -> list[str]:
        self._desk.binding = binding
        fails: list[Mapping[str, int]] = []
        agrees: list[Mapping[str, int]] = []
        for drawn in recorded.cases:
            agreed = outcome_of(self._desk, body, route, drawn) is None
            (agrees if agreed else fails).append(sizes_of(drawn))
        if not fails or len(agrees) < ENOUGH or self._desk.left < LEFT_SECONDS:
            return []
        return _degenerate(fails, agrees)

    def _try_route(self, route: str, recorded: Recorded, bodies: Bodies) -> Attempt:
        """The binding that passes, else the one that comes closest, the declared one first."""
        bindings, best = Bindings(), None
        binding = bindings.next()
        while binding is not None:
            self._desk.binding = binding
            attempt = self._try_binding(route, recorded, bodies)
            if attempt.credit == 1.0:
                return attempt
            if best is None or attempt.closeness > best.closeness:
                best = attempt
            binding = bindings.next(binding)
        assert best is not None
        return best

    def _try_binding(self, route: str, recorded: Recorded, bodies: Bodies) -> Attempt:
        """The first reading that agrees on every case, else the last that disagrees, or comes closest."""
        kept = [Answers() for _ in recorded.cases] if len(recorded.readings) > 1 else []
        if kept and (attempt := self._as_declared(route, recorded, bodies, kept)).credit == 1.0:
            return attempt
        attempts = {name: Attempt(route, name, credit=1.0, binding=self._desk.binding) for name in recorded.readings}
        for number, drawn in enumerate(recorded.cases):
            with self._answering(kept[number] if kept else None, several=len(attempts) > 1):
                for name, attempt in attempts.items():
                    self._try_case(attempt, drawn, bodies[name])
            if not (left := {name: one for name, one in attempts.items() if one.credit > 0}):
                return max(attempts.values(), key=lambda attempt: attempt.closeness)
            attempts = left
        return max(attempts.values(), key=lambda attempt: attempt.credit)

    def _as_declared(self, route: str, recorded: Recorded, bodies: Bodies, kept: Sequence[Answers]) -> Attempt:
        """The first reading, which nearly everybody follows: where it earns everything no other need be compared."""
        name = next(iter(recorded.readings))
        attempt = Attempt(route, name, credit=1.0, binding=self._desk.binding)
        for drawn, answers in zip(recorded.cases, kept, strict=True):
            with self._answering(answers, several=False):
                self._try_case(attempt, drawn, bodies[name])
            if attempt.credit < 1.0:
                break
        return attempt

    @contextmanager
    def _answering(self, answers: Answers | None, *, several: bool) -> Iterator[None]:
        """Ask the submission once for what is kept in `answers`. `several`: more readings than one are tried on it."""
        self._desk.answers, self._desk.several = answers, several
        try:
            yield
        finally:
            self._desk.answers, self._desk.several = None, False

    def _try_case(self, attempt: Attempt, drawn: dict[str, object], body: Body) -> None:
        if self._desk.answers is not None:
            self._desk.answers.rewind()
        self._desk.seen.clear()
        attempt.drawn = drawn
        try:
            body(attempt.route, drawn)
        except PartialCredit as partial:
            attempt.credit, attempt.partial = min(attempt.credit, partial.credit), partial.message
            attempt.doubtful = attempt.doubtful or partial.doubtful
            attempt.figures = partial.figures
        except Disagreement as disagreement:
            attempt.credit, attempt.disagreement, attempt.seen = 0.0, disagreement, tuple(self._desk.seen)
            return
        except Ended as ended:
            attempt.credit, attempt.verdict = 0.0, of_observation(ended.observation)
            return
        except Exception:
            # A test may stumble over a result of an unexpected shape; that is the student's fault, not the test's.
            if (mismatch := other_form(self._desk.seen)) is None:
                raise
            attempt.credit, attempt.disagreement = 0.0, Disagreement([mismatch])
            attempt.seen = tuple(self._desk.seen)
            return
        attempt.agreed += 1


def bodies_of(test: pytest.Function, fixtures: Mapping[str, object], recorded: Recorded) -> Bodies:
    """The test under each of its readings."""
    inner = inner_of(test.obj)
    return {name: Body(inner, fixtures, reading) for name, reading in recorded.readings.items()}


def player(body: Body, recorded: Recorded) -> Callable[[Side, Handed], None]:
    """Runs the test on all its cases in all its ways of another submission, for what is asked and answered there."""

    def play(student: Side, submission: Handed) -> None:
        own = body.of(student, submission)
        for route in recorded.routes:
            for drawn in recorded.cases:
                with suppress(*OUTCOMES, Ended, NoReference):
                    own(route, drawn)

    return play


def outcome_of(desk: Desk, body: Body, route: str, drawn: dict[str, object]) -> Disagreement | Verdict | None:
    """Run one case again: None when it agrees (a partly earned one included)."""
    desk.seen.clear()
    try:
        body(route, drawn)
    except (PartialCredit, NoReference):
        return None
    except Disagreement as disagreement:
        return disagreement
    except Ended as ended:
        return of_observation(ended.observation)
    except Exception:
        mismatch = other_form(desk.seen)
        return None if mismatch is None else Disagreement([mismatch])
    return None


def _passed(recorded: Recorded, attempt: Attempt, attempts: list[Attempt]) -> CheckResult:
    notes = [attempt.partial] if attempt.partial else []
    other = attempt.reading if attempt.reading != next(iter(recorded.readings)) else ""
    if attempt.binding.number > 0 or other:
        notes.append(f"Right under this reading: {_reading(attempt.binding.name, other)}.")
    before = f"Earned on the route “{attempt.route}”, after “{attempts[0].route}” failed." if len(attempts) > 1 else ""
    return CheckResult(
        item=recorded.item.id,
        status="passed",
        credit=1.0,
        reason=DOUBT_REASON if attempt.doubtful else "",
        route=attempt.route,
        binding=_reading(attempt.binding.name, other),
        ambiguous=attempt.binding.undeclared,
        candidate=attempt.binding.number * len(recorded.readings) + list(recorded.readings).index(attempt.reading),
        notes=tuple(notes),
        figures=attempt.figures,
        staff=before,
    )


def _reading(binding: str, reading: str) -> str:
    return "; ".join(filter(None, (binding, reading)))


def _partly(recorded: Recorded, attempt: Attempt) -> CheckResult:
    return CheckResult(
        item=recorded.item.id,
        status="failed",
        credit=attempt.credit,
        reason="partly right",
        message=clean(attempt.partial, 4000),
        route=attempt.route,
        binding=_reading(attempt.binding.name, attempt.reading),
        figures=attempt.figures,
        case=_case_text(attempt.drawn),
    )


def _ended(recorded: Recorded, attempt: Attempt, verdict: Verdict, only: str) -> CheckResult:
    return CheckResult(
        item=recorded.item.id,
        status=verdict.status,
        credit=ALMOST if only else 0.0,
        reason=verdict.reason,
        only=only,
        message=clean(_said(only) + verdict.message, 4000),
        case=_case_text(attempt.drawn),
        route=attempt.route,
    )


def disagreed(recorded: Recorded, attempt: Attempt, explained: Explained, only: str = "") -> CheckResult:
    """The result of an item that came out different from the reference; `only` says where."""
    verdict = of_disagreement(explained.disagreement)
    message, reason = _said(only) + verdict.message, verdict.reason
    if explained.unsteady:
        reason = "random, or keeps state between calls"
        message = (
            "The first run differed and a repetition in a new process agreed: the result is random, or it keeps state "
            "between calls.\n" + message
        )
    return CheckResult(
        item=recorded.item.id,
        status="failed",
        credit=ALMOST if only else 0.0,
        reason=reason,
        only=only,
        charged_with=explained.charged_with,
        message=clean(message, 4000),
        hint=clean(explained.hint, 600),
        case=_case_text(explained.drawn),
        route=attempt.route,
        figures={m.name or "property": dict(m.figures) for m in explained.disagreement.mismatches[:8] if m.figures},
    )


def _said(only: str) -> str:
    return f"Only where {only} is 1: with other sizes it agrees.\n" if only else ""


def _degenerate(fails: Sequence[Mapping[str, int]], agrees: Sequence[Mapping[str, int]]) -> list[str]:
    """The sizes of which one is 1 in every case that fails, and none in any that agrees; one alone where it will do."""
    found = dict.fromkeys(name for case in fails for name, size in case.items() if size == 1)
    ones = [name for name in found if not any(case.get(name) == 1 for case in agrees)]
    alone = [name for name in ones if all(case.get(name) == 1 for case in fails)]
    if alone:
        return alone[:1]
    return ones if all(any(case.get(name) == 1 for name in ones) for case in fails) else []


def sizes_of(drawn: dict[str, object]) -> Mapping[str, int]:
    """The sizes of the drawn case, by name; what is no size among them does no harm."""
    cases = [value for value in drawn.values() if isinstance(value, Case)]
    numbers = [entry for case in cases for entry in dataclasses.asdict(case).items() if entry[0] != "seed"]
    return {name: value for name, value in numbers if type(value) is int}


def _case_text(drawn: dict[str, object] | None) -> str:
    if not drawn:
        return ""
    return clean(", ".join(repr(value) for value in drawn.values()), 600)


def with_facts(result: CheckResult, desk: Desk, seconds: float) -> CheckResult:
    """The result with what the desk heard while the item ran, and how long that took."""
    digest = observation_digest(desk.last[1]) if desk.last is not None else ""
    return replace(result, seconds=round(seconds, 6), notes=(*result.notes, *desk.notes), observation=digest)


def observation_digest(observation: Observation) -> str:
    """Of what came back, timings left out."""
    if not isinstance(observation, Values):
        return hashlib.sha256(repr((type(observation).__name__,)).encode()).hexdigest()[:24]
    encoded = encode(observation.values)
    digest = hashlib.sha256(repr((encoded.tree, encoded.tensors)).encode())
    for buffer in encoded.buffers:
        digest.update(buffer)
    return digest.hexdigest()[:24]
