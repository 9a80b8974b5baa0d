"""Training probes for a plain module: it learns, and what is not in its state_dict is found out."""

import pytest
import torch
from torch import nn

from grader.fitting import fitted, predicted
from grader.suite import Disagreement
from grader.suite.honesty import state_is_whole
from grader.worker.training import TrainingRoom


class Net(nn.Module):
    """Two classes by the sign of a mean; the statistics are a buffer, or get lost."""

    def __init__(self, buffer):
        super().__init__()
        self.out = nn.Linear(4, 2)
        if buffer:
            self.register_buffer("shift", torch.zeros(4))
        else:
            self.shift = torch.zeros(4)

    def forward(self, x):
        if self.training:
            self.shift = 0.9 * self.shift + 0.1 * x.mean(0).detach()
        return self.out(x - self.shift)


def train(buffer):
    """A room with trained weights, and what the probe returned."""
    torch.manual_seed(0)
    room = TrainingRoom()
    inputs = torch.randn(200, 4) + 3
    room._arrived["data"] = {"inputs": inputs, "labels": (inputs.mean(1) > 3).long()}
    told = []
    room.on_progress = lambda step, values: told.append((step, values["loss"]))
    values = fitted(room, Net(buffer), steps=120, batch=32, rate=0.05)
    room.arrange(dict(room._kept["weights"]))
    return room, values, told


def test_it_learns_and_reports():
    room, values, told = train(buffer=True)
    assert (told[0][0], told[-1][0]) == (1, 120)
    assert told[-1][1] < 0.5 * told[0][1]
    assert set(room._kept) == {"start", "weights"}
    again = predicted(room, lambda: Net(True), values["inputs"])["logits"]
    state_is_whole(values["logits"], again)


def test_statistics_that_are_no_buffer_are_found_out():
    room, values, _ = train(buffer=False)
    again = predicted(room, lambda: Net(False), values["inputs"])["logits"]
    with pytest.raises(Disagreement, match="not all in its state_dict"):
        state_is_whole(values["logits"], again)
