"""An index reads a result by the ends of its line: what it gives is what the line says as a whole."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grader.model import CheckResult, Submission
from grader.results.index import Index
from grader.results.journal import Journal, read
from grader.results.lines import beginning, read_result

ENDS = '","observation":"ab","seconds":1.0,"sentence":"'
TEXT = st.text(max_size=20) | st.sampled_from([ENDS, "\\", '"', "é\u2028\n", "\ud800"])
FIGURES = st.dictionaries(
    st.sampled_from(["observation", "seconds", "x"]), TEXT | st.floats() | st.integers(), max_size=3
)


@st.composite
def any_result(draw):
    names = ("message", "hint", "case", "binding", "output", "staff", "sentence")
    return CheckResult(
        item=draw(st.sampled_from(["a", ENDS])),
        status=draw(st.sampled_from(["passed", "failed"])),
        figures=draw(FIGURES | st.fixed_dictionaries({"inner": FIGURES})),
        notes=tuple(draw(st.lists(TEXT, max_size=2))),
        observation=draw(st.sampled_from(["", "0fe1"]) | TEXT),
        seconds=draw(st.sampled_from([0, 0.25, 1e-05, 1e22]) | st.floats()),
        **{name: draw(TEXT) for name in names},
    )


@settings(max_examples=150, deadline=None)
@given(any_result(), st.sampled_from(["ada", 'a"b', "ä\\"]), st.lists(st.floats(0, 9), min_size=1, max_size=3))
def test_an_index_reads_what_the_journal_says(result, key, seconds):
    """Several times: what is kept of the first line is used for those like it."""
    with TemporaryDirectory() as place:
        folder = Path(place) / "grades"
        with Journal(folder, "tiny") as journal:
            journal.start_run("tiny", "seed", {})
            for number, more in enumerate(seconds):
                journal.submission(Submission(key=f"{key}{number}", root=Path("/nowhere"), digest="d"))
                journal.result(f"{key}{number}", CheckResult(**{**vars_of(result), "seconds": more}), "stamp")
                journal.result(f"{key}{number}", CheckResult(**{**vars_of(result), "item": "b"}), "other")
        index, whole = Index(folder), read(folder).graded()
        # As text: not-a-number is no number's equal.
        assert [repr(with_took(index.graded(one.key))) for one in whole] == [repr(one) for one in whole]


def with_took(graded):
    results = {
        item: replace(result, observation=graded.took[item][0], seconds=graded.took[item][1])
        if item in graded.took
        else result
        for item, result in graded.results.items()
    }
    return replace(graded, results=results, took={})


def test_a_later_line_that_is_read_as_a_whole_takes_nothing_from_an_earlier_one(tmp_path):
    """What the first one took is told beside its result, and must not be told of the second."""
    with Journal(tmp_path / "grades", "tiny") as journal:
        journal.start_run("tiny", "seed", {})
        journal.submission(Submission(key="ada", root=Path("/nowhere"), digest="d"))
        journal.result("ada", CheckResult(item="a", status="failed", observation="ab", seconds=0.5), "stamp")
        journal.result("ada", CheckResult(item="a", status="passed", observation="no digest", seconds=2.5), "stamp")
    found = Index(tmp_path / "grades").graded("ada")
    assert (found.results["a"].seconds, found.took) == (2.5, {})


def vars_of(result):
    return {name: getattr(result, name) for name in CheckResult.__slots__}


def line_of(**fields):
    record = {"kind": "result", "key": "k", "stamp": "s", "result": {"item": "a", "status": "passed", **fields}}
    return json.dumps(record, separators=(",", ":")).encode()


def test_what_is_read_is_shared_by_lines_that_differ_in_what_they_took():
    usual = {"figures": {"x": 1}, "notes": ["one"]}
    lines = [line_of(**usual, observation="ab", seconds=took, sentence="It.") for took in (0.5, 1.5)]
    (first, before), (second, after) = [read_result(line, beginning("k")) for line in lines]
    assert (before, after) == (("ab", 0.5), ("ab", 1.5))
    assert first is second
    assert (first.figures, first.notes, first.observation, first.seconds) == ({"x": 1}, ("one",), "", 0.0)


def test_a_training_is_read_as_a_whole():
    line = line_of(figures={"training": {"value": 0.5}}, notes=[], observation="", seconds=1.5, sentence="")
    assert read_result(line, beginning("k")) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"observation": "ab", "seconds": 1, "sentence": "a whole number stays one"},
        {"observation": "no digest", "seconds": 1.0, "sentence": ""},
        {"observation": "ab", "seconds": 1.0, "sentence": 'a "quote"'},
        {"observation": "ab", "seconds": 1.0, "sentence": "", "figures": {}},
        {"figures": {"observation": "ab", "seconds": 1.0, "sentence": ""}},
        {"observation": "ab", "seconds": 1.0, "sentence": "x" * 9000},
    ],
)
def test_a_line_that_ends_otherwise_is_read_as_a_whole(fields):
    assert read_result(line_of(notes=[], **fields), beginning("k")) is None
    assert read_result(line_of(notes=[], observation="ab", seconds=1.0, sentence=""), beginning("another")) is None
