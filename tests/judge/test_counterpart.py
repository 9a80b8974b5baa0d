"""The reference takes over weights that were trained elsewhere, for one call."""

import torch
from torch import nn

from grader.judge.sides import Book, ReferenceSide
from grader.worker.training import TrainingRoom


class Room(TrainingRoom):
    def ask(self, binding):
        self.binding = binding


def predict(modules, x, width):
    if "model" not in modules.cache:
        modules.cache["model"] = nn.Linear(3, width)
        modules.cache["model"].load_state_dict(modules.given_weights())
    return {"logits": modules.cache["model"](x)}


def side():
    return ReferenceSide(Room(), Book(), {"predict": predict})  # type: ignore[arg-type]


def test_each_call_uses_the_weights_that_it_is_given():
    reference, x = side(), torch.ones(2, 3)
    for seed in range(2):
        torch.manual_seed(seed)
        layer = nn.Linear(3, 4)
        found = reference.with_weights(predict, layer.state_dict(), {"x": x, "width": 4})
        assert torch.equal(found["logits"], layer(x))
        assert not found["logits"].requires_grad


def test_weights_that_do_not_fit_give_nothing():
    assert side().with_weights(predict, nn.Linear(3, 5).state_dict(), {"x": torch.ones(2, 3), "width": 4}) is None


def test_nothing_is_kept():
    reference = side()
    reference.with_weights(predict, nn.Linear(3, 4).state_dict(), {"x": torch.ones(2, 3), "width": 4})
    assert reference._modules.cache == {}
    assert reference._modules.given_weights() == {}
