"""The reference takes over weights that were trained elsewhere, for one call."""

from pathlib import Path

import torch
from torch import nn

from grader.judge.sides import Book, ReferenceSide
from grader.worker.loading import Modules


def predict(modules, x, width):
    def made():
        model = nn.Linear(3, width)
        model.load_state_dict(modules.given_weights())
        return model

    return {"logits": modules.cached("model", made)(x)}


def side():
    return ReferenceSide(Modules(Path(), []), Book(), {"predict": predict})


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
    assert reference._modules._cache == {}
    assert reference._modules.given_weights() == {}
