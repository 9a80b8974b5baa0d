"""One item on one submission: replay the recorded cases over routes and bindings, then explain a failure."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from grader.judge.drawing import inner_of
from grader.judge.plugin import Handed, JudgePlugin, Stage
from grader.judge.reference_run import Recorded
from grader.judge.sides import Desk, Ended, ReferenceSide, StudentSide, other_shape
from grader.judge.verdicts import Verdict, of_disagreement, of_observation
from grader.model import DOUBT_REASON, CheckResult, Observation, Values, unjudged
from grader.probing import MAX_CANDIDATES
from grader.suite.agreement import Disagreement, PartialCredit
from grader.text import clean
from grader.wire.frames import encode

Body = Callable[[str, dict[str, object]], None]


@dataclass
class Attempt:
    """How one route went: the best thing that any binding reached."""

    route: str
    credit: float = 0.0
    verdict: Verdict | None = None
    disagreement: Disagreement | None = None
    drawn: dict[str, object] | None = None
    binding: str = ""
    partial: str = ""
    doubtful: bool = False


@dataclass
class Explained:
    """What was found out about a disagreement."""

    disagreement: Disagreement
    drawn: dict[str, object]
    hint: str = ""
    unsteady: bool = False


Explain = Callable[[Attempt, Recorded, Body], Explained]


class Replay:
    """Runs recorded items against one submission."""

    def __init__(
        self,
        plugin: JudgePlugin,
        reference: ReferenceSide,
        student: StudentSide,
        desk: Desk,
        handed: Handed,
        explain: Explain,
    ) -> None:
        self._plugin = plugin
        self._reference = reference
        self._student = student
        self._desk = desk
        self._handed = handed
        self._explain = explain

    def judge(self, recorded: Recorded) -> CheckResult:
        """The item's result. Never raises: what goes wrong on the grader's side is a grader error."""
        started = time.perf_counter()
        limits = self._plugin.assignment.limits_of(recorded.item)
        self._desk.begin(limits)
        outcome: list[CheckResult] = []

        def perform(test: pytest.Function, fixtures: dict[str, object]) -> None:
            body = _body(inner_of(test.obj), fixtures)
            outcome.append(self._decide(recorded, body))

        try:
            with self._plugin.staged(Stage(self._student, self._reference, self._handed, perform)):
                trouble = self._plugin.run(recorded.item.id, log=False)
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"
        if not outcome:
            return unjudged(recorded.item.id, clean(trouble, 6000), time.perf_counter() - started)
        return _with_facts(outcome[0], self._desk, time.perf_counter() - started)

    def _decide(self, recorded: Recorded, body: Body) -> CheckResult:
        attempts: list[Attempt] = []
        for route in recorded.routes:
            attempt = self._try_route(route, recorded, body)
            attempts.append(attempt)
            if attempt.credit == 1.0:
                return _passed(recorded, attempt, attempts, self._desk)
        best = max(attempts, key=lambda attempt: attempt.credit)
        if best.credit > 0:
            return _partly(recorded, best)
        shown = next((a for a in attempts if a.verdict is None or a.verdict.status != "not_attempted"), attempts[0])
        if shown.disagreement is None:
            assert shown.verdict is not None
            return CheckResult(
                item=recorded.item.id,
                status=shown.verdict.status,
                reason=shown.verdict.reason,
                message=clean(shown.verdict.message, 4000),
                case=_case_text(shown.drawn),
                route=shown.route,
            )
        return _disagreed(recorded, shown, self._explain(shown, recorded, body))

    def _try_route(self, route: str, recorded: Recorded, body: Body) -> Attempt:
        self._desk.binding, self._desk.binding_count = 0, 1
        first: Attempt | None = None
        while True:
            attempt = self._try_binding(route, recorded, body)
            if attempt.credit == 1.0:
                return attempt
            if first is None or attempt.credit > first.credit:
                first = attempt
            self._desk.binding += 1
            if self._desk.binding >= min(self._desk.binding_count, MAX_CANDIDATES):
                return first

    def _try_binding(self, route: str, recorded: Recorded, body: Body) -> Attempt:
        attempt = Attempt(route, credit=1.0)
        self._desk.binding_name = ""
        for drawn in recorded.cases:
            self._desk.seen.clear()
            attempt.drawn = drawn
            try:
                body(route, drawn)
            except PartialCredit as partial:
                attempt.credit, attempt.partial = min(attempt.credit, partial.credit), partial.message
                attempt.doubtful = attempt.doubtful or partial.doubtful
            except Disagreement as disagreement:
                attempt.credit, attempt.disagreement = 0.0, disagreement
                return attempt
            except Ended as ended:
                attempt.credit, attempt.verdict = 0.0, of_observation(ended.observation)
                return attempt
            except Exception:
                # A test may stumble over a result of an unexpected shape; that is the student's fault, not the test's.
                if (mismatch := other_shape(self._desk.seen)) is None:
                    raise
                attempt.credit, attempt.disagreement = 0.0, Disagreement([mismatch])
                return attempt
        attempt.binding = self._desk.binding_name
        return attempt


def _body(inner: Callable[..., object], fixtures: dict[str, object]) -> Body:
    def body(route: str, drawn: dict[str, object]) -> None:
        arguments = {**fixtures, **drawn}
        inner(**{**arguments, "route": route} if "route" in fixtures else arguments)

    return body


def outcome_of(body: Body, route: str, drawn: dict[str, object]) -> Disagreement | Verdict | None:
    """Run one case again: None when it agrees (a partly earned one included)."""
    try:
        body(route, drawn)
    except PartialCredit:
        return None
    except Disagreement as disagreement:
        return disagreement
    except Ended as ended:
        return of_observation(ended.observation)
    except Exception:
        return None
    return None


def _passed(recorded: Recorded, attempt: Attempt, attempts: list[Attempt], desk: Desk) -> CheckResult:
    notes = [attempt.partial] if attempt.partial else []
    if desk.binding > 0 and attempt.binding:
        notes.append(f"Right under this reading: {attempt.binding}.")
    if len(attempts) > 1:
        notes.append(f"Earned on the route “{attempt.route}”, after “{attempts[0].route}” failed.")
    return CheckResult(
        item=recorded.item.id,
        status="passed",
        credit=1.0,
        reason=DOUBT_REASON if attempt.doubtful else "",
        route=attempt.route,
        binding=attempt.binding,
        ambiguous=desk.undeclared,
        notes=tuple(notes),
    )


def _partly(recorded: Recorded, attempt: Attempt) -> CheckResult:
    return CheckResult(
        item=recorded.item.id,
        status="failed",
        credit=attempt.credit,
        reason="partly right",
        message=clean(attempt.partial, 4000),
        route=attempt.route,
        binding=attempt.binding,
        case=_case_text(attempt.drawn),
    )


def _disagreed(recorded: Recorded, attempt: Attempt, explained: Explained) -> CheckResult:
    verdict = of_disagreement(explained.disagreement)
    message, reason = verdict.message, verdict.reason
    if explained.unsteady:
        reason = "random, or keeps state between calls"
        message = (
            "The first run differed and a repetition in a new process agreed: the result is random, or it keeps state "
            "between calls.\n" + message
        )
    return CheckResult(
        item=recorded.item.id,
        status="failed",
        reason=reason,
        message=clean(message, 4000),
        hint=clean(explained.hint, 600),
        case=_case_text(explained.drawn),
        route=attempt.route,
        figures={m.name or "property": dict(m.figures) for m in explained.disagreement.mismatches[:8] if m.figures},
    )


def _case_text(drawn: dict[str, object] | None) -> str:
    if not drawn:
        return ""
    return clean(", ".join(repr(value) for value in drawn.values()), 600)


def _with_facts(result: CheckResult, desk: Desk, seconds: float) -> CheckResult:
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
