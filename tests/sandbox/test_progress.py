"""Progress frames: any number up to a cap, of a fixed small form, under the request's id, before exactly one answer."""

from __future__ import annotations

import socket

import pytest

from grader.assignment import Limits
from grader.model import Malformed, Values
from grader.sandbox import base
from grader.wire import Channel, encode

LIMITS = Limits(wall_seconds=2.0)
ANSWER = {"status": "values", "values": {"done": True}, "notes": {}}


class Recorded:
    """A process that has already said everything."""

    dead = False

    def __init__(self, frames):
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


def hear(monkeypatch, *frames):
    monkeypatch.setattr(base.secrets, "token_hex", lambda size: "id")
    process = Recorded(frames)
    try:
        return base.ask(process, "run", encode({}), LIMITS), process
    finally:
        process.close()


def progress(step=1, frame_id="id", **values):
    return frame_id, "progress", {"step": step, "values": values}


def test_progress_comes_before_the_answer(monkeypatch):
    observation, _ = hear(monkeypatch, progress(1, loss=0.5), progress(2, loss=0.25), ("id", "answer", ANSWER))
    assert isinstance(observation, Values)
    assert observation.notes.progress == ((1, {"loss": 0.5}), (2, {"loss": 0.25}))


@pytest.mark.parametrize(
    "frame",
    [
        progress(frame_id="other", loss=0.5),
        ("id", "progress", {"step": 1.5, "values": {}}),
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
