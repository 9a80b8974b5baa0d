"""Shrinking a disagreement: the smallest case that shows it, within a budget of probes and seconds."""

import time
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from hypothesis import given

from grader.judge import explaining
from grader.judge.explaining import SHRINK_PROBES, SHRINK_SECONDS, Explainer
from grader.judge.reference_run import Recorded
from grader.judge.replay import Attempt
from grader.judge.sides import Desk, Ended
from grader.model import TimedOut
from grader.suite import Case, cases, require, sizes
from grader.suite.agreement import Disagreement
from grader.suite.marks import PLAIN


@dataclass(frozen=True)
class Wide(Case):
    first: int
    second: int
    seed: int


@given(case=cases(Wide, first=sizes(1, 500), second=sizes(1, 500)))
def _test(student, reference, case):
    """A sentence."""


def explained(wrong, large, *, seconds=0.0, seed="s", ends=()):
    """(explanation, how often the body ran) for a submission that is wrong on the cases that `wrong` names."""
    runs = []

    def body(route, drawn):
        runs.append(drawn["case"])
        time.sleep(seconds)
        if drawn["case"] in ends:
            raise Ended(TimedOut(seconds=1.0))
        require(not wrong(drawn["case"], len(runs)), "It is wrong.")

    desk = Desk(None, None, SimpleNamespace(wall_seconds=60.0))
    plugin = SimpleNamespace(tests={"item": SimpleNamespace(obj=_test)}, reads_files=lambda _: False)
    variants = SimpleNamespace(matching=lambda *_: [])
    item = SimpleNamespace(id="item")
    drawn = {"case": large}
    recorded = Recorded(item, ("",), PLAIN, "A sentence.", cases=[{"case": Wide(1, 1, 0)}, drawn])
    attempt = Attempt("", drawn=drawn)
    with pytest.raises(Exception, match="wrong") as caught:
        require(False, "It is wrong.")
    attempt.disagreement = caught.value
    with pytest.raises(Exception, match="wrong") as caught:
        body("", drawn)
    return Explainer(plugin, desk, variants, seed)(attempt, recorded, body, caught.value), runs


LARGE = Wide(400, 300, 7)


def test_the_smallest_case_is_found():
    found, runs = explained(lambda case, _: case.first >= 5, LARGE)
    assert found.drawn["case"].first == 5
    assert found.drawn["case"].second == 1
    assert len(runs) <= SHRINK_PROBES + 1


def test_the_number_of_probes_is_bounded():
    found, runs = explained(lambda case, _: case.first * case.second % 7 == 6, Wide(6, 71, 7))
    assert len(runs) <= SHRINK_PROBES + 1
    assert found.drawn["case"].weight() <= 77


def test_the_time_is_bounded():
    started = time.monotonic()
    found, _ = explained(lambda case, _: case.first >= 5, LARGE, seconds=0.8)
    assert time.monotonic() - started < SHRINK_SECONDS + 12, "not forty times 0.8 s"
    assert found.drawn["case"].first >= 5


def test_no_case_runs_twice():
    _, runs = explained(lambda case, _: case.first >= 5, LARGE)
    assert len(runs) == len(set(runs))


def test_seeds_cost_no_probes():
    _, runs = explained(lambda case, _: case.first >= 5, LARGE)
    assert {case.seed for case in runs[1:]} == {0}
    assert len(runs) == len({(case.first, case.second) for case in runs}) + 1


def test_what_hangs_on_the_seed_is_shrunk_with_it():
    found, runs = explained(lambda case, _: case.first >= 5 and case.seed == 7, LARGE)
    assert found.drawn["case"] == Wide(5, 1, 7)
    assert len(runs) <= SHRINK_PROBES + 1


def test_recorded_cases_that_agreed_are_not_tried_again():
    _, runs = explained(lambda case, _: case.first >= 5, LARGE)
    assert Wide(1, 1, 0) not in runs


def test_an_end_while_shrinking_is_no_smaller_case():
    small = tuple(Wide(first, 1, 0) for first in range(1, 30))
    found, _ = explained(lambda case, _: case.first >= 5, LARGE, ends=small)
    assert found.drawn["case"] not in small


def test_the_same_seed_shrinks_to_the_same_case():
    first, second = (explained(lambda case, _: case.second >= 9, LARGE)[0] for _ in range(2))
    assert first.drawn == second.drawn


def test_what_charges_a_mistake_does_not_hang_on_the_clock(monkeypatch):
    """Each case has the item's whole time, however long explaining has taken already."""
    monkeypatch.setattr(explaining, "SHRINK_SECONDS", 0.0)
    mistake = SimpleNamespace(hint="squared", follows=("item",), fails=("other", "item"))
    desk = Desk(None, None, SimpleNamespace(wall_seconds=60.0))

    def body(route, drawn):
        if time.monotonic() >= desk.deadline:
            raise Ended(TimedOut(seconds=60.0))
        require(False, "It is wrong.")

    variants = SimpleNamespace(matching=lambda *_: [mistake], answering=lambda item, seen, among: among)
    recorded = Recorded(SimpleNamespace(id="item"), ("",), PLAIN, "A sentence.", cases=[{"case": LARGE}])
    plugin = SimpleNamespace(tests={"item": SimpleNamespace(obj=_test)}, reads_files=lambda _: False)
    attempt = Attempt("", drawn={"case": LARGE})
    with pytest.raises(Disagreement) as caught:
        require(False, "It is wrong.")
    found = Explainer(plugin, desk, variants, "s")(attempt, recorded, body, caught.value)
    assert (found.hint, found.charged_with) == ("squared", "other")
