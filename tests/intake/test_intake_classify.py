"""One submission or many: the documented rules, one example each."""

import pytest
from intake_examples import COURSE, GOOD, LSTM, NOTEBOOK, PAIRS, make_assignment, pack, put, zipped

from grader.assignment.assignment import ExpectedFile
from grader.intake.names import private_key, student_ids
from grader.model import Refused

THREE = make_assignment(
    *(ExpectedFile(id=name, path=f"hw4_{name}.ipynb", kind="notebook") for name in ("rnn", "s2s", "vit"))
)
PAIR, OTHER = "hw3_111111_222222", "hw3_333333_444444"
# Ids are people's: the keys do not show them, and do not depend on their order.
KEY = {name: private_key(name, "hw", student_ids(name)) for name in (PAIR, OTHER)}


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
    "pairs' notebooks": (PAIRS, {f"{PAIR}.ipynb": NOTEBOOK, f"{OTHER}.ipynb": NOTEBOOK}, [KEY[PAIR], KEY[OTHER]]),
    "a pair's notebook twice": (PAIRS, {f"{PAIR}.ipynb": NOTEBOOK, f"{PAIR} (1).ipynb": NOTEBOOK, f"{PAIR}.pdf": "x",
                                        "hw3_444444_333333.ipynb": NOTEBOOK}, [KEY[PAIR], KEY[OTHER]]),
    "archives of all kinds": (COURSE, {**under("alice/"), "bob.rar": "x", "carol.7z": "x", "dan.tar.xz": "x",
                                       "erin.zip.crdownload": "x", "fay.pdf": "x", "gus.txt": "x", "hal.docx": "x"},
                              ["alice", "bob", "carol", "dan", "erin", "fay", "gus", "hal"]),
    "one archive that cannot be opened": (COURSE, {"bob.rar": "x"}, ["top"]),
    "draft and final": (COURSE, under("draft/", "final/"), ["top"]),
    "a version and an old one": (COURSE, under("a4/", "a4_old/"), ["top"]),
    "an empty folder of the work": (COURSE, {**under("mine/"), "data/.": None}, ["top"]),
    "an empty folder of a student": (COURSE, {**under("alice/"), "bob/.": None}, ["alice", "bob"]),
    "students with nothing to grade": (COURSE, {"alice/r.pdf": "x", "bob/r.pdf": "x"}, ["alice", "bob"]),
    "a course's own files": (COURSE, {**under("alice/", "bob/"), "README.md": "x", "roster.xlsx": "x"},
                             ["alice", "bob"]),
    "nothing": (COURSE, {"readme.txt": "x"}, ["top"]),
}  # fmt: skip


@pytest.mark.parametrize(("course", "files", "keys"), CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_one_or_many(course, files, keys, form, tmp_path, taken) -> None:
    empty = [name.removesuffix(".") for name, content in files.items() if content is None]
    files = {name: content for name, content in files.items() if content is not None}
    if form == "zip":
        path = pack(tmp_path / "top.zip", {**files, **dict.fromkeys(empty, "")})
    else:
        path = put(tmp_path / "top", files)
        for folder in empty:
            (path / folder).mkdir()
    assert sorted(result.key for result in taken(path, assignment=course)) == sorted(keys)


def test_a_dangling_link_beside_a_folder_is_a_submission_that_is_not_there(tmp_path, taken) -> None:
    folder = put(tmp_path / "class", under("alice/"))
    (folder / "bob").symlink_to(tmp_path / "nowhere")
    alice, bob = taken(folder)
    assert (alice.key, bob.key) == ("alice", "bob")
    assert isinstance(bob, Refused)
    assert "links are not followed" in bob.reason


def test_a_second_download_of_one_name_is_a_second_attempt(tmp_path, taken) -> None:
    files = {"alice.zip": zipped(GOOD, tmp_path), "alice (1).zip": zipped({"LSTM.py": LSTM}, tmp_path)}
    results = taken(put(tmp_path / "class", {**files, "bob.zip": files["alice.zip"]}))
    assert [(result.key, result.owner) for result in results] == [
        ("alice", "alice"), ("alice~2", "alice"), ("bob", "bob")
    ]  # fmt: skip
    assert len(results[1].files) == 1


@pytest.mark.parametrize(
    "label", ["Ada Lovelace", "Lovelace, Ada", "hw_311111111", "ada@x.edu", "1001-77 - Ada", "دانا"]
)
def test_a_name_that_may_tell_people_gives_a_key_that_does_not(label, tmp_path, taken) -> None:
    result, again = (taken(put(tmp_path / str(number) / label, GOOD))[0] for number in range(2))
    assert result.key == again.key
    assert result.key.startswith("submission-")
    assert result.people


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
