"""What was not passed is settled so that nothing that an earlier item left behind can cost a point."""

from types import SimpleNamespace

import pytest
import torch

from grader.assignment.assignment import Limits
from grader.judge.calls import Call, Key
from grader.judge.replay import Attempt, Explained, Look, Replay
from grader.judge.settling import FEW, Doubt, Settling
from grader.judge.sides import Desk, Ended
from grader.judge.verdicts import of_observation
from grader.model import CheckResult, Died, Raised
from grader.suite import partial, require
from grader.wire.frames import encode

DIED = Died(how="killed")


class Worker:
    """A worker, as a list of what was run in it; renewing it empties the list."""

    def __init__(self):
        self.past = []
        self.renewed = 0

    def is_virgin(self):
        return not self.past

    def renew(self):
        self.renewed += 1
        self.past = []

    def begin(self):
        pass


class Court:
    """Judges made-up items: `items[name](past)` is the value that the submission gives after that past.

    Values below zero are wrong, an observation ends the item, a value between zero and one is a part of the points.
    """

    def __init__(self, items):
        self.items = items
        self.worker = Worker()
        self.desk = Desk(None, None, Limits())
        self.ran = []
        plugin = SimpleNamespace(
            assignment=SimpleNamespace(limits_of=lambda item: SimpleNamespace(wall_seconds=9.0)),
        )
        self.replay = Replay(plugin, None, None, self.desk, None)
        self.replay.staged = lambda recorded, perform: perform({"": self.body(recorded.item.id)})

    def recorded(self, name):
        return SimpleNamespace(item=SimpleNamespace(id=name), routes=("",), readings={"": {}}, cases=[{"case": name}])

    def body(self, name):
        call = Call(Key("probe", name, ""), encode({"inputs": {}, "options": {}}))

        def run(route, drawn):
            value = self.items[name](tuple(self.worker.past))
            self.ran.append((name, tuple(self.worker.past)))
            self.worker.past.append(name)
            if not isinstance(value, float):
                raise Ended(value)
            self.desk.seen.append((call, {"out": torch.tensor(value)}))
            require(value >= 0, "It is wrong.")
            if value < 1:
                partial(value, "Partly.")

        return run

    def judge(self):
        """{item: (status, reason)} as a submission's judge does it."""
        found, doubts = {}, []
        for name in self.items:
            fair = self.worker.is_virgin()
            recorded = self.recorded(name)
            doubt = Doubt(recorded, self.replay.decide(recorded, {"": self.body(name)}), fair)
            if doubt.settled:
                found[name] = doubt.look.result
            else:
                doubts.append(doubt)
            if doubt.look.shown is not None and doubt.look.shown.verdict is not None:
                self.worker.past = [] if doubt.look.shown.verdict.reason == "process died" else self.worker.past
        self.ran.clear()
        settling = Settling(self.replay, self.desk, self.worker, explained, lambda result, seconds: result)
        for result in settling.settle(doubts):
            found[result.item] = result
        return {name: (result.status, result.reason, result.credit) for name, result in found.items()}


def explained(attempt, recorded, body, found):
    return Explained(found, {}, hint="explained")


def always(value):
    return lambda past: value


PASSED = ("passed", "", 1.0)
WRONG = ("failed", "a property does not hold", 0.0)
UNSTEADY = ("failed", "random, or keeps state between calls", 0.0)


MANY = {f"m{number}": always(-5.0 - number) for number in range(FEW)}  # wrong whatever came before


def test_the_many_that_are_wrong_whatever_came_before_share_one_second_worker():
    court = Court({"a": always(-1.0), "b": always(2.0), **MANY})
    assert court.judge() == {"a": WRONG, "b": PASSED, **dict.fromkeys(MANY, WRONG)}
    assert court.ran == [("m2", ()), ("m1", ("m2",)), ("m0", ("m2", "m1")), ("a", ("m2", "m1", "m0"))]
    assert court.worker.renewed == 1


def test_where_few_are_wrong_each_has_a_virgin_worker():
    court = Court({"a": always(2.0), "b": always(-1.0), "c": always(-1.0)})
    assert court.judge() == {"a": PASSED, "b": WRONG, "c": WRONG}
    assert court.ran == [("c", ()), ("b", ())]


def test_what_an_earlier_item_left_behind_costs_nothing():
    court = Court({"a": always(2.0), "b": lambda past: -1.0 if "a" in past else 1.0})
    assert court.judge() == {"a": PASSED, "b": PASSED}


def test_what_a_later_failed_item_left_in_the_second_worker_costs_nothing():
    spoilt = {"a": always(2.0), "b": lambda past: -1.0 if past else 1.0, "c": lambda past: -float(len(past) + 1)}
    assert Court(spoilt).judge() == {"a": PASSED, "b": PASSED, "c": WRONG}


def test_a_counter_that_happens_to_stand_alike_in_both_workers_costs_nothing():
    """In the second worker `b` finds one call before it, as it did in the first; that the last differed shows it."""
    counted = {name: lambda past: 1.0 if not past else -float(len(past)) for name in "abcdef"}
    assert Court(counted).judge() == dict.fromkeys("abcdef", PASSED)


def test_one_that_was_settled_before_a_difference_was_seen_is_settled_anew():
    """The last ones answer alike everywhere, so `b` is settled by two workers with a past, until `a` differs."""
    items = {
        "first": always(1.0),
        "a": lambda past: -1.0 if past == ("first",) else 1.0,
        "b": lambda past: -2.0 if past else 1.0,
        **MANY,
    }
    assert Court(items).judge() == {"first": PASSED, "a": PASSED, "b": PASSED, **dict.fromkeys(MANY, WRONG)}


@pytest.mark.parametrize("ending", [DIED, Raised(kind="ValueError", message="m")])
def test_an_item_that_only_ends_badly_after_others_is_passed(ending):
    court = Court({"a": always(2.0), "b": lambda past: ending if past else 1.0})
    assert court.judge() == {"a": PASSED, "b": PASSED}


def test_an_item_that_ends_badly_in_a_virgin_worker_is_not_run_again():
    court = Court({"a": always(DIED)})
    verdict = of_observation(DIED)
    assert court.judge() == {"a": (verdict.status, verdict.reason, 0.0)}
    assert court.ran == []


def test_an_item_that_ends_badly_again_has_ended_badly():
    court = Court({"a": always(2.0), "b": always(DIED), "c": always(DIED)})
    reason = of_observation(DIED).reason
    assert court.judge() == {"a": PASSED, "b": ("failed", reason, 0.0), "c": ("failed", reason, 0.0)}


def test_a_part_of_the_points_is_asked_for_again_after_others():
    court = Court({"a": always(2.0), "b": lambda past: 0.5 if past else 1.0, "c": always(0.25)})
    assert court.judge() == {"a": PASSED, "b": PASSED, "c": ("failed", "partly right", 0.25)}


def test_what_agrees_in_a_virgin_worker_after_a_fair_failure_is_unsteady():
    answers = [-1.0, 1.0, 1.0]
    court = Court({"a": lambda past: answers.pop(0)})
    assert court.judge() == {"a": UNSTEADY}


def test_a_state_of_the_items_own_is_unsteady():
    """It fails on its second case whatever came before, and agrees when that case is repeated alone."""
    court = Court({"a": always(2.0), "b": lambda past: -1.0 if "b" in past else 1.0})
    two = court.recorded("b")
    two.cases.append({"case": "again"})
    court.recorded = lambda name: (
        two
        if name == "b"
        else SimpleNamespace(item=SimpleNamespace(id=name), routes=("",), readings={"": {}}, cases=[{"case": name}])
    )
    assert court.judge() == {"a": PASSED, "b": UNSTEADY}


def test_a_grader_error_is_settled():
    look = Look(CheckResult(item="a", status="grader_error"))
    assert Doubt(None, look, fair=False).settled
    assert not Doubt(None, Look(None, Attempt("")), fair=True).settled
