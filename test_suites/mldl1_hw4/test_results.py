"""What training gave, as far as the saved outputs say. They are read and checked, and believed when they fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from probes import rnn_is_written, seq2seq_is_written, vit_is_written
from saved_logs import Figure, figures, final, log_lines, oddities_of_perplexity, of, of_model, plotted, typed

from grader.suite import doubtful, item, require


def _require_possible(found: Sequence[Figure]) -> None:
    wrong = [figure for figure in found if not figure.possible]
    if wrong:
        where = f"the output of cell {wrong[0].cell} says {wrong[0].metric} {wrong[0].text}"
        rule = {"accuracy": "lies between 0 and 100 %", "perplexity": "is at least 1"}
        require(False, f"{where}, which cannot be: {wrong[0].metric} {rule.get(wrong[0].metric, 'is at least 0')}.")


def _believe(notebook: Any, chosen: Figure, what: str, odd: Sequence[str]) -> None:
    """Full credit for a figure that was read and not measured; what looks odd about it is said."""
    remarks = list(odd)
    if typed(notebook, chosen):
        remarks.append(f"the number {chosen.text} stands in the code of the cell that prints it")
    if remarks:
        text = f"Read in the saved output of cell {chosen.cell}: {what}. Nothing was trained again."
        doubtful(f"{text} Look at it: {'; '.join(remarks)}.")


def _accuracy(submission: Any, file_id: str, model: str, good: float, too_good: float) -> None:
    notebook = submission.notebook(file_id)
    found = of_model(notebook, figures(notebook), model)
    candidates = of(found, "accuracy", "test", "valid") or of(found, "accuracy", "")
    require(log_lines(found) >= 2, "The saved outputs hold no training log (losses or accuracies of several epochs).")
    require(bool(candidates), "The saved outputs hold no accuracy on the test split.")
    _require_possible([figure for figure in found if figure.metric in ("accuracy", "perplexity")])
    chosen = final(candidates, good, larger=True)
    require(chosen.value >= good, f"The best saved accuracy is {chosen.value:g} %, {good:g} % are asked for.")
    odd = [f"{chosen.value:g} % is more than this model is known to reach"] if chosen.value > too_good else []
    if len({figure.value for figure in candidates}) == 1 and len(candidates) > 2:
        odd.append("every epoch has the same accuracy")
    _believe(notebook, chosen, f"an accuracy of {chosen.value:g} %", odd)


@item("rnn.accuracy")
def test_rnn_accuracy(student, submission):
    """The saved log shows a test accuracy above 70 % (read from the output; nothing is trained again)."""
    if not figures(submission.notebook("rnn")):
        student.run(rnn_is_written, {})
    _accuracy(submission, "rnn", "RNN", 70.0, 96.0)


@item("vit.accuracy")
def test_vit_accuracy(student, submission):
    """The saved output shows the training log and a final test accuracy of at least 65 % (nothing is trained again)."""
    if not figures(submission.notebook("vit")):
        student.run(vit_is_written, {})
    _accuracy(submission, "vit", "ViT", 65.0, 92.0)


@item("seq2seq.perplexity")
def test_perplexity(student, submission):
    """The saved output shows a test perplexity below 7 (read from the output; nothing is trained again)."""
    notebook = submission.notebook("seq2seq")
    found = figures(notebook)
    if not found:
        student.run(seq2seq_is_written, {})
    found = of_model(notebook, found, "LSTMSeq2Seq")
    perplexities = of(found, "perplexity", "train", "valid", "test", "")
    _require_possible(perplexities)
    candidates = of(found, "perplexity", "test")
    require(bool(candidates), "The saved outputs hold no perplexity on the test split; print it after training.")
    chosen = final(candidates, 7.0, larger=False)
    require(chosen.value < 7, f"The best saved test perplexity is {chosen.value:g}; it should be less than 7.")
    odd = oddities_of_perplexity(found, chosen)
    _believe(notebook, chosen, f"a test perplexity of {chosen.value:g}", odd)


@item("seq2seq.plots")
def test_plots(student, submission):
    """Perplexities and learning rates are plotted, and the figures are saved in the notebook."""
    notebook = submission.notebook("seq2seq")
    perplexity, rate = plotted(notebook)
    if not (perplexity or rate):
        student.run(seq2seq_is_written, {})
    require(perplexity, "No cell with a saved figure plots perplexities.")
    require(rate, "No cell with a saved figure plots learning rates.")
