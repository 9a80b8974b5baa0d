"""What a test of a training item sees. The judge implements it (`grader.judge.training_run`).

    @item("training.rnn")
    def test_rnn_learns_the_news(training):
        task = training.data(ag_news_task)
        run = training.train(train_rnn, given=task.train, steps=training.steps)
        classify = training.predictor(predict_rnn, run)
        logits = torch.cat([classify(batch)["logits"] for batch in task.test_batches()])
        honesty.weights_moved(run)
        training.measured(accuracy(logits, task.test_labels))

The worker that trains never holds a held-out example; the one that predicts gets weights and inputs, never a label.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

import torch

from grader.assignment.assignment import TrainingWay
from grader.datasets.source import DataSource
from grader.suite.metrics import Measure
from grader.worker.loading import Probe

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What came out of a training: tensors, and claims.

    `weights` and `start` are state_dicts on the CPU; `curve` is what the worker reported, (step, {name: number});
    `values` is what the probe returned; `seconds` is the judge's clock.
    """

    weights: Mapping[str, torch.Tensor]
    start: Mapping[str, torch.Tensor]
    curve: tuple[tuple[int, Mapping[str, float]], ...] = ()
    values: Mapping[str, object] = field(default_factory=dict)
    seconds: float = 0.0

    def untrained(self) -> Trained:
        """The same model before its first step."""
        return replace(self, weights=self.start)

    def last_layer_alone(self, classes: int) -> Trained:
        """Trained tensors only where one dimension is the number of classes; all others before the first step."""
        kept = {name: tensor for name, tensor in self.weights.items() if classes in tensor.shape}
        return replace(self, weights={**self.start, **kept})


class Predictor(Protocol):
    """A trained model in a worker of its own that has never seen a training batch."""

    draw: torch.Generator

    def __call__(self, batch: Mapping[str, object]) -> Mapping[str, object]:
        """The probe's values on a batch of held-out inputs."""
        ...

    def fresh(self) -> Predictor:
        """The same weights in a virgin process."""
        ...


class Counterpart(Protocol):
    """The reference with a submission's trained weights, in the judge."""

    def __call__(self, batch: Mapping[str, object]) -> Mapping[str, object] | None:
        """The probe's values; None where the weights do not fit the reference."""
        ...


class Training(Protocol):
    """The `training` fixture.

    `steps` is the budget of the manifest for the present source; `draw` is the run's secret stream of random numbers.
    """

    source: DataSource
    steps: int
    draw: torch.Generator

    def data(self, build: Callable[[DataSource, torch.Generator], T]) -> T:
        """The task's data, built once per submission. Raises MissingData, DamagedData."""
        ...

    def train(self, probe: Probe, *, given: Mapping[str, torch.Tensor], **options: object) -> Trained:
        """Train in a fresh worker, within the item's budget of seconds and memory."""
        ...

    def predictor(self, probe: Probe, trained: Trained, **options: object) -> Predictor:
        """The trained model in a fresh worker; `options` reach the probe with every batch."""
        ...

    def counterpart(self, probe: Probe, trained: Trained, **options: object) -> Counterpart:
        """The reference with these weights, for models whose layers the handout fixes."""
        ...

    def measured(
        self,
        measure: Measure,
        *,
        data: str = "",
        beside: Mapping[str, float] | None = None,
        way: TrainingWay = "retrained",
        note: str = "",
        doubt: str = "",
    ) -> None:
        """Store the item's figure, and others to be shown beside it. Points follow from the manifest's threshold.

        `doubt` says why a person should look before this figure is believed; it costs nothing by itself.
        `data` is the name of the set that was really used: a substitute has another one than the course's set.
        """
        ...
