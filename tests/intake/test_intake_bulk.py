"""Bulk downloads of the three course systems, as folders and as zips, give one submission per student."""

import shutil
from pathlib import Path

import pytest
from intake_examples import GOOD, GOOD_FILES, LSTM, NOTEBOOK, PAIRS, TRANSFORMER, pack, put, snapshot, zipped

from grader.intake.names import private_key
from grader.model import Person, Refused

EXPORT = """\
---
submission_101:
  :submitters:
  - :name: Ada Lovelace
    :sid: '900000001'
    :email: ada@example.edu
  - :name: Alan Turing
    :sid: '900000002'
    :email: alan@example.edu
  :created_at: 2024-03-22 20:00:00.123456000 -04:00
  :score: 10.0
submission_102: !ruby/hash:ActiveSupport::HashWithIndifferentAccess
  :submitters:
  - !ruby/object:User
    :name: Grace Hopper
    :sid:
    :email: grace@example.edu
  :created_at: '2024-03-23T09:00:00-04:00'
submission_103:
  :submitters: []
submission_104:
  :submitters:
  - :name: Lost
    :sid: '9'
"""


@pytest.fixture(params=["folder", "zip", "zip of the folder's content"])
def delivered(request, tmp_path):
    """A download in each of the forms in which it is passed on."""

    def deliver(folder: Path) -> Path:
        if request.param == "folder":
            return folder
        base = None if "content" in request.param else folder.name
        root = folder if base is None else folder.parent
        return Path(shutil.make_archive(str(tmp_path / "download"), "zip", root, base))

    return deliver


def opaque(label: str) -> str:
    """The key that a label gets which may name people."""
    return private_key(label, "hw")


def tar_bytes(folder: Path) -> bytes:
    put(folder / "tar", GOOD)
    return Path(shutil.make_archive(str(folder / "work"), "gztar", folder / "tar")).read_bytes()


def prefixed(prefix: str, files: dict[str, str]) -> dict[str, str | bytes]:
    return {f"{prefix}/{name}": content for name, content in files.items()}


def test_gradescope(tmp_path, delivered, taken) -> None:
    export = put(
        tmp_path / "in" / "assignment_77_export",
        {
            "submission_metadata.yml": EXPORT,
            **prefixed("submission_101", GOOD),
            "submission_102.zip": zipped(GOOD, tmp_path),
            "submission_103/report.pdf": "%PDF",
            "readme.txt": "of the export",
        },
    )
    results = {result.key: result for result in taken(delivered(export))}
    assert list(results) == ["101", "102", "103", "104"]
    pair = results["101"]
    assert pair.files == results["102"].files == GOOD_FILES
    assert pair.digest == results["102"].digest
    assert pair.people == (
        Person(key="101", name="Ada Lovelace", email="ada@example.edu", person_id="900000001"),
        Person(key="101", name="Alan Turing", email="alan@example.edu", person_id="900000002"),
    )
    assert pair.submitted_at == "2024-03-22T20:00:00.123456-04:00"
    assert (pair.late, results["102"].late) == (False, True)
    assert results["102"].people == (Person(key="102", name="Grace Hopper", email="grace@example.edu"),)
    assert isinstance(results["103"], Refused)
    assert "not in the export" in results["104"].reason
    assert results["104"].people[0].name == "Lost"


def test_the_grace_hours_are_part_of_the_deadline(tmp_path, taken) -> None:
    times = {"1": "2024-03-22T23:59:59-04:00", "2": "2024-03-23T00:00:01-04:00", "3": "2024-03-23T03:59:59+00:00"}
    metadata = "".join(f"submission_{key}:\n  :created_at: '{time}'\n" for key, time in times.items())
    files = {"submission_metadata.yml": metadata}
    for key in times:
        files.update(prefixed(f"submission_{key}", GOOD))
    assert [result.late for result in taken(put(tmp_path / "e", files))] == [False, True, False]


def test_attempts_of_the_same_people_are_all_there_in_the_order_of_time(tmp_path, taken) -> None:
    attempts = {"3": "2024-03-25T10:00:00-04:00", "1": "2024-03-20T10:00:00-04:00", "2": "2024-03-22T10:00:00-04:00"}
    metadata = "".join(
        f"submission_{key}:\n  :created_at: '{time}'\n  :submitters:\n  - :name: A\n    :sid: '7'\n"
        for key, time in attempts.items()
    )
    files = {"submission_metadata.yml": metadata}
    for key in attempts:
        files.update(prefixed(f"submission_{key}", {"LSTM.py": f"x = {key}"}))
    results = taken(put(tmp_path / "e", files))
    assert [(result.key, result.owner, result.attempt) for result in results] == [
        ("2", "2", 1), ("2~2", "2", 2), ("2~3", "2", 3)
    ]  # fmt: skip
    assert [snapshot(result.root)["LSTM.py"] for result in results] == [b"x = 1", b"x = 2", b"x = 3"]
    assert [result.late for result in results] == [False, False, True]
    assert {result.people for result in results} == {(Person(key="2", name="A", person_id="7"),)}


@pytest.mark.parametrize("metadata", ["- a\n", ":a: [", "!!python/object/apply:os.system ['true']", "a: &a [*a]\n: ["])
def test_bad_gradescope_metadata_is_one_clear_refusal(metadata, tmp_path, refused) -> None:
    path = put(tmp_path / "e", {"submission_metadata.yml": metadata, "submission_1/lstm.py": LSTM})
    assert "submission_metadata.yml" in refused(path).reason


def test_canvas(tmp_path, delivered, taken) -> None:
    folder = put(
        tmp_path / "in" / "submissions",
        {
            "lovelaceada_501_9001_assignment4_submission.zip": zipped(GOOD, tmp_path),
            "turingalan_LATE_502_9002_LSTM.py": LSTM,
            "turingalan_LATE_502_9003_Transformer-1.py": TRANSFORMER,
            "hoppergrace_503_9004_hw.zip": zipped({"LSTM.py": "x=1"}, tmp_path),
            "hoppergrace_503_9005_hw-1.zip": zipped({"LSTM.py": "x=2"}, tmp_path),
            "hoppergrace_LATE_503_9006_hw-2.zip": zipped({"LSTM.py": "x=3"}, tmp_path),
            "noetheremmy_504_text.html": "<p>see mail</p>",
            "anon_aB3xZ_9007_LSTM.py": LSTM,
            "LATE_anon_cD4yW_9008_LSTM-1.py": LSTM,
            "notes of the course.docx": "x",
        },
    )
    results = {result.key: result for result in taken(delivered(folder))}
    assert set(results) == {"501", "502", "503", "504", "aB3xZ", "cD4yW", opaque("notes of the course")}
    assert results["501"].files == GOOD_FILES
    assert results["501"].people == (Person(key="501", name="lovelaceada", person_id="501"),)
    assert (results["501"].late, results["502"].late, results["503"].late) == (False, True, False)
    assert results["502"].files == {"lstm": "LSTM.py", "transformer": "Transformer.py"}
    assert snapshot(results["503"].root) == {"LSTM.py": b"x=2"}
    assert any(
        "'hw.zip' was handed in 3 times; the last on time counts (resubmission 1)" in n for n in results["503"].notes
    )
    assert "only 'text.html'" in results["504"].reason
    assert results["aB3xZ"].files == results["cD4yW"].files == {"lstm": "LSTM.py"}
    assert (results["aB3xZ"].late, results["cD4yW"].late) == (False, True)
    assert "owner is unknown" in results[opaque("notes of the course")].reason
    assert any("handed in 3 times" in look for look in results["503"].attention)


@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("a2_team1", "501"),
        ("team_1", "501"),
        ("team 7 8_9", "501"),
        ("x_LATE", "501"),
        ("7_up", "501"),
        ("a_12_3", "50"),
    ],
)
def test_canvas_groups_may_have_any_name(name, user, tmp_path, taken) -> None:
    others = {f"hopper_{number}_90{number}_LSTM.py": LSTM for number in (502, 503)}
    own = {
        f"{name}_{user}_{9000 + index}_{file}": "x = 1" for index, file in enumerate(("LSTM.py", "Transformer-1.py"))
    }
    result = {entry.key: entry for entry in taken(put(tmp_path / "in", {**others, **own}))}[user]
    assert set(result.files) == {"lstm", "transformer"}
    assert result.people[0].name == name.removesuffix("_LATE")
    assert result.late is name.endswith("_LATE")


def test_canvas_archives_uploaded_again(tmp_path, taken) -> None:
    work = tar_bytes(tmp_path)
    files = {"a_501_9001_a2.tar-1.gz": work, "b_502_9002_a2.tar (2).gz": work, "c_503_9003_a2.tgz": work}
    results = taken(put(tmp_path / "in", files))
    assert [(result.key, dict(result.files)) for result in results] == [(k, GOOD_FILES) for k in ("501", "502", "503")]


def test_canvas_when_every_attempt_is_late(tmp_path, one) -> None:
    files = {"a_LATE_5_1_LSTM.py": "x=1", "a_LATE_5_2_LSTM-2.py": "x=3", "a_LATE_5_3_LSTM-1.py": "x=2"}
    result = one(put(tmp_path / "in", files))
    assert snapshot(result.root) == {"LSTM.py": b"x=3"}
    assert result.late
    assert any("the last counts (resubmission 2)" in note for note in result.notes)


def test_a_dash_and_a_number_may_be_part_of_the_name(tmp_path, one) -> None:
    from intake_examples import make_assignment

    from grader.assignment.assignment import ExpectedFile

    course = make_assignment(ExpectedFile(id="a", path="part-1.py"), ExpectedFile(id="b", path="part-2.py"))
    result = one(put(tmp_path / "in", {"a_5_1_part-1.py": "x=1", "a_5_2_part-2.py": "x=2"}), assignment=course)
    assert result.files == {"a": "part-1.py", "b": "part-2.py"}


def test_moodle(tmp_path, delivered, taken) -> None:
    folder = put(
        tmp_path / "in" / "course-hw",
        {
            "Ada Lovelace_601_assignsubmission_file_/work.zip": zipped(GOOD, tmp_path),
            "Ada Lovelace_601_assignsubmission_onlinetext_/onlinetext.html": "<p>",
            **prefixed("Émilie du Châtelet_602_assignsubmission_file_", GOOD),
            "Jean_Luc de la Tour_603_assignsubmission_file_LSTM.py": LSTM,
            "Participant 7_604_assignsubmission_file_/report.pdf": "%PDF",
            "Default group_assignsubmission_file/LSTM.py": LSTM,
            "Grace Hopper_assignsubmission_file_/LSTM.py": LSTM,
            "Grading worksheet.csv": "Identifier",
            "extra.zip": zipped(GOOD, tmp_path),
        },
    )
    results = {result.key: result for result in taken(delivered(folder))}
    assert set(results) == {"601", "602", "603", "604", "extra", "Default-group", opaque("Grace Hopper")}
    assert results["601"].files == results["602"].files == GOOD_FILES
    assert results["602"].people == (Person(key="602", name="Émilie du Châtelet", person_id="602"),)
    assert results["603"].files == {"lstm": "LSTM.py"}
    assert results["603"].people[0].name == "Jean_Luc de la Tour"
    assert isinstance(results["604"], Refused)
    assert "owner is unknown" in results["extra"].reason
    assert results[opaque("Grace Hopper")].people[0].name == "Grace Hopper"


def test_blackboard(tmp_path, delivered, taken) -> None:
    def name(user: str, time: str, original: str = "") -> str:
        return f"HW_4_{user}_attempt_{time}{f'_{original}' if original else '.txt'}"

    first, second = "2024-03-01-10-00-00", "2024-03-02-10-00-00"
    receipt = "Name: Ada Lovelace (alove)\nAssignment: HW 4\n"
    files = {
        name("alove", second): receipt, name("alove", second, "LSTM.py"): "x = 2",
        name("alove", first): receipt, name("alove", first, "LSTM.py"): "x = 1",
        name("aturi", first, "work.zip"): zipped(GOOD, tmp_path),
        name("ghopp", first): "Name: Grace Hopper (ghopp)\n",
    }  # fmt: skip
    results = {result.key: result for result in taken(delivered(put(tmp_path / "in" / "bb", files)))}
    assert set(results) == {"alove", "alove~2", "aturi", "ghopp"}
    assert snapshot(results["alove"].root)["LSTM.py"] == b"x = 1"
    assert results["alove~2"].submitted_at == "2024-03-02T10:00:00"
    assert results["alove~2"].people == (Person(key="alove", name="Ada Lovelace", person_id="alove"),)
    assert results["aturi"].files == GOOD_FILES
    assert isinstance(results["ghopp"], Refused)


def test_brightspace(tmp_path, delivered, taken) -> None:
    files = {
        **prefixed("1001-77 - Ada Lovelace - Mar 3, 2024 1034 PM", GOOD),
        "1001-77 - Ada Lovelace - Mar 2, 2024 934 AM/LSTM.py": LSTM,
        "1002-77 - Alan Turing - Mar 3, 2024 1034 PM/work.zip": zipped(GOOD, tmp_path),
        "1003-77 - Grace - Hopper - Mar 3, 2024 1034 PM - LSTM.py": LSTM,
        "index.html": "<html>",
    }
    results = {result.key: result for result in taken(delivered(put(tmp_path / "in" / "d2l", files)))}
    assert set(results) == {"1001", "1001~2", "1002", "1003"}
    assert results["1001"].files == results["1003"].files == {"lstm": "LSTM.py"}
    assert results["1001~2"].files == results["1002"].files == GOOD_FILES
    assert results["1001"].submitted_at == "2024-03-02T09:34:00"
    assert results["1001"].people == (Person(key="1001", name="Ada Lovelace", person_id="1001"),)


def test_a_flat_download_of_a_system_that_is_not_known_is_given_to_nobody(tmp_path, refused) -> None:
    files = {f"{name}_{file}": "x = 1" for name in ("ada-1", "alan-2") for file in ("LSTM.py", "Transformer.py")}
    assert "several people" in refused(put(tmp_path / "in", files)).reason
    notebooks = {f"{name}_anything.ipynb": NOTEBOOK for name in ("ada", "alan", "grace")}
    assert "several people" in refused(put(tmp_path / "nb", notebooks), assignment=PAIRS).reason


@pytest.mark.parametrize("names", [("old_LSTM.py", "final_LSTM.py"), ("LSTM.py", "a_LSTM.py", "b_LSTM.py")])
def test_versions_of_one_file_are_no_download(names, tmp_path, one) -> None:
    assert one(put(tmp_path / "in", dict.fromkeys(names, "class LSTM:\n    x = 1"))).key == "in"


def test_moodle_pairs_name_both_partners(tmp_path, taken) -> None:
    inner = zipped({"hw3_333333333_344444444.ipynb": NOTEBOOK}, tmp_path)
    folder = put(
        tmp_path / "in",
        {
            "A B_1_assignsubmission_file_/hw3_311111111_322222222.ipynb": NOTEBOOK,
            "C D_2_assignsubmission_file_/hw3_333333333_344444444.zip": inner,
        },
    )  # fmt: skip
    for result, ids in zip(
        taken(folder, assignment=PAIRS), (["311111111", "322222222"], ["333333333", "344444444"]), strict=True
    ):
        assert result.files == {"nb": "hw3.ipynb"}
        assert [person.person_id for person in result.people] == [result.key, *ids]


def test_nobody_is_named_outside_people(tmp_path, taken, workspace) -> None:
    """Not in keys, not in notes, not in reasons, whatever the files are called."""
    folder = put(
        tmp_path / "in",
        {
            "Ada Lovelace_601_assignsubmission_file_/Ada_Lovelace_311111111.py": "class LSTM: pass",
            "Ada Lovelace_601_assignsubmission_file_/lovelace-ada.so": "x",
            "Alan Turing_602_assignsubmission_file_/alan turing 322222222.pdf": "x",
        },
    )
    for result in taken(folder):
        said = repr((result.key, getattr(result, "notes", ()), getattr(result, "reason", ""))).casefold()
        assert not [word for word in ("ada", "lovelace", "turing", "311111111", "322222222") if word in said], said


def test_one_bad_submission_in_a_download_costs_the_others_nothing(tmp_path, taken) -> None:
    files = {f"A_{number}_assignsubmission_file_/{name}": text for number in (1, 3) for name, text in GOOD.items()}
    path = pack(tmp_path / "in.zip", {**files, "M_2_assignsubmission_file_/../../evil.py": "x"})
    results = taken(path)
    assert [(result.key, isinstance(result, Refused)) for result in results] == [
        ("1", False),
        ("3", False),
        ("2", True),
    ]
