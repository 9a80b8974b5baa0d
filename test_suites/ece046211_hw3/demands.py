"""What several tests demand of a notebook. Judge side only."""

from __future__ import annotations

from collections.abc import Iterable

import probes
from printed import OPTIMIZERS
from ranges import RANGES
from saved import GIVEN, CodeCell, Saved

from grader.suite import require

CHOSEN = (
    *RANGES,
    "words_in",
    "words_out",
    "criterion",
    "reduction",
    "optimizer",
    "rates",
    "scheduler",
    "trains_model",
    "trouble",
)


def notebook_of(submission) -> Saved:
    """The notebook that was handed in."""
    return Saved(submission.notebook("notebook"))


def not_attempted(student, what: str) -> None:
    """End the item as not attempted: the notebook has nothing like `what`."""
    student.run(probes.absent, {"what": what})


def require_run(saved: Saved, cells: Iterable[CodeCell | None]) -> None:
    """Code cells that were not run earn nothing."""
    for cell in cells:
        if cell is not None:
            require(
                saved.was_run(cell),
                f"Cell {cell.number} was saved without having been run. The handout gives no points for code cells "
                "that were not run: run the notebook and save it with its outputs.",
            )


def sources(cells: Iterable[CodeCell]) -> list[str]:
    """The cells' full texts, by which a probe finds them again."""
    return [cell.cell.source for cell in cells]


def text_of(saved: Saved, cells: Iterable[CodeCell]) -> str:
    """The saved text of those of the cells that were run."""
    return "\n".join(cell.text for cell in cells if saved.was_run(cell))


def model_cells(saved: Saved) -> tuple[CodeCell, ...]:
    """The cells that make model, criterion, optimizer and scheduler, with the cells that they need."""
    kinds = ("CrossEntropyLoss", "NLLLoss", *OPTIMIZERS)
    wanted = (*saved.calling("TransformerModel"), *saved.calling(*kinds, *(f".{kind}" for kind in kinds)))
    others = tuple(cell for cell in saved.cells if cell.reads & {"lr_scheduler", "optim"} or _makes_a_scheduler(cell))
    both = {cell.number: cell for cell in (*wanted, *others)}
    return saved.with_what_they_need(tuple(both[number] for number in sorted(both)))


def chosen(student, submission, words: int) -> dict[str, object]:
    """What the cells that build model and optimiser make of a vocabulary of `words` words."""
    saved = notebook_of(submission)
    if not saved.calling("TransformerModel"):
        not_attempted(student, "a call of TransformerModel")
    cells = model_cells(saved)
    values = student.run(probes.hyper_parameters, {"words": words}, cells=sources(cells))
    require_run(saved, cells)
    return {name: values.get(name) for name in CHOSEN}


def require_none(sentences: Iterable[str]) -> None:
    """The first of the sentences says what is wrong; without one nothing is."""
    for sentence in sentences:
        require(False, sentence)


def _makes_a_scheduler(cell: CodeCell) -> bool:
    return any(name.lstrip(".").endswith(("LR", "ReduceLROnPlateau", "WarmRestarts")) for name in cell.calls)


def task_3_text(saved: Saved) -> str:
    """What was printed from the model's class up to, without it, the cell that trains; and where values were chosen."""
    building = model_cells(saved)
    numbers = [cell.number for cell in building]
    defined = saved.defining("TransformerModel")
    first = min([*numbers, *([defined.number] if defined else [])])
    # Where no call of train can be read, the next task begins with the functions that are given for it.
    later = [cell.number for cell in saved.calling("train") if cell.number > first] or [
        cell.number for cell in saved.cells if cell.number > max(numbers) and cell.defines & {"train", "evaluate"}
    ]
    last = min(later, default=saved.cells[-1].number + 1)
    chosen = {name for cell in building for name in cell.reads} - GIVEN
    cells = [
        cell
        for cell in saved.cells
        if cell in building or first <= cell.number < last or (cell.number < first and cell.assigns & chosen)
    ]
    return text_of(saved, cells)
