"""The item that a single call cannot say."""

import cases
import probes
from hypothesis import given

from grader.suite import assert_agrees, item


@item("norm.seen")
@given(case=cases.seen_cases())
def test_norm_seen(student, reference, case):
    """After training, evaluation uses what is known of all batches, and a state that is loaded knows it too."""
    values = student.run(probes.norm_seen, case)
    assert_agrees(values, reference.run(probes.norm_seen, case))
