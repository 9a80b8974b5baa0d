"""Reference notebooks, kept as Python in the percent format, → template notebooks.

    # %% [markdown]
    # ## Question 1
    # %%
    # %matplotlib inline            a magic is written as a comment and becomes a magic again in the notebook
    # !pip install portalocker

To the tokenizer a magic is a comment like any other: outside regions it stays, inside a region it goes with the
solution. A region lies inside one cell. In a Markdown cell a region without replacement lines becomes a line that asks
for the answer.
"""

from __future__ import annotations

import bisect
import json
import re

from grader.errors import AuthorError
from grader.parsing.notebooks import to_notebook_text
from grader.templates.markers import Region, find_regions, python_comments, split_lines
from grader.templates.strip import strip_with

ANSWER = "# *Write your answer here.*"
_BORDER = re.compile(r"#\s*%%(?!%)")
_MARKDOWN = re.compile(r"#\s*%%.*\[(markdown|md)\]")


def strip_notebook(percent: str, path: str) -> str:
    """The template of a notebook, still in percent format. Raises AuthorError like `strip`."""
    source = "".join(line + "\n" for line, _ in split_lines(percent.removeprefix("\ufeff")))
    comments = python_comments(source, path)
    borders = [comment for comment in comments if comment.indent == "" and _BORDER.match(comment.text)]
    starts = [border.line for border in borders]
    for region in find_regions(comments, path):
        crossed = next((line for line in starts if region.covers(line)), None)
        if crossed is not None:
            raise AuthorError(
                f"a cell begins inside the region of line {region.begin}; give every cell its own region", path, crossed
            )

    def replace(region: Region) -> tuple[str, ...] | None:
        place = bisect.bisect(starts, region.begin) - 1
        if region.replacement is None and place >= 0 and _MARKDOWN.match(borders[place].text):
            return (ANSWER,)
        return region.replacement

    return strip_with(percent, path, replace)


def template_notebook(percent: str, path: str) -> str:
    """The template as `.ipynb` text: outputs and counts cleared, cell ids the same on every run."""
    return to_notebook_text(strip_notebook(percent, path), None)


def shown_text(notebook: str) -> str:
    """Everything that a notebook file shows: the sources of all cells, one after the other."""
    cells = json.loads(notebook)["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells)


def carried_results(notebook: str) -> list[int]:
    """The numbers (from 1) of the cells that carry outputs or an execution count; a template has none."""
    cells = json.loads(notebook)["cells"]
    return [number for number, cell in enumerate(cells, 1) if cell.get("outputs") or cell.get("execution_count")]
