"""Progress frames: any number up to a cap, of a fixed small form, under the request's id, before exactly one answer."""

from __future__ import annotations

import json
import socket
import threading
import time
from dataclasses import replace

import pytest

from grader.assignment.assignment import Limits
from grader.model import Malformed, Raised, TimedOut, Values
from grader.sandbox import base
from grader.wire.frames import Channel, encode

LIMITS = Limits(wall_seconds=2.0)
ANSWER = {"status": "values", "values": {"done": True}, "notes": {}}


class Recorded:
    """A process that has already said everything."""

    dead = False

    def __init__(self, frames, memory=()):
        self._memory = iter(memory)
        ours, theirs = socket.socketpair()
        self.channel = Channel(ours)
        self._far_end = Channel(theirs)
        for frame_id, kind, tree in frames:
            self._far_end.send(frame_id, kind, encode(tree))

    def kill(self):
        self.dead = True

    def close(self):
        self.channel.close()
        self._far_end.close()

    def ending(self):
        return base.Ending()

    def output(self):
        return ""

    def processor_seconds(self):
        return None

    def starved_seconds(self):
        return None

    def memory_mib(self):
        return next(self._memory, None)


def hear(monkeypatch, *frames, memory=(), limits=LIMITS):
    monkeypatch.setattr(base.secrets, "token_hex", lambda size: "id")
    process = Recorded(frames, memory)
    try:
        return base.ask(process, "run", encode({}), limits), process
    finally:
        process.close()


def progress(step=1, frame_id="id", **values):
    return frame_id, "progress", {"step": step, "values": values}


def test_progress_comes_before_the_answer(monkeypatch):
    observation, _ = hear(monkeypatch, progress(1, loss=0.5), progress(2, loss=0.25), ("id", "answer", ANSWER))
    assert isinstance(observation, Values)
    assert observation.notes.progress == ((1, {"loss": 0.5}), (2, {"loss": 0.25}))
    assert observation.notes.memory_mib == (), "this back end does not see a worker's memory"


def test_the_memory_is_seen_with_every_progress(monkeypatch):
    frames = (progress(1, loss=0.5), progress(2, loss=0.25), progress(3), ("id", "answer", ANSWER))
    observation, _ = hear(monkeypatch, *frames, memory=(100.0, None, 120.5))
    assert observation.notes.memory_mib == (100.0, 120.5)
    assert observation.notes.progress[-1] == (3, {})


def test_the_gpus_memory_is_what_the_worker_says(monkeypatch):
    frames = [("id", "progress", {"step": step, "values": {}, "gpu_mib": float(step)}) for step in (1, 2)]
    observation, _ = hear(monkeypatch, *frames, ("id", "answer", ANSWER))
    assert observation.notes.gpu_mib == (1.0, 2.0)


def test_what_was_heard_is_kept_when_the_time_runs_out(monkeypatch):
    observation, process = hear(monkeypatch, progress(1, loss=0.5), memory=(100.0,), limits=Limits(wall_seconds=0.05))
    assert isinstance(observation, TimedOut)
    assert (observation.notes.progress, observation.notes.memory_mib) == (((1, {"loss": 0.5}),), (100.0,))
    assert process.dead


def test_what_was_heard_is_kept_when_the_student_raises(monkeypatch):
    raised = {"status": "raised", "kind": "ValueError", "message": "no", "where": "m.py:1", "trace": [], "notes": {}}
    observation, process = hear(monkeypatch, progress(1, loss=0.5), ("id", "answer", raised))
    assert isinstance(observation, Raised)
    assert observation.notes.progress == ((1, {"loss": 0.5}),)
    assert not process.dead


def test_without_progress_there_is_nothing_to_keep(monkeypatch):
    observation, _ = hear(monkeypatch, ("id", "answer", ANSWER), memory=(100.0,))
    assert (observation.notes.progress, observation.notes.memory_mib) == ((), ())


def test_names_are_short_however_they_are_written_on(monkeypatch):
    values = {"\U0001f600" * 40 + str(number): 1.0 for number in range(8)}
    observation, _ = hear(monkeypatch, progress(1, **values), ("id", "answer", ANSWER))
    (_, heard), *_ = observation.notes.progress
    assert len(json.dumps(heard)) < 400


@pytest.mark.parametrize(
    "frame",
    [
        progress(frame_id="other", loss=0.5),
        ("id", "progress", {"step": 1.5, "values": {}}),
        ("id", "progress", {"step": 1, "values": {}, "gpu_mib": 3}),
        ("id", "progress", {"step": 1, "values": {}, "gpu_mib": float("nan")}),
        ("id", "progress", {"step": 1, "values": {}, "gpu_mib": -1.0}),
        ("id", "progress", {"step": True, "values": {}}),
        ("id", "progress", {"step": 1, "values": {"loss": "low"}}),
        ("id", "progress", {"step": 1, "values": {}, "passed": True}),
        ("id", "progress", {"step": 1, "values": {str(n): 0.0 for n in range(9)}}),
    ],
)
def test_another_form_is_malformed(monkeypatch, frame):
    observation, process = hear(monkeypatch, frame, ("id", "answer", ANSWER))
    assert isinstance(observation, Malformed)
    assert process.dead


def test_too_much_progress_is_malformed(monkeypatch):
    monkeypatch.setattr(base, "MAX_PROGRESS", 3)
    frames = [progress(step, loss=0.5) for step in range(4)]
    observation, _ = hear(monkeypatch, *frames, ("id", "answer", ANSWER))
    assert isinstance(observation, Malformed)


class Starved(Recorded):
    """It was ready to run for most of the time that passed, and answers late."""

    def __init__(self, share, after):
        super().__init__((), ())
        self._share, self._began = share, time.monotonic()
        self._answer = threading.Timer(after, lambda: self._far_end.send("id", "answer", encode(ANSWER)))
        self._answer.start()

    def close(self):
        self._answer.cancel()
        self._answer.join()
        super().close()

    def starved_seconds(self):
        return self._share * (time.monotonic() - self._began)


@pytest.mark.parametrize(("share", "kind"), [(0.9, Values), (0.0, TimedOut)])
def test_the_clock_stands_still_while_others_have_the_processors(monkeypatch, share, kind):
    monkeypatch.setattr(base.secrets, "token_hex", lambda size: "id")
    process = Starved(share, after=0.8)
    try:
        assert isinstance(base.ask(process, "run", encode({}), replace(LIMITS, wall_seconds=0.4)), kind)
    finally:
        process.close()


def test_a_worker_that_starves_itself_is_given_four_times_its_time_at_most(monkeypatch):
    process = Starved(1.0, after=30)
    try:
        began = time.monotonic()
        found = base.ask(process, "run", encode({}), replace(LIMITS, wall_seconds=0.2))
        assert isinstance(found, TimedOut)
        assert time.monotonic() - began >= 0.8
    finally:
        process.close()
