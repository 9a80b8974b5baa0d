"""What a recording gains before it goes where no reference is: values of all known mistakes, and marks of chance."""

from __future__ import annotations

from grader.errors import GraderError
from grader.judge.calls import Key
from grader.judge.chance import depends_on_chance
from grader.judge.stock import Stock
from grader.judge.submissions import Trial


def complete(trial: Trial, stock: Stock) -> None:
    """Compute and keep everything. Raises GraderError when there is nothing to complete, OSError."""
    if stock.folder is None or not trial.reference.is_here:
        raise GraderError("; ".join(stock.notes) or "no recording is kept in this run, or the reference is not here")
    for mistake in trial.variants.mistakes:
        for item in set(mistake.fails) & set(trial.records):
            for key in trial.records[item].keys:
                trial.variants.values(mistake, trial.book.calls[key])
    calls = [trial.book.calls[Key(call.probe, call.case, call.options)] for call in stock.calls]
    stock.mark([number for number, call in enumerate(calls) if depends_on_chance(trial.reference, call)])
