"""The trainings of every suite on a device that is not the processor, without one: see `pretend_device`.

A probe or a reference that makes a tensor on the wrong device fails here, as it would on a GPU.
"""

from __future__ import annotations

import inspect
import sys
import warnings
from pathlib import Path

import pytest
import torch
from pretend_device import DEVICE, Elsewhere, pretending
from suite_modules import modules_of

from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.datasets.source import DataSource
from grader.judge.drawing import inner_of
from grader.judge.handed import HandedIn, file_specs, reference_files
from grader.short.expanding import expanded
from grader.suite import honesty
from grader.suite.training import Trained
from grader.wire.frames import encode
from grader.wire.pieces import Assembly, batches
from grader.worker import absent
from grader.worker.loading import Modules

ROOT = Path(__file__).parents[2]
TRAININGS = {
    "cs4644_hw3": ("sorting", "pig_latin", "noise"),
    "conv_net": ("learns",),
    "cs7643_a4": ("seq2seq_learns", "attention_learns", "encoder_learns", "full_learns"),
    "ece046211_hw3": ("language_model",),
    "ift6135_a2": ("encoder", "decoder", "attention", "prenorm", "postnorm"),
    "mldl1_hw4": ("rnn_learns", "seq2seq_learns", "vit_learns"),
}


class Workers:
    """What trains and predicts in workers elsewhere does so here, on the pretended device."""

    steps = 2

    def __init__(self, assignment):
        self._assignment = assignment
        self.source = DataSource(made=True)
        self.draw = torch.Generator().manual_seed(1)
        self.figure = None

    def modules(self, device=DEVICE):
        files = file_specs(self._assignment, reference_files(self._assignment))
        made = Modules(self._assignment.reference, files, self._assignment.globals)
        made.device = device
        return made

    def data(self, build):
        return build(self.source, self.draw)

    def train(self, probe, *, given, **options):
        modules, curve = self.modules(), []
        give(modules, "data", given)
        modules.on_progress = lambda step, values: curve.append((step, values))
        torch.manual_seed(2)
        with pretending():
            encode(probe(modules, **options))
            weights, start = taken(modules, "weights"), taken(modules, "start")
        return Trained(weights=weights, start=start, curve=tuple(curve))

    def predictor(self, probe, trained, **options):
        return Predictor(self, probe, trained, options)

    def counterpart(self, probe, trained, **options):
        def answer(batch):
            modules = self.modules("cpu")
            give(modules, "weights", trained.weights)
            return probe(modules, **batch, **options)

        return answer

    def measured(self, measure, **more):
        self.figure = measure.value

    def run(self, probe, case, **options):
        return probe(self.modules("cpu"), **case, **options)


class Predictor:
    """The first batch is answered on the pretended device, the others on the processor: it is much faster."""

    def __init__(self, workers, probe, trained, options):
        self._workers, self._probe, self._trained, self._options = workers, probe, trained, options
        self._here = None
        self.draw = workers.draw

    def fresh(self):
        return self

    def __call__(self, batch):
        if self._here is None:
            self._here = self._filled("cpu")
            with pretending():
                answer = self._probe(self._filled(DEVICE), **batch, **self._options)
            encode(answer)
        return self._probe(self._here, **batch, **self._options)

    def _filled(self, device):
        modules = self._workers.modules(device)
        give(modules, "weights", self._trained.weights)
        return modules


def give(modules, place, tensors):
    pieces = list(batches(tensors))
    for number, batch in enumerate(pieces, start=1):
        modules.give(place, batch, number == len(pieces))


def taken(modules, place):
    assembly, first = Assembly(), True
    while (pieces := modules.take(place, first)) is not None:
        assembly.add(pieces)
        first = False
    return assembly.finished()


def is_of_a_submission(module):
    """Whether a module is of the suite or the reference, or a stand-in that was made for them."""
    file = getattr(module, "__file__", None)
    if file is None:
        return getattr(module, "__spec__", None) is None
    return Path(file).is_relative_to(ROOT / "test_suites") or Path(file).is_relative_to(ROOT / "reference_solutions")


@pytest.mark.parametrize(("slug", "name"), [(slug, name) for slug, names in TRAININGS.items() for name in names])
def test_references_learn_and_answer_elsewhere(slug, name, monkeypatch):
    assignment = load(expanded(folders_below(ROOT, slug)))
    module = "test_training" if (assignment.suite / "test_training.py").exists() else "test_checks"
    monkeypatch.setattr(sys, "path", [*sys.path, str(assignment.suite / "provided")])
    before = set(sys.modules)
    absent.install(list(assignment.stand_in_modules))
    monkeypatch.setattr(honesty, "learned", lambda untrained, trained: None)  # two steps teach nothing
    workers = Workers(assignment)
    handed = HandedIn(assignment.reference, reference_files(assignment), {f.id: f.path for f in assignment.files})
    try:
        with modules_of(assignment.suite, monkeypatch) as suite, warnings.catch_warnings():
            # torch believes that nothing is copied into weights on a device of that name.
            warnings.simplefilter("ignore", UserWarning)
            test = inner_of(getattr(suite(module), f"test_{name}"))
            fixtures = {"training": workers, "student": workers, "submission": handed}
            test(**{name: fixtures[name] for name in inspect.signature(test).parameters})
    finally:
        for name_of_module in set(sys.modules) - before:
            if is_of_a_submission(sys.modules[name_of_module]):
                del sys.modules[name_of_module]
    assert workers.figure is not None


# --- the device itself ---------------------------------------------------------------------------------------------


def test_a_model_learns_there():
    with pretending() as device:
        points = torch.tensor([[1.0, 2.0]], device=device)
        torch.manual_seed(0)
        model = torch.nn.Linear(2, 1).to(device)
        optimiser = torch.optim.SGD(model.parameters(), lr=0.05)
        losses = []
        for _ in range(20):
            loss = model(points).pow(2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
        assert isinstance(model.weight, Elsewhere)
        assert losses[-1] < losses[0]
        assert points[[0], [1]].tolist() == [2.0]


@pytest.mark.parametrize(
    "mix",
    [
        lambda there, here: there + here,
        lambda there, here: torch.cat([there, here]),
        lambda there, here: there @ here.T,
        lambda there, here: here[there.long()],
        lambda there, here: there.numpy(),
        lambda there, here: torch.rand(2, device=there.device, generator=torch.Generator()),
    ],
)
def test_what_was_left_behind_may_not_be_met(mix):
    with pretending() as device, pytest.raises(RuntimeError):
        mix(torch.zeros(1, 2, device=device), torch.ones(1, 2))
