"""The evidence file: what calibration measured is written, read back unchanged, and held against the manifest."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.assignment.assignment import Assignment, Budget, Evidence, Item, Part, Question, Training, evidence_key
from grader.assignment.training import EVIDENCE, read_evidence
from grader.errors import AuthorError, UsageError
from grader.model import CheckResult
from grader.proof import evidence

BUDGET = Budget(steps=60, seconds=3, full=0.9)
TRAINING = Training(metric="accuracy", counted="top-1", made=BUDGET, real=replace(BUDGET, steps=90), data="points")
ONE = Evidence(
    figures=(0.95, 0.955, 0.96, 0.965, 0.97), seeds=("1", "2", "3", "4", "5"), mean=0.96, spread=0.007906,
    false_fail=0.000321,
    steps=60, seconds=0.33, device="cpu", data="made by code", versions="torch 2.13.0+cpu", memory_mib=256.6,
)  # fmt: skip


def item(name, training=TRAINING):
    return Item(id=name, question="1", points=Decimal(1), part="1" if training else None, training=training)


def assignment(suite: Path, *items: Item, **more) -> Assignment:
    return Assignment(
        slug="hw", title="Homework", suite=suite, reference=Path("r"), template=Path("t"), total=Decimal(2),
        files=(), questions=(Question(id="1", title="One"),), parts=(Part(id="1", title="One", question="1"),),
        items=items or (item("a"), item("b"), item("plain", None)), **more,
    )  # fmt: skip


def measured(value, **more):
    figures = {"counts": True, "source": "made", "value": value, "standard_error": 0.0, "seconds": 0.5, "data": "",
               "device": "cpu", "peak_mib": 100.0, **more}  # fmt: skip
    return CheckResult(item="a", status="passed", credit=1.0, figures={"training": figures})


def assessed(of, runs, rivals, source):
    return evidence.assessed(of, evidence.measured_of(of, runs, source, "torch 2"), rivals, source)


# --- from runs ----------------------------------------------------------------------------------------------------


def test_evidence_of_runs():
    runs = {"s1": measured(0.95, seconds=0.5), "s2": measured(0.97, seconds=0.7, peak_mib=None)}
    found = assessed(item("a"), runs, [], "made")
    assert (found.figures, found.seeds, found.mean) == ((0.95, 0.97), ("s1", "s2"), 0.96)
    assert found.spread == pytest.approx(0.014142)
    assert (found.steps, found.seconds, found.memory_mib, found.data) == (60, 0.6, 100.0, "made by code")
    assert 0 < found.false_fail < 0.1


def test_more_seeds_join_those_that_were_measured():
    runs = {f"s{number}": measured(0.95 + number / 100, seconds=number, peak_mib=number) for number in (1, 2, 3, 4)}
    whole = evidence.measured_of(item("a"), runs, "made", "torch 2")
    first, last = dict(list(runs.items())[:3]), dict(list(runs.items())[3:])
    parts = [evidence.measured_of(item("a"), some, "made", "torch 2") for some in (first, last)]
    assert evidence.joined(*parts) == whole
    with pytest.raises(UsageError, match=r"has versions torch 2, what was measured now torch 3: measure all of it"):
        evidence.joined(parts[0], replace(parts[1], versions="torch 3"))


def test_evidence_on_real_data_names_it():
    runs = {seed: measured(0.95, source="real", data=data) for seed, data in (("s1", "drawn points"), ("s2", "x"))}
    found = evidence.measured_of(item("a"), runs, "real", "torch 2")
    assert (found.data, found.steps) == ("drawn points", 90)
    unnamed = {seed: measured(0.95, source="real", data="") for seed in ("s1", "s2")}
    assert evidence.measured_of(item("a"), unnamed, "real", "torch 2").data == "points"


def test_a_challengers_evidence_is_held_against_its_rival():
    challenger = item("a", replace(TRAINING, beats="b"))
    runs = {"s1": measured(0.95), "s2": measured(0.97), "s3": measured(0.96)}
    easy = assessed(challenger, runs, [0.5, 0.5, 0.5], "made")
    hard = assessed(challenger, runs, [0.95, 0.96, 0.97], "made")
    assert easy.false_fail < 0.05
    assert hard.false_fail == pytest.approx(0.5, abs=0.01)


def test_a_threshold_rests_on_the_processors_evidence_where_there_is_some(tmp_path):
    on_gpu = replace(ONE, device="cuda", seconds=0.1)
    both = replace(assignment(tmp_path), evidence={"a": {"made on cuda": on_gpu, "made": ONE}})
    assert both.evidence_of("a", "made") == ONE
    alone = replace(both, evidence={"a": {"made on cuda": on_gpu}})
    assert alone.evidence_of("a", "made") == on_gpu
    assert alone.evidence_of("a", "real") is None


def test_evidence_of_two_devices_stands_side_by_side(tmp_path):
    evidence.write(assignment(tmp_path), {"a": {evidence_key("made", "cpu"): ONE}})
    elsewhere = replace(ONE, device="cuda", seconds=0.1)
    evidence.write(assignment(tmp_path), {"a": {evidence_key("made", "cuda"): elsewhere}})
    found = read_evidence(tmp_path)["a"]
    assert {name: entry.seconds for name, entry in found.items()} == {"made": ONE.seconds, "made on cuda": 0.1}


# --- the file -----------------------------------------------------------------------------------------------------


def test_without_the_file_there_is_none(tmp_path):
    assert read_evidence(tmp_path) == {}


def test_what_is_written_is_read(tmp_path):
    path = evidence.write(assignment(tmp_path), {"a": {"made": ONE}})
    assert path == tmp_path / EVIDENCE
    assert path.read_text().startswith("# Written by `grader calibrate`")
    assert read_evidence(tmp_path) == {"a": {"made": ONE}}


def test_other_items_and_sources_are_kept_and_those_that_are_gone_dropped(tmp_path):
    rubric = assignment(tmp_path)
    evidence.write(
        assignment(tmp_path, item("a"), item("b"), item("gone")), {"a": {"made": ONE}, "gone": {"made": ONE}}
    )
    newer = replace(ONE, mean=0.5)
    evidence.write(rubric, {"a": {"real": ONE}})
    evidence.write(rubric, {"b": {"made": ONE}, "a": {"made": newer}})
    assert read_evidence(tmp_path) == {"a": {"made": newer, "real": ONE}, "b": {"made": ONE}}


def test_nothing_found_is_an_empty_file(tmp_path):
    evidence.write(assignment(tmp_path), {})
    assert read_evidence(tmp_path) == {}


def test_the_file_does_not_depend_on_the_order_of_runs(tmp_path):
    texts = []
    for order in (("a", "b"), ("b", "a")):
        folder = tmp_path / "".join(order)
        folder.mkdir()
        for name in order:
            path = evidence.write(assignment(folder), {name: {"made": ONE}})
        texts.append(path.read_text())
    assert texts[0] == texts[1]


NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=200)


@given(
    st.builds(
        Evidence,
        figures=st.lists(NUMBERS, max_size=30).map(tuple),
        seeds=st.lists(WORDS, max_size=30).map(tuple),
        mean=NUMBERS, spread=NUMBERS, false_fail=NUMBERS, steps=st.integers(1, 10**9), seconds=NUMBERS, device=WORDS,
        data=WORDS, versions=WORDS, memory_mib=NUMBERS, worst=WORDS,
        styles=st.dictionaries(st.text("abc ", min_size=1).map(str.strip).filter(bool),
                               st.lists(NUMBERS, max_size=4).map(tuple), max_size=3),
    )
)  # fmt: skip
def test_any_evidence_is_read_as_it_was_written(tmp_path_factory, one):
    folder = tmp_path_factory.mktemp("evidence")
    key = evidence_key("made", one.device)
    evidence.write(assignment(folder), {"a": {key: one}})
    assert read_evidence(folder) == {"a": {key: one}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n", ":1: expected items with their evidence"),
        ("a: [1\n", "not valid YAML"),
        ("a:\n  made: {mean: 0.5}\n", "is missing; write it anew by `grader calibrate`"),
        ("a: 3\n", "a: expected keys and values"),
        ("a: {made: }\n", "expected keys and values"),
    ],
)
def test_a_damaged_file_is_named_with_its_line(tmp_path, text, said):
    (tmp_path / EVIDENCE).write_text(text)
    with pytest.raises(AuthorError) as caught:
        read_evidence(tmp_path)
    assert EVIDENCE in str(caught.value)
    assert said in str(caught.value)


@given(st.binary(max_size=100))
def test_no_bytes_break_the_reader(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("evidence")
    (folder / EVIDENCE).write_bytes(content)
    with contextlib.suppress(AuthorError):
        assert read_evidence(folder) == {}


def test_the_chance_is_that_of_the_worst_style(tmp_path):
    wide = (0.85, 0.99, 0.97, 0.99)
    entry = evidence.assessed(
        item("a"), replace(ONE, styles={"narrow": (0.96, 0.961, 0.962), "wide": wide}), [], "made"
    )
    assert entry.worst == "wide"
    assert entry.false_fail > 0.001 > ONE.false_fail
    assert entry.widest == pytest.approx(0.0675, abs=0.001)
    rubric = assignment(tmp_path, item("a"), evidence={"a": {"made": entry}})
    [problem] = evidence.problems(rubric)
    assert "of right submissions (wide) on made data" in problem
    assert evidence.with_present_thresholds(rubric)["a"]["made"] == entry
    alike = evidence.assessed(item("a"), replace(ONE, styles={"alike": ONE.figures}), [], "made")
    assert (alike.worst, alike.false_fail) == ("", pytest.approx(ONE.false_fail, abs=1e-3))


def test_a_style_that_was_trained_once_or_twice_spreads_as_the_reference_does():
    def chance(*figures):
        return evidence.assessed(item("a"), replace(ONE, styles={"other": figures}), [], "made").false_fail

    mean = ONE.mean
    assert chance(mean - 0.05) > chance(mean) >= ONE.false_fail
    assert chance(mean - 0.05, mean - 0.05) > 0, "that both are alike is no sign of a small spread"
    assert chance(mean - 0.05, mean - 0.05, mean - 0.05) <= chance(mean - 0.05, mean - 0.05)


# --- against the manifest -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"made": ONE}, []),
        ({"made": ONE, "real": replace(ONE, steps=90)}, []),
        ({}, ["item 'a' has no evidence for its threshold: run `grader calibrate`"]),
        ({"real": replace(ONE, steps=90)}, ["item 'a' has no evidence for its threshold: run `grader calibrate`"]),
        ({"made": replace(ONE, steps=61)}, ["item 'a': the evidence on made data is of another budget of steps"]),
        ({"made": replace(ONE, figures=(0.90, 0.95, 0.96, 0.97, 0.98))},
         ["item 'a' fails 0.65% of right submissions on made data; wanted < 0.1%"]),
        ({"made": replace(ONE, false_fail=0.0099)},
         ["item 'a': evidence.yaml says that 0.99% of right submissions fail on made data, now it is 0.03%: run "
          "`grader calibrate hw --rates`"]),
    ],
)  # fmt: skip
def test_problems(tmp_path, known, said):
    rubric = assignment(tmp_path, item("a"), item("plain", None), evidence={"a": known})
    assert evidence.problems(rubric) == said


def test_a_changed_threshold_is_held_against_the_stored_figures(tmp_path):
    stricter = replace(TRAINING, made=replace(BUDGET, full=0.95))
    rubric = assignment(tmp_path, item("a", stricter), evidence={"a": {"made": ONE}})
    [problem] = evidence.problems(rubric)
    assert "of right submissions on made data; wanted < 0.1%" in problem
    lenient = replace(TRAINING, made=replace(BUDGET, full=0.91))
    rubric = assignment(tmp_path, item("a", lenient), evidence={"a": {"made": ONE}})
    [problem] = evidence.problems(rubric)
    assert "grader calibrate hw --rates" in problem
    [anew] = evidence.with_present_thresholds(rubric)["a"].values()
    assert anew.false_fail > ONE.false_fail
    assert replace(anew, false_fail=ONE.false_fail) == ONE
    assert evidence.problems(replace(rubric, evidence={"a": {"made": anew}})) == []


@pytest.mark.parametrize("rival", [None, ONE, replace(ONE, figures=(0.5, 0.6), mean=0.55, seeds=("1", "2"))])
def test_a_changed_rival_is_held_against_too(tmp_path, rival):
    challenger = item("a", replace(TRAINING, beats="b", made=replace(BUDGET, full=None)))
    known = {"a": {"made": ONE}, **({} if rival is None else {"b": {"made": rival}})}
    rubric = assignment(tmp_path, challenger, item("b"), evidence=known)
    chance = evidence.with_present_thresholds(rubric)["a"]["made"].false_fail
    if rival is None:
        assert chance == ONE.false_fail
    elif rival is ONE:
        assert chance == 0  # as good as its rival with every seed
    else:
        assert 0 < chance < 1e-4


def test_evidence_on_data_that_the_item_does_not_use_is_a_problem(tmp_path):
    rubric = assignment(
        tmp_path, item("a", replace(TRAINING, real=None)), evidence={"a": {"made": ONE, "real": ONE, "rael": ONE}}
    )
    assert len(evidence.problems(rubric)) == 2
