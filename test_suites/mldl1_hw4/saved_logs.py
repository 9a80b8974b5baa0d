"""Figures in the saved outputs of a notebook: accuracies, losses, perplexities, and whether they can be believed.

Nothing here trains. What is read is a claim of the student; it is checked for being possible and for fitting together,
and what looks odd is said in words for the instructor.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from grader.parsing.following import followed, functions_of
from grader.parsing.notebooks import Cell, Notebook

Split = Literal["train", "valid", "test", ""]
Metric = Literal["accuracy", "loss", "perplexity", "learning rate"]

_TOKEN = re.compile(
    r"(?<![a-z])(?P<train>train(?:ing)?)(?![a-z])"
    r"|(?<![a-z])(?P<valid>val(?:id(?:ation)?)?|dev)(?![a-z])"
    r"|(?<![a-z])(?P<test>test(?:ing)?|eval(?:uation)?)(?![a-z])"
    r"|(?<![a-z])(?P<accuracy>acc(?:u|uracy|uracies)?)(?![a-z])"
    r"|(?<![a-z])(?P<perplexity>ppls?|perplexit(?:y|ies))(?![a-z])"
    r"|(?<![a-z])(?P<loss>loss(?:es)?)(?![a-z])"
    r"|(?<![a-z])(?P<rate>lrs?|learning rates?)(?![a-z])"
    r"|(?P<number>(?<![\w.])[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?(?![\w])|(?<![a-z])(?:nan|inf)(?![a-z]))"
    r"(?:\s*/\s*(?P<whole>\d+))?(?P<percent>\s*%)?"
)
_BETWEEN = re.compile(r"(?:@\d)?[\s:=\[\]'\"|,.~>_-]*(?:(?:of|is|was|at|reached)\b[\s:=~]*)?")
_ASIDE = re.compile(r"\([^()]*\)")
_PLOTS = re.compile(r"plot|label|title|legend|scatter|semilog|for .* in .*history|def \w*(?:draw|show)")
_PROGRESS = re.compile(r"\d+%\s*\||\bit/s\b|\bs/it\b")


@dataclass(frozen=True)
class Figure:
    """A number that was printed: what it measures, on which split, where, and as it stood there."""

    metric: Metric
    split: Split
    value: float
    cell: int
    line: int
    text: str

    @property
    def possible(self) -> bool:
        """Whether a measurement can have this value at all."""
        if not math.isfinite(self.value):
            return False
        if self.metric == "accuracy":
            return 0.0 <= self.value <= 100.0
        return self.value >= 1.0 if self.metric == "perplexity" else self.value >= 0.0


def figures(notebook: Notebook) -> list[Figure]:
    """All figures in the saved outputs of code cells, in order. Progress bars do not count."""
    found = []
    for cell in notebook.cells:
        if cell.kind == "code" and cell.outputs:
            for number, line in enumerate(re.split(r"[\r\n]", cell.outputs)):
                if not _PROGRESS.search(line):
                    found.extend(_in_line(line, cell.number, number))
    return found


def _in_line(line: str, cell: int, number: int) -> Iterator[Figure]:
    text = _ASIDE.sub(" ", line.lower())
    split: Split = ""
    metric: Metric | None = None
    end = 0
    for match in _TOKEN.finditer(text):
        kind = "number" if match["number"] else match.lastgroup
        if kind in ("train", "valid", "test"):
            split = kind  # type: ignore[assignment]
        elif kind != "number":
            metric = "learning rate" if kind == "rate" else kind  # type: ignore[assignment]
            end = match.end()
        elif metric is not None:
            percent = match["percent"] is not None
            near = _BETWEEN.fullmatch(text[end : match.start()]) is not None
            if near or (percent and metric == "accuracy"):
                value = float(match["number"])
                if metric == "accuracy" and match["whole"]:
                    value *= 100 / max(1, int(match["whole"]))  # 6696/10000
                elif metric == "accuracy" and not percent and 0 <= value <= 1 and "." in match["number"]:
                    value *= 100  # a share
                yield Figure(metric, split, value, cell, number, match["number"])
                metric = None


def of(found: Sequence[Figure], metric: Metric, *splits: Split) -> list[Figure]:
    """The figures of one kind."""
    return [figure for figure in found if figure.metric == metric and figure.split in splits]


def of_model(notebook: Notebook, found: Sequence[Figure], wanted: str) -> list[Figure]:
    """The figures of the model that is graded, where the notebook has others too (a variant with attention, say).

    A cell's figures belong to the model that was built last above it. A model is what is made of a class of the
    notebook and is no part of another; without several such classes every figure belongs to the one.
    """
    classes = set(re.findall(r"^class (\w+)", "\n".join(cell.source for cell in notebook.cells), re.MULTILINE))
    built = [(cell.number, name) for cell in notebook.cells for name in _models(cell.source, classes)]
    if wanted not in {name for _, name in built} or len({name for _, name in built}) < 2:
        return list(found)
    owner = {
        cell.number: next((name for number, name in reversed(built) if number <= cell.number), wanted)
        for cell in notebook.cells
    }
    own = [figure for figure in found if owner.get(figure.cell) == wanted]
    return own or list(found)


def _models(source: str, classes: set[str]) -> list[str]:
    """The classes of the notebook of which a cell makes models, in order; parts of other models are none."""
    made = re.findall(r"^(\w+)\s*=\s*(\w+)\((.*)", source, re.MULTILINE)
    calls = [(name, called, rest) for name, called, rest in made if called in classes]
    used = {word for _, _, rest in calls for word in re.findall(r"\w+", rest)}
    return [called for name, called, _ in calls if name not in used and called not in used]


def log_lines(found: Sequence[Figure]) -> int:
    """How many different printed lines hold figures: the length of the training log."""
    return len({(figure.cell, figure.line) for figure in found})


def final(candidates: Sequence[Figure], good: float, *, larger: bool) -> Figure:
    """The last figure; or the best one, when only that reaches `good` (a notebook may end with another try)."""
    last = candidates[-1]
    best = max(candidates, key=lambda figure: figure.value if larger else -figure.value)
    reached = last.value >= good if larger else last.value < good
    return last if reached else best


def typed(notebook: Notebook, figure: Figure) -> bool:
    """Whether the printed number stands as such in a string or print of the code of its cell."""
    cell = next(cell for cell in notebook.cells if cell.number == figure.cell)
    code = "\n".join(line.split("#")[0] for line in cell.source.split("\n"))
    return "." in figure.text and re.search(rf"(?<![\w.]){re.escape(figure.text)}(?![\w])", code) is not None


def oddities_of_perplexity(found: Sequence[Figure], chosen: Figure) -> list[str]:
    """What looks odd about a printed test perplexity."""
    odd = []
    if chosen.value < 2:
        odd.append(
            f"a perplexity of {chosen.value:g} is lower than this data allows without seeing the targets; "
            "see the check of what the decoder is fed"
        )
    same_line = [f for f in of(found, "loss", chosen.split) if (f.cell, f.line) == (chosen.cell, chosen.line)]
    if same_line and abs(math.exp(min(same_line[0].value, 50)) / chosen.value - 1) > 0.02:
        odd.append(f"it is not the exponential of the loss {same_line[0].value:g} printed beside it")
    # That it equals a validation figure is no sign: the given cell prints the validation loss under the test's name.
    return odd


def plotted(notebook: Notebook) -> tuple[bool, bool]:
    """(perplexities, learning rates): whether a cell with a saved figure plots them."""
    drawn = [cell for cell in notebook.cells if cell.kind == "code" and cell.has_image]
    lines = "\n".join(_with_helper(cell, notebook) for cell in drawn).lower().split("\n")
    text = "\n".join(line for line in lines if _PLOTS.search(line))
    perplexity = re.search(r"ppl|perplexit", text) is not None
    rate = re.search(r"learning.?rates?|(?<![a-z])lrs?(?![a-z])", text) is not None
    return perplexity, rate


def _with_helper(cell: Cell, notebook: Notebook) -> str:
    """The source of a cell, with the plotting functions of other cells, and with what all that it calls comes to."""
    called = set(re.findall(r"(\w*plot\w*|\w*draw\w*|\w*show\w*)\s*\(", cell.source))
    code = notebook.code_cells
    helpers = [other.source for other in code if any(f"def {name}(" in other.source for name in called)]
    own = _nodes(cell)
    steps = followed(own, functions_of(step for other in code for step in _nodes(other)))
    return "\n".join([cell.source, *helpers, *(ast.unparse(step) for step in steps if step not in own)])


def _nodes(cell: Cell) -> list[ast.stmt]:
    return [piece.node for piece in cell.statements if piece.node is not None]
