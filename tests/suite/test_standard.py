"""Whole trainings in one call: what is measured, and that the checks of their kind are made. The network's answers are
made here; real workers train the shipped suites."""

import types

import pytest
import torch

from grader.suite import Disagreement, standard
from grader.suite.training import Trained

PAD, WORDS = 1, 9
KEPT = (1.0 - torch.linspace(1e-4, 0.02, 50)).cumprod(0)


class Asked:
    """A predictor that answers as the function does, in any process."""

    def __init__(self, answer, draw):
        self.answer, self.draw = answer, draw

    def __call__(self, batch):
        return self.answer(batch)

    def fresh(self):
        return self


class Room(types.SimpleNamespace):
    """A training whose model before and after is a function of a batch."""

    steps = 10

    def __init__(self, before, after):
        super().__init__(before=before, after=after, draw=torch.Generator().manual_seed(1), told={})

    def train(self, probe, *, given, steps, **options):
        self.told["trained with"] = options
        start, weights = ({"w": torch.full((2, 2), value)} for value in (0.0, 1.0))
        return Trained(weights=weights, start=start, curve=((1, {"loss": 2.0}), (10, {"loss": 1.0})))

    def predictor(self, probe, run, **options):
        self.told["asked with"] = options
        return Asked(self.after if bool(run.weights["w"].any()) else self.before, self.draw)

    counterpart = predictor

    def measured(self, measure, **more):
        self.told |= {"value": measure.value, **more}


def sentences():
    target = torch.randint(2, WORDS, (100, 5), generator=torch.Generator().manual_seed(2))
    target[::2, 3:] = PAD
    return standard.Task("made", {"source": target.flip(1), "target": target}, target.flip(1), target, WORDS)


def knows(sharpness):
    """Every word with that much certainty: the source turned round."""
    return lambda batch: {"logits": sharpness * torch.nn.functional.one_hot(batch["source"].flip(1), WORDS).float()}


def test_a_translation_counts_position_0_and_no_padding():
    task, room = sentences(), Room(knows(0.0), knows(3.0))
    standard.translation(room, None, None, task, pad=PAD, learning={"rate": 1.0}, width=4)
    sure = torch.tensor([3.0] + [0.0] * (WORDS - 1)).log_softmax(0)[0]
    assert room.told["value"] == pytest.approx(float((-sure).exp()), rel=1e-5)
    assert room.told["trained with"] == {"rate": 1.0, "width": 4}
    assert room.told["asked with"] == {"width": 4}
    assert set(room.told["beside"]) == {"perplexity without <sos>", "parameters"}


def test_a_translator_that_looks_ahead_has_no_figure():
    def ahead(batch):
        following = batch["target"].roll(-1, dims=1)
        return {"logits": torch.nn.functional.one_hot(following, WORDS).float() * batch["target"].shape[1]}

    with pytest.raises(Disagreement, match="the model sees what it is to predict"):
        standard.translation(Room(knows(0.0), ahead), None, None, sentences(), pad=PAD, forced=True)
    blind = knows(3.0)
    standard.translation(Room(knows(0.0), blind), None, None, sentences(), pad=PAD, forced=True)


def pictures():
    images = torch.randn(30, 1, 4, 4, generator=torch.Generator().manual_seed(3))
    return standard.Task("made", {"images": images}, images, torch.zeros(30, dtype=torch.int64), 1)


@pytest.mark.parametrize("given", [True, False])
def test_the_noise_is_measured_against_what_was_put_in(given):
    room = Room(lambda batch: {"noise": torch.zeros_like(batch["x_t"])}, lambda batch: {"noise": batch["x_t"]})
    standard.denoising(room, None, None, pictures(), kept=KEPT, given=given, doubt=lambda run: "look")
    x_t, _, noise = standard.noised(pictures().inputs, KEPT, torch.Generator().manual_seed(1))
    assert room.told["value"] == pytest.approx(float((x_t - noise).pow(2).mean()), rel=1e-5)
    assert room.told["doubt"] == "look"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda batch: None, "other names or shapes"),
        (lambda batch: {"noise": None}, "should return a tensor"),
        (lambda batch: {"noise": batch["x_t"][:, :, :2]}, "should have the pictures' shape"),
        (lambda batch: {"noise": torch.zeros_like(batch["x_t"])}, "it was not learned here"),
    ],
)
def test_what_is_no_noise_is_said(answer, said):
    room = Room(lambda batch: {"noise": torch.zeros_like(batch["x_t"])}, answer)
    with pytest.raises(Disagreement, match=said):
        standard.denoising(room, None, None, pictures(), kept=KEPT, given=True)
