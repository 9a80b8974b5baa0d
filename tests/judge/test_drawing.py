"""Which of the drawn cases a kit shows."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from grader.judge.drawing import telling
from grader.suite import Case


@dataclass(frozen=True)
class Sized(Case):
    batch: int
    masked: bool
    seed: int = 0


def drawn(batch, masked):
    return {"case": Sized(batch, masked)}


def test_sizes_of_one_and_flags_are_among_the_few():
    cases = [
        drawn(1, False),
        *(drawn(size, True) for size in (3, 4, 5)),
        drawn(1, True),
        drawn(4, False),
        drawn(6, True),
    ]
    kept = telling(cases, 3)
    assert {entry["case"].batch == 1 for entry in kept} == {True, False}
    assert {entry["case"].masked for entry in kept} == {True, False}


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=9, unique=True), st.integers(1, 4))
def test_never_the_first_and_at_most_a_few_each_once(sizes, most):
    cases = [drawn(*size) for size in sizes]
    kept = telling(cases, most)
    assert len(kept) == min(most, len(cases) - 1)
    assert all(entry in cases[1:] and kept.count(entry) == 1 for entry in kept)
