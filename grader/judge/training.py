"""Training items of one submission: train in one worker, evaluate in others, and store what the judge measured.

A training runs once per submission and seed, never for an explanation.
"""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from grader.assignment.assignment import Budget, Item
from grader.datasets.source import DamagedData, LostData, MissingData
from grader.judge.attempt import Attempt, result_of
from grader.judge.drawing import inner_of
from grader.judge.plugin import Handed, JudgePlugin, Stage
from grader.judge.reference_run import Recorded
from grader.judge.sides import Ended, NoReference, ReferenceSide, Side
from grader.judge.training_run import Gym, TrainingRun
from grader.judge.verdicts import Verdict, of_disagreement, of_observation
from grader.model import DATA_REASON, CheckResult, unjudged
from grader.suite.agreement import Disagreement
from grader.text import clean
from grader.thresholds import misses_narrowly

TRIES = 2  # the second one only in the grey zone


class TrainingJudge:
    """Judges training items of one submission; two attempts at most."""

    def __init__(self, plugin: JudgePlugin, gym: Gym, sides: tuple[Side, ReferenceSide], handed: Handed) -> None:
        self._plugin = plugin
        self._gym = gym
        self._sides = sides
        self._handed = handed

    def judge(self, recorded: Recorded) -> CheckResult:
        """The item's result. Never raises: what goes wrong on the grader's side is a grader error."""
        started = time.perf_counter()
        result = self._judge(recorded)
        return replace(result, seconds=round(time.perf_counter() - started, 6))

    def _judge(self, recorded: Recorded) -> CheckResult:
        item, training = recorded.item, recorded.item.training
        assert training is not None
        source = self._gym.source.kind
        budget = training.budget(source)
        if budget is None:
            return _skipped(item, "this item has no training on real data; use the made data")
        evidence = self._plugin.assignment.evidence_of(item.id, source)
        attempts: list[Attempt] = []
        for number in range(TRIES):
            attempt = self._attempt(recorded, budget, number)
            attempts.append(attempt)
            measure = attempt.measure
            if measure is None or attempt.verdict is not None:
                break
            if not misses_narrowly(training, budget, evidence, measure.value, measure.standard_error):
                break
        return result_of(item, budget, source, attempts)

    def _attempt(self, recorded: Recorded, budget: Budget, number: int) -> Attempt:
        student, reference = self._sides
        run = TrainingRun(self._gym, recorded.item, budget, number, reference)
        ended: list[CheckResult] = []

        def perform(test: pytest.Function, fixtures: dict[str, object]) -> None:
            if (result := _performed(recorded.item, test, fixtures, run)) is not None:
                ended.append(result)

        try:
            with self._plugin.staged(Stage(student, reference, self._handed, perform, run)):
                trouble = self._plugin.run(recorded.item.id, log=False)
        except Exception as error:
            trouble = f"{type(error).__name__}: {error}"
        if ended:
            run.attempt.verdict = ended[0]
        elif trouble or run.attempt.measure is None:
            run.attempt.verdict = unjudged(recorded.item.id, clean(trouble or "the test measured nothing", 6000))
        return run.attempt


def _performed(item: Item, test: pytest.Function, fixtures: dict[str, object], run: TrainingRun) -> CheckResult | None:
    """Run the test's body; what ended it before its end, as a result."""
    try:
        inner_of(test.obj)(**fixtures)
    except Disagreement as disagreement:
        return _judged(item, of_disagreement(disagreement))
    except Ended as ended:
        verdict = of_observation(ended.observation)
        stage = run.attempt.stage(run.steps) if verdict.status == "failed" else ""
        return _judged(item, replace(verdict, message="\n".join(filter(None, (verdict.message, stage)))))
    except MissingData as missing:
        return _skipped(item, missing.message, str(missing))
    except NoReference as lacking:
        message = f"Skipped: {lacking} The points stay open."
        return CheckResult(item=item.id, status="skipped", reason="needs the reference", message=message)
    except (DamagedData, LostData) as fault:
        return unjudged(item.id, clean(str(fault), 6000))
    return None


def _judged(item: Item, verdict: Verdict) -> CheckResult:
    message = clean(verdict.message, 4000)
    return CheckResult(item=item.id, status=verdict.status, reason=verdict.reason, message=message)


def _skipped(item: Item, reason: str, staff: str = "") -> CheckResult:
    """Not run for want of data; `staff` says what to put where, which is no concern of students."""
    message = f"Skipped: {clean(reason, 3000)}"
    return CheckResult(
        item=item.id, status="skipped", reason=DATA_REASON, message=message, staff=clean(staff or reason, 3000)
    )
