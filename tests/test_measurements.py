"""The page of measurements says what the stored evidence says."""

from pathlib import Path

import pytest

from benchmarks import mistakes, trainings

PAGE = Path(__file__).parents[1] / "docs" / "measurements.md"


@pytest.mark.parametrize(("source", "trainings_known"), [("real", 18), ("made", 19)])
def test_the_tables_of_trainings_are_those_of_the_evidence(source, trainings_known):
    rows = trainings.table(source)
    assert len(rows) >= trainings_known, "every training item of the five assignments has its evidence"
    page = PAGE.read_text(encoding="utf-8").splitlines()
    outdated = [row for row in rows if row not in page]
    assert not outdated, "put the output of `python -m benchmarks.trainings` into docs/measurements.md"


def test_the_tables_of_mistakes_are_those_of_the_kept_submissions():
    page = PAGE.read_text(encoding="utf-8").splitlines()
    outdated = [row for row in mistakes.tables() if row not in page]
    assert not outdated, "put the output of `python -m benchmarks.mistakes` into docs/measurements.md"
