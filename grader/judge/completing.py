"""What a recording gains before it goes where no reference is: values of all known mistakes, and marks of chance."""

from __future__ import annotations

import pytest

from grader.errors import GraderError
from grader.judge.calls import Key
from grader.judge.chance import depends_on_chance
from grader.judge.handed import reference_handed
from grader.judge.plugin import Stage
from grader.judge.reference_run import Recorded
from grader.judge.replay import bodies_of, player
from grader.judge.stock import Stock
from grader.judge.submissions import Trial


def complete(trial: Trial, stock: Stock) -> None:
    """Compute and keep everything. Raises GraderError when there is nothing to complete, OSError."""
    if stock.folder is None or not trial.reference.is_here:
        raise GraderError("; ".join(stock.notes) or "no recording is kept in this run, or the reference is not here")
    for mistake in trial.variants.mistakes:
        for item in set(mistake.fails) & set(trial.records):
            for key in trial.records[item].keys:
                trial.variants.values(mistake, item, trial.book.calls[key])
    for item, recorded in trial.records.items():
        if recorded.item.training is None and trial.plugin.reads_files(item):
            _hand_in(trial, recorded)
    calls = [trial.book.calls[Key(call.probe, call.case, call.options)] for call in stock.calls]
    stock.mark([number for number, call in enumerate(calls) if depends_on_chance(trial.reference, call)])


def _hand_in(trial: Trial, recorded: Recorded) -> None:
    def perform(test: pytest.Function, fixtures: dict[str, object]) -> None:
        body = next(iter(bodies_of(test, fixtures, recorded).values()))
        trial.variants.hand_in(recorded.item.id, player(body, recorded))

    reference = trial.reference
    with trial.plugin.staged(Stage(reference, reference, reference_handed(trial.assignment), perform)):
        if trouble := trial.plugin.run(recorded.item.id, log=False):
            raise GraderError(f"item {recorded.item.id!r} cannot be set up\n{trouble}")
