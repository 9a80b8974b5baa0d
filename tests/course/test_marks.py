"""`marks.csv`, as people and spreadsheets write it."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path

import pytest

from grader.assignment.assignment import Assignment, Item, Question
from grader.course import marks
from grader.errors import UsageError
from grader.model import Graded, Mark
from grader.scoring import score

ASSIGNMENT = Assignment(
    slug="hw", title="Homework", suite=Path("s"), reference=Path("r"), template=Path("t"), total=Decimal(5),
    files=(), questions=(Question(id="1", title="One"),), parts=(),
    items=(
        Item(id="proof", question="1", points=Decimal(3), kind="manual", title="=a proof"),
        Item(id="code", question="1", points=Decimal(2), part="p"),
    ),
)  # fmt: skip


def read(tmp_path: Path, content: str | bytes) -> tuple[Mark, ...]:
    path = tmp_path / "marks.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return marks.read(path, ASSIGNMENT)


def refusal(tmp_path: Path, content: str | bytes) -> list[str]:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, content)
    return str(caught.value).splitlines()


def test_a_plain_file(tmp_path):
    found = read(tmp_path, 'submission,item,points,comment,by\nann,proof,2.5,"good, short",gh\nann,code,0,,\n')
    assert found == (
        Mark(submission="ann", item="proof", points=Decimal("2.5"), comment="good, short", by="gh"),
        Mark(submission="ann", item="code", points=Decimal(0)),
    )


def test_all_points_and_none_can_be_given(tmp_path):
    assert [mark.points for mark in read(tmp_path, "submission,item,points\na,proof,3\nb,proof,0\n")] == [3, 0]


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffSubmission;Item;Points\r\nann;proof;2,5\r\n".encode(),
        b"submission\titem\tpoints\nann\tproof\t2.50\n",
        b"points,by,item,submission\n2.5,,proof,ann\n\n,,,\n",
        b'submission,item,points\n ann , proof ,"2,5"\n',
    ],
)
def test_what_spreadsheets_write(tmp_path, content):
    assert read(tmp_path, content) == (Mark(submission="ann", item="proof", points=Decimal("2.5")),)


def test_all_bad_lines_at_once(tmp_path):
    lines = refusal(
        tmp_path,
        "submission,item,points\nann,prof,1\nann,proof,4\nann,proof,two\nann,proof,-1\n,proof,1\n"
        "bob,proof,1\nbob,proof,2\nann,code,nan\nann,code,1e1\n",
    )
    assert lines[0].endswith("marks.csv: no mark was taken, because")
    assert lines[1:] == [
        "  line 2: unknown item 'prof'; did you mean 'proof'?",
        "  line 3: 4 points for proof, expected 0 to 3",
        "  line 4: the points are 'two', expected a number from 0 to 3",
        "  line 5: the points are '-1', expected a number from 0 to 3",
        "  line 6: the submission is missing",
        "  line 8: bob already has a mark for proof in line 7",
        "  line 9: the points are 'nan', expected a number from 0 to 2",
        "  line 10: the points are '1e1', expected a number from 0 to 2",
    ]


def test_line_numbers_count_lines_inside_quotes(tmp_path):
    lines = refusal(tmp_path, 'submission,item,points,comment\nann,proof,1,"two\nlines"\nbob,proof,9,\n')
    assert lines[1] == "  line 4: 9 points for proof, expected 0 to 3"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "an empty file"),
        (b"student,item,points\n", "expected the columns submission, item, points, comment, by; found student"),
        (b"submission,item\n", "expected the columns"),
        (b"submission,item,points,points\n", "expected the columns"),
        (b"submission,item,points\nann,proof,1,2,3\n", "line 2: 5 cells, expected 3"),
        (b'submission,item,points\nann,"proof,1\n', "not a CSV line"),
        (b"submission,item,points\nj\xfcrgen,proof,1\n", "line 2 is not UTF-8"),
    ],
)
def test_what_is_no_marks_file(tmp_path, content, said):
    assert said in "\n".join(refusal(tmp_path, content))


def test_a_missing_file(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        marks.read(tmp_path / "none.csv", ASSIGNMENT)


def test_the_template_asks_for_what_waits_and_reads_back(tmp_path):
    keys = ("ann", "=cmd()", "done")
    given = (Mark(submission="done", item="proof", points=Decimal(1)),)
    text = marks.template([score(Graded(key=key), ASSIGNMENT, given) for key in keys], ASSIGNMENT)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["submission"], row["item"], row["points"], row["maximum"], row["title"]) for row in rows] == [
        ("ann", "proof", "", "3", "'=a proof"),
        ("'=cmd()", "proof", "", "3", "'=a proof"),
    ]
    assert read(tmp_path, text) == (), "nothing is given yet"
    filled = text.replace("proof,,", "proof,2,")
    assert [(mark.submission, mark.points) for mark in read(tmp_path, filled)] == [("ann", 2), ("=cmd()", 2)]


def test_strangers_are_found_with_their_lines():
    given = [
        Mark(submission=key, item="proof", points=Decimal(1), line=line, file="marks.csv")
        for line, key in enumerate(("zoe", "ann", "zoe", "bobo"), start=2)
    ]
    bob, zoe = marks.strangers(given, ["ann", "bob"])
    assert bob == ("bobo", "marks.csv, line 5: there is no submission 'bobo', so these marks count for nobody; "
                           "the keys stand in summary.csv")  # fmt: skip
    assert zoe[0] == "zoe"
    assert "lines 2, 4" in zoe[1]


@pytest.mark.parametrize(("key", "meant"), [
    ("1O1", "101"), ("101~1", "101"), ("l01", "101"), ("lO1", ""), ("102", ""), ("10l1", ""), ("1l0", "110"),
    ("kim~x", ""),
])  # fmt: skip
def test_a_key_is_suggested_only_where_nobody_else_can_be_meant(key, meant):
    given = [Mark(submission=key, item="proof", points=Decimal(1), line=2, file="marks.csv")]
    [(_, sentence)] = marks.strangers(given, ["111", "101", "110", "kim"])
    assert sentence.endswith(f"; did you mean {meant!r}?" if meant else "; the keys stand in summary.csv")


def class_of_markers(folder: Path, **files: str) -> Path:
    (folder / "marks").mkdir(parents=True)
    for name, rows in files.items():
        path = folder / (f"marks/{name}.csv" if name != "marks" else "marks.csv")
        path.write_text(f"submission,item,points,comment,by\n{rows}", encoding="utf-8")
    return folder


def test_two_markers_who_agree_are_one_mark_with_both_names(tmp_path):
    folder = class_of_markers(tmp_path, kim="ann,proof,2,short,\n", ada="ann,proof,2.0,clear,Ada\n")
    assert marks.given(folder, ASSIGNMENT) == marks.Given(
        (Mark(submission="ann", item="proof", points=Decimal(2), comment="clear / short", by="Ada, kim"),)
    )


def test_of_two_markers_who_differ_neither_counts_until_the_last_word(tmp_path):
    rows = {"kim": "ann,proof,2,,\nann,code,1,,\n", "ada": "ann,proof,3,,\n"}
    found = marks.given(class_of_markers(tmp_path / "open", **rows), ASSIGNMENT)
    assert [(mark.item, mark.points) for mark in found.marks] == [("code", 1)]
    sentence = "Marks differ for proof: ada gives 3, kim gives 2. It stays open until marks.csv has a line for it."
    assert found.disputes == (("ann", sentence),)
    settled = class_of_markers(tmp_path / "settled", marks="ann,proof,2.5,,head\n", **rows)
    found = marks.given(settled, ASSIGNMENT)
    assert sorted((mark.item, mark.points, mark.by) for mark in found.marks) == [
        ("code", 1, "kim"), ("proof", Decimal("2.5"), "head"),
    ]  # fmt: skip
    assert found.disputes == ()


def test_a_stranger_is_told_with_the_file_of_its_marker(tmp_path):
    folder = class_of_markers(tmp_path, kim="anne,proof,2,,\n")
    [(key, sentence)] = marks.strangers(marks.given(folder, ASSIGNMENT).marks, ["ann"])
    assert key == "anne"
    assert sentence.startswith("marks/kim.csv, line 2: there is no submission 'anne'")


def test_what_a_marker_reserved_stays_and_is_no_mark(tmp_path):
    path = tmp_path / "marks" / "kim.csv"
    mark = Mark(submission="ann", item="proof", points=Decimal("1.5"), comment="=2+2\nand more", by="kim")
    marks.write_sheet(path, marks.Sheet((mark,), frozenset({"ann", "bob"})))
    assert marks.read_sheet(path, ASSIGNMENT) == marks.Sheet((mark,), frozenset({"ann", "bob"}))
    assert path.stat().st_mode & 0o777 == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["kim.csv"]


def test_versions_of_one_markers_file_are_united_or_named(tmp_path):
    first = class_of_markers(tmp_path / "a", kim="ann,proof,2,,kim\nbob,,,,kim\n") / "marks/kim.csv"
    second = class_of_markers(tmp_path / "b", kim="ann,proof,2,,kim\nbob,proof,1,,kim\n") / "marks/kim.csv"
    sheet = marks.united([first, second], ASSIGNMENT)
    assert [(mark.submission, mark.points) for mark in sheet.marks] == [("ann", 2), ("bob", 1)]
    assert sheet.reserved == {"bob"}
    second.write_text("submission,item,points\nann,proof,3\n", encoding="utf-8")
    with pytest.raises(UsageError, match="differ for ann and proof: make them equal, or leave one"):
        marks.united([first, second], ASSIGNMENT)
