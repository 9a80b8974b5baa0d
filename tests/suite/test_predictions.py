"""Predictions that were handed in: what is read, what is refused and in which words, and what is measured."""

import io
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_assignment import open_for_workers

from grader.assignment.assignment import Predictions
from grader.commands.shared import open_assignment
from grader.errors import AuthorError
from grader.intake.layout import digest_of
from grader.model import Submission
from grader.platforms.feedback import leaders
from grader.proof.demands import guess_problems
from grader.run.grading import grade_in_memory
from grader.sandbox.launch import unconfined
from grader.scoring import score
from grader.suite.agreement import Disagreement, PartialCredit
from grader.suite.predictions import figure, guessed, labels_of, measured

LABELS = "id,label\n" + "".join(f"r{number},{'abc'[number % 3]}\n" for number in range(10))
NUMBERS = "x,y\n" + "".join(f"{number},{number / 2}\n" for number in range(4))
ACCURACY = Predictions(labels="labels.csv", metric="accuracy", full=0.9, credit=((0.5, 0.5),))
ERROR = Predictions(labels="labels.csv", metric="mse", full=0.1, credit=((1.0, 0.0),))


@dataclass
class Handed:
    raw: bytes
    path: str = "predictions.csv"

    def content(self, file_id):
        return self.raw

    def name(self, file_id):
        return self.path


def outcome(tmp_path, raw, wanted=ACCURACY, labels=LABELS, path="predictions.csv"):
    """(credit, what is said)."""
    (tmp_path / "labels.csv").write_text(labels)
    try:
        measured(Handed(raw if isinstance(raw, bytes) else raw.encode(), path), "p", tmp_path / "labels.csv", wanted)
    except PartialCredit as partial:
        return partial.credit, partial.message
    except Disagreement as wrong:
        return 0.0, str(wrong)
    raise AssertionError("nothing was said")


def npy(array, **options):
    stream = io.BytesIO()
    numpy.save(stream, array, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        str.encode,
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace(",", ";").replace("\n", "\r\n\r\n").encode(),
        lambda text: "\n".join([text.split("\n")[0], *reversed(text.strip().split("\n")[1:])]).encode(),
        lambda text: "\n".join(",".join(reversed(line.split(","))) for line in text.strip().split("\n")).encode(),
    ],
)
def test_what_spreadsheets_save_is_read(tmp_path, change):
    assert outcome(tmp_path, change(LABELS)) == (1.0, "accuracy 1 on 10 rows; wanted at least 0.9.")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ("", "the first line must name the columns id, label"),
        (LABELS.split("\n", 1)[1], "the first line must name the columns id, label; it is 'r0, a'"),
        (LABELS.replace("r3,a\n", ""), "1 ids are missing, such as 'r3'"),
        (LABELS + "r77,a\n", "1 ids were not asked for, such as 'r77'"),
        (LABELS + "r0,b\n", "the id 'r0' stands in lines 2 and 12"),
        (LABELS.replace("r4,b", "r4,"), "line 6: 'label' is empty"),
        (LABELS.replace("r4,b", "r4,b,c"), "line 6 does not have 2 short cells"),
        (LABELS.replace("r4,b", "r4," + "b" * 300), "line 6 does not have 2 short cells"),
        (LABELS.replace("r4,b", "r4,\u00e9").encode("latin-1"), "line 6 is not UTF-8; save it as CSV UTF-8"),
        (LABELS.replace("r4,b", "r4,\0"), "such cells"),
        ("id,label\n" + "x" * 200_000, "is no line of a CSV"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path, raw, said):
    if said == "such cells":  # what it holds is no label, and costs that row alone
        assert outcome(tmp_path, raw)[0] == 1.0
        return
    credit, text = outcome(tmp_path, raw)
    assert credit == 0.0
    assert text.startswith("The predictions cannot be used: ")
    assert said in text


@pytest.mark.parametrize("cell", ["nan", "inf", "-Infinity", "two"])
def test_numbers_are_finite(tmp_path, cell):
    raw = NUMBERS.replace("2,1.0", f"2,{cell}")
    credit, text = outcome(tmp_path, raw, ERROR, NUMBERS)
    assert credit == 0.0
    assert f"line 4: a finite number is expected in 'y'; 1 such cells, the first holds '{cell}'" in text


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (npy(numpy.zeros((4, 3))), "the array has shape (4, 3), expected (4, 2)"),
        (npy(numpy.zeros((4, 2)))[:-1], "the file is cut short"),
        (npy(numpy.array([{"a": 1}] * 4, dtype=object), allow_pickle=True), "an array of object is not read"),
        (npy(numpy.full((4, 2), numpy.nan)), "row 0: a finite number is expected in 'x'"),
        (b"PK\3\4 an archive", "it is no .npy file"),
        (b"\x93NUMPY\x09\x09junk", "it is no .npy file"),
        (npy(numpy.zeros((4, 2))).replace(b"(4, 2)", b"(9, 2)"), "the array has shape (9, 2)"),
    ],
)
def test_what_is_wrong_with_an_array_is_said(tmp_path, raw, said):
    credit, text = outcome(tmp_path, raw, ERROR, NUMBERS, "p.npy")
    assert credit == 0.0
    assert said in text


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f4", "f8", ">f8"])
def test_an_array_is_read_in_whatever_order_it_lies(tmp_path, order, dtype):
    truth = numpy.array([[number, number / 2] for number in range(4)], dtype=dtype, order=order)
    assert outcome(tmp_path, npy(truth), ERROR, NUMBERS, "p.npy")[0] == 1.0
    assert outcome(tmp_path, npy(truth + 1), ERROR, NUMBERS, "p.npy") == (0.0, "mse 1 on 4 rows; wanted at most 0.1.")


def test_partial_credit_lies_between_the_marks(tmp_path):
    wrong = LABELS.replace("r0,a", "r0,z").replace("r1,b", "r1,z").replace("r2,c", "r2,z")
    credit, text = outcome(tmp_path, wrong)
    assert credit == pytest.approx(0.75)
    assert text == "accuracy 0.7 on 10 rows; wanted at least 0.9."


def columns(values):
    return {"label": [str(value) for value in values]}


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30))
def test_figures_are_those_of_their_definitions(pairs):
    mine, theirs = numpy.array(pairs, dtype=float).T
    found, truth = columns(mine), columns(int(value) for value in theirs)  # 3.0 is 3
    assert figure("accuracy", found, truth) == pytest.approx(float((mine == theirs).mean()))
    assert figure("mse", found, truth) == pytest.approx(float(((mine - theirs) ** 2).mean()))
    assert figure("rmse", found, truth) == pytest.approx(float(((mine - theirs) ** 2).mean() ** 0.5))
    assert figure("mae", found, truth) == pytest.approx(float(abs(mine - theirs).mean()))
    shares = [
        2 * ((mine == label) & (theirs == label)).sum() / ((mine == label).sum() + (theirs == label).sum())
        for label in set(theirs)
    ]
    assert figure("macro_f1", found, truth) == pytest.approx(float(numpy.mean(shares)))
    assert guessed("accuracy", truth) == pytest.approx(max(float((theirs == label).mean()) for label in theirs))
    assert guessed("mse", truth) == pytest.approx(float(theirs.var()), abs=1e-9)


@pytest.mark.parametrize("text", ["", "id,label\n", "id\n1\n", "id,label\n1,a\n1,b\n", "id,label\n1\n"])
def test_labels_that_are_none_are_their_authors_fault(tmp_path, text):
    (tmp_path / "labels.csv").write_text(text)
    with pytest.raises(AuthorError):
        labels_of(tmp_path / "labels.csv")


# --- in an assignment -----------------------------------------------------------------------------------------

MANIFEST = """slug: pred
title: Predictions
files: [notes.py]
predictions:
  test_set: {file: predictions.csv, labels: LABELS, metric: accuracy, full: 0.9, credit: [[LEAST, 0.5]], points: 5}
leaderboard: [test_set]
KIT
"""


def assignment(root: Path, labels="labels.csv", least="0.5", kit=""):
    suite, reference = root / "test_suites" / "pred", root / "reference_solutions" / "pred"
    for folder in (suite, reference, root / "student_templates" / "pred"):
        folder.mkdir(parents=True, exist_ok=True)
    text = MANIFEST.replace("LABELS", labels).replace("LEAST", least).replace("KIT", kit)
    (suite / "assignment.yaml").write_text(text)
    (suite / "labels.csv").write_text(LABELS)
    (reference / "predictions.csv").write_text(LABELS)
    (reference / "notes.py").write_text("x = 1\n")
    return open_assignment("pred", root)


def test_a_class_is_graded_by_labels_that_only_the_judge_has(tmp_path):
    folders, found = assignment(open_for_workers(tmp_path))
    wrong = {"right": LABELS, "half": LABELS.replace(",a", ",b"), "none": None}
    submissions = []
    for key, text in wrong.items():
        root = tmp_path / "work" / key
        root.mkdir(parents=True)
        (root / "notes.py").write_text("x = 1\n")
        files = {"notes": "notes.py"}
        if text is not None:
            (root / "predictions.csv").write_text(text)
            files["predictions"] = "predictions.csv"
        submissions.append(Submission(key=key, root=root, digest=digest_of(root), files=files))
    graded = grade_in_memory(found, folders, submissions, seed="s", items=("test_set",), workers=unconfined())
    results = {entry.key: entry.results["test_set"] for entry in graded}
    assert [(one.status, round(one.credit, 3)) for one in results.values()] == [
        ("passed", 1.0), ("failed", 0.625), ("not_attempted", 0.0)
    ]  # fmt: skip
    assert results["half"].message == "accuracy 0.6 on 10 rows; wanted at least 0.9."
    assert "predictions.csv was not handed in" in results["none"].message
    entry = {"name": "test_set", "value": 0.6, "order": "desc"}
    [leader] = leaders(found, score(graded[1], found))
    assert {**leader, "name": "test_set"} == entry
    assert json.dumps(dict(leader))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"labels": "label.csv"},
            ":5: labels: no file 'label.csv' beside the manifest; there is labels.csv; did you mean",
        ),
        ({"least": "0.95"}, ":5: credit: expected the points from the best figure to the worst"),
        ({"kit": "kit: [test_set]"}, ":7: kit: test_set would show the labels; leave it out"),
    ],
)
def test_a_manifest_is_told_what_is_wrong(tmp_path, changes, said):
    with pytest.raises(AuthorError, match=r"assignment\.yaml") as error:
        assignment(tmp_path, **changes)
    assert said in str(error.value)


def test_an_answer_that_is_everywhere_the_same_may_earn_nothing(tmp_path):
    _, found = assignment(tmp_path)
    assert guess_problems(found) == []
    [item] = found.items
    generous = replace(found, items=(replace(item, predictions=replace(item.predictions, full=0.4, credit=())),))
    [problem] = guess_problems(generous)
    assert "the same answer for every row has accuracy 0.4 and earns 100%" in problem
