"""One submission or many: the documented rules, one example each."""

import pytest
from intake_examples import COURSE, GOOD, LSTM, NOTEBOOK, PAIRS, make_assignment, pack, put, zipped

from grader.assignment.assignment import ExpectedFile

THREE = make_assignment(
    *(ExpectedFile(id=name, path=f"hw4_{name}.ipynb", kind="notebook") for name in ("rnn", "s2s", "vit"))
)
PAIR, OTHER = "hw3_111111_222222", "hw3_333333_444444"


def under(*folders: str) -> dict[str, str]:
    return {f"{folder}{name}": content for folder in folders for name, content in GOOD.items()}


CASES = {
    "the files themselves": (COURSE, GOOD, ["top"]),
    "an extra folder": (COURSE, under("assignment4/"), ["top"]),
    "an extra folder beside a report": (COURSE, {**under("code/"), "report/r.pdf": "x", "notes.txt": "x"}, ["top"]),
    "renamed files": (COURSE, {"model.py": LSTM, "data/x.csv": "1", "pics/a.png": "x"}, ["top"]),
    "one class in a source folder": (COURSE, {"src/model.py": LSTM, "data/x.csv": "1"}, ["top"]),
    "some right names": (COURSE, {"models/naive/LSTM.py": LSTM, "extra/a.py": "", "b/c.py": ""}, ["top"]),
    "three notebooks": (THREE, dict.fromkeys(["hw4_rnn.ipynb", "x.ipynb", "y.ipynb"], NOTEBOOK), ["top"]),
    "two notebooks of one pair": (PAIRS, {f"{PAIR}.ipynb": NOTEBOOK, "old.ipynb": NOTEBOOK}, ["top"]),
    "a pair's notebook and report": (PAIRS, {f"{PAIR}.ipynb": NOTEBOOK, f"{PAIR}.pdf": "x"}, ["top"]),
    "two students": (COURSE, under("alice/", "bob/"), ["alice", "bob"]),
    "two students in a folder": (COURSE, under("class/alice/", "class/bob/"), ["alice", "bob"]),
    "students with course folders": (COURSE, under("alice/assignment4/", "bob/"), ["alice", "bob"]),
    "a student with wrong names": (COURSE, {**under("alice/"), "bob/mine.py": "x=1", "carol/r.pdf": ""},
                                   ["alice", "bob", "carol"]),
    "students and worksheets": (COURSE, {**under("alice/", "bob/"), "grades.csv": "x"}, ["alice", "bob"]),
    "pairs' notebooks": (PAIRS, {f"{PAIR}.ipynb": NOTEBOOK, f"{OTHER}.ipynb": NOTEBOOK}, [PAIR, OTHER]),
    "nothing": (COURSE, {"readme.txt": "x"}, ["top"]),
}  # fmt: skip


@pytest.mark.parametrize(("course", "files", "keys"), CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_one_or_many(course, files, keys, form, tmp_path, taken) -> None:
    path = put(tmp_path / "top", files) if form == "folder" else pack(tmp_path / "top.zip", files)
    assert [result.key for result in taken(path, assignment=course)] == keys


def test_archives_of_students(tmp_path, taken) -> None:
    inner = zipped(GOOD, tmp_path)
    folder = put(tmp_path / "in", {"bob.zip": inner, "alice.zip": inner, "carol/work.zip": inner, "dave/LSTM.py": LSTM})
    assert [result.key for result in taken(folder)] == ["alice", "bob", "carol", "dave"]
    assert [result.key for result in taken(pack(tmp_path / "c.zip", {"alice.zip": inner, "bob.zip": inner}))] == [
        "alice",
        "bob",
    ]


def test_pairs_as_notebooks_and_zips(tmp_path, taken) -> None:
    files = {
        "hw3_111111_222222.ipynb": NOTEBOOK,
        "hw3_333333_444444.zip": zipped({"hw3_333333_444444.ipynb": NOTEBOOK, "hw3_333333_444444.pdf": "x"}, tmp_path),
    }
    results = taken(put(tmp_path / "in", files), assignment=PAIRS)
    assert [[person.person_id for person in result.people] for result in results] == [
        ["111111", "222222"],
        ["333333", "444444"],
    ]
    assert [result.files for result in results] == [{"nb": "hw3.ipynb"}] * 2


def test_several_paths_and_clashing_keys(tmp_path, taken) -> None:
    paths = [put(tmp_path / str(number) / name, GOOD) for number, name in enumerate(["alice", "Alice", "bob"])]
    results = taken(*paths)
    assert [result.key for result in results] == ["alice", "Alice-2", "bob"]
    assert "kept apart by the suffix -2" in results[1].notes[0]
    assert len({str(result.root).casefold() for result in results}) == 3


def test_a_name_in_another_script_gets_a_stable_key_and_a_person(tmp_path, taken) -> None:
    first, second = taken(put(tmp_path / "홍길동", GOOD), put(tmp_path / "דנה", GOOD))
    (again,) = taken(tmp_path / "דנה")
    assert first.key != second.key == again.key
    assert first.key.startswith("submission-")
    assert first.people[0].name == "홍길동"
