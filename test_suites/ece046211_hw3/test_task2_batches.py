"""Task 2: `get_batch`, and the sample that was printed."""

import re

from cases import batch_cases
from demands import not_attempted, notebook_of, require_run, text_of
from hypothesis import given
from probes import chunk

from grader.suite import assert_agrees, item, require


@item("get_batch.exact")
@given(case=batch_cases())
def test_get_batch(student, reference, submission, case):
    """`target` holds the word after every position of `data`, flattened as `data` is, also in the last chunk."""
    saved = notebook_of(submission)
    if saved.unfilled("get_batch"):
        not_attempted(student, "a complete get_batch")
    assert_agrees(student.run(chunk, case), reference.run(chunk, case))
    require_run(saved, [saved.defining("get_batch")])


@item("get_batch.sample")
def test_sample(student, submission):
    """A sample of `data` and `target` is printed."""
    saved = notebook_of(submission)
    cells = [cell for cell in saved.calling("get_batch") if ".backward" not in cell.calls]
    if not cells:
        not_attempted(student, "a sample made by get_batch")
    require_run(saved, cells[:1])
    model = saved.defining("TransformerModel")
    until = model.number if model else cells[-1].number + 1
    shown = [cell for cell in saved.cells if cell in cells or cells[0].number < cell.number < until]
    entries = re.findall(r"\w+|[^\w\s]", re.sub(r"(torch\.)?Size\([^)]*\)|device='[^']*'", "", text_of(saved, shown)))
    require(len(entries) >= 4, "The saved output shows no sample of data and target; their shapes are none.")
