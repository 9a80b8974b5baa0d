"""Signs that a saved output does not come from the code above it. Judge side only."""

from __future__ import annotations

import ast

from printed import named_values, numbers, printed_model, split_models, values
from saved import CodeCell, Saved

from grader.parsing.following import called
from grader.parsing.notebooks import stale_outputs

NO_COUNT = "no execution count"


def doubts(saved: Saved) -> list[str]:
    """One sentence for every sign, the most telling first."""
    return [*_other_numbers(saved), *_fewer_epochs(saved), *_errors(saved), *_order(saved)]


def _other_numbers(saved: Saved) -> list[str]:
    """The printed model has other sizes than the code gives it."""
    _, modules = split_models("\n".join(cell.text for cell in saved.cells))
    printed, named = printed_model(modules), named_values(saved)
    return [
        f"The printed model has {name} {printed[name]:g}, the code says {named[name]:g}."
        for name in printed.keys() & named.keys()
        if printed[name] != named[name]
    ]


def _fewer_epochs(saved: Saved) -> list[str]:
    """The last epoch that was printed is not the last one of the code."""
    cells = [cell for cell in saved.calling("train") if cell.text.strip()]
    if not cells:
        return []
    wanted = _epochs(saved, cells[-1])
    told = [numbers(line) for line in cells[-1].text.splitlines() if "epoch" in line.lower()]
    printed = {line[0].value for line in told if line}
    last = max(printed, default=None)
    if not wanted or last is None or last + (0 in printed) in wanted:  # some count epochs from 0
        return []
    return [f"The code trains {wanted[-1]:g} epochs, the last one printed is {last:g}."]


def _epochs(saved: Saved, cell: CodeCell) -> list[float]:
    """The number of epochs that the cell's loops around `train` say; where no range can be read, `epochs`."""
    loops = [node for step in cell.running for node in ast.walk(step) if isinstance(node, ast.For)]
    ranges = [
        node
        for loop in loops
        if any(called(inner) == "train" for inner in ast.walk(loop) if isinstance(inner, ast.Call))
        for node in ast.walk(loop.iter)
        if isinstance(node, ast.Call) and called(node) in ("range", "trange")
    ]
    if not ranges:
        return values(saved, [ast.Name("epochs", ast.Load())], cell)
    limits = [values(saved, node.args, cell) for node in ranges if len(node.args) in (1, 2)]
    return [each[-1] - (each[0] if len(each) == 2 else 0) for each in limits if each]


def _errors(saved: Saved) -> list[str]:
    return [f"Cell {cell.number} ended with an error." for cell in saved.cells if cell.cell.errors]


def _order(saved: Saved) -> list[str]:
    # Front ends that keep no counts at all say nothing about the order.
    found = stale_outputs(saved.notebook)
    return [f"Cell {entry.cell}: {entry.reason}." for entry in found if NO_COUNT not in entry.reason]
