"""Groups come from a file or from file names: one run, several people."""

import pytest
from intake_examples import COURSE, GOOD, LSTM, put

from grader.errors import UsageError
from grader.intake import take_all
from grader.model import Person


def groups_file(tmp_path, text):
    path = tmp_path / "groups.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "submission,id,name,email\nteam-a,1001,Ada,ada@x.edu\nteam-a,1002,Alan,\n",
        "\ufeffgroup;name;id;email\nteam-a;Ada;1001;ada@x.edu\n\nteam-a;Alan;1002;\n",
    ],
)
def test_members_row_by_row(text, tmp_path, taken) -> None:
    folder = put(tmp_path / "in", {f"{key}/LSTM.py": LSTM for key in ("team-a", "zoe")})
    team, zoe = taken(folder, groups=groups_file(tmp_path, text))
    assert team.people == (
        Person(key="team-a", name="Ada", email="ada@x.edu", person_id="1001"),
        Person(key="team-a", name="Alan", person_id="1002"),
    )
    assert zoe.people == ()


def test_members_in_one_row(tmp_path, taken) -> None:
    groups = groups_file(tmp_path, "group,first,second,third\nteam-a,1001,alan@x.edu,Grace Hopper\n")
    (team,) = taken(put(tmp_path / "team-a", GOOD), groups=groups)
    assert team.people == (
        Person(key="team-a", person_id="1001"),
        Person(key="team-a", email="alan@x.edu"),
        Person(key="team-a", name="Grace Hopper"),
    )


def test_partners_who_both_handed_in_are_one_with_two_attempts(tmp_path, taken) -> None:
    names = {"Ada Lovelace_601": "x=1", "Alan Turing_602": "x=2", "Zoe Q_603": "x=3"}
    folder = put(tmp_path / "in", {f"{name}_assignsubmission_file_/LSTM.py": text for name, text in names.items()})
    groups = groups_file(tmp_path, "group,a,b\n7,lovelace ada,Alan Turing\n")
    first, second, single = taken(folder, groups=groups)
    assert (first.owner, second.owner) == (first.key, first.key)
    assert [person.name for person in first.people] == ["Ada Lovelace", "Alan Turing"]
    assert {person.key for person in first.people} == {first.key}
    assert any("2 submissions of the same people and their times are not known" in look for look in first.attention)
    assert single.key == "603"


def test_a_group_with_known_times_has_its_attempts_in_order(tmp_path, taken) -> None:
    metadata = "".join(
        f"submission_{key}:\n  :created_at: '{time}'\n  :submitters:\n  - :name: N{key}\n    :sid: '{key}'\n"
        for key, time in {"1": "2024-03-29T10:00:00-04:00", "2": "2024-03-20T10:00:00-04:00"}.items()
    )
    files = {"submission_metadata.yml": metadata, "submission_1/LSTM.py": "x=1", "submission_2/LSTM.py": "x=2"}
    first, second = taken(put(tmp_path / "e", files), groups=groups_file(tmp_path, "group,id\ng,1\ng,2\n"))
    assert [(entry.key, entry.late) for entry in (first, second)] == [("2", False), ("2~2", True)]
    assert [person.person_id for person in first.people] == ["1", "2"]


@pytest.mark.parametrize("ids", ["20101.0,20113.0", "'20101,20113", "020101,0020113"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_what_a_spreadsheet_makes_of_ids_is_read(ids, encoding, tmp_path, taken) -> None:
    folder = put(
        tmp_path / "in", {f"{name}_{name[1:]}_900{name[-1]}_LSTM.py": f"x={name[1:]}" for name in ("a20101", "b20113")}
    )
    path = tmp_path / "groups.csv"
    rows = "".join(f"team 1;{entry}\r\n" for entry in ids.split(","))
    path.write_bytes(f"sep=;\r\ngroup;id\r\n{rows}".encode(encoding))
    assert len({result.owner for result in taken(folder, groups=path)}) == 1


def test_a_group_that_matches_nobody_is_told_with_its_line(tmp_path) -> None:
    groups = groups_file(tmp_path, "group,id\nteam 1,20101\nteam 1,20102\nteam 2,20103\n")
    folder = put(tmp_path / "in", {"ada_20101_9001_LSTM.py": LSTM})
    (notice,) = take_all([folder], COURSE, tmp_path / "work", groups=groups).notices
    assert "groups.csv, line 4: no submission belongs to the group 'team 2'" in notice


def test_tracks(tmp_path, taken) -> None:
    folder = put(tmp_path / "in", {f"{key}/LSTM.py": LSTM for key in ("ada", "bob")})
    ada, bob = taken(folder, groups=groups_file(tmp_path, "submission,id,track\nada,1001,grad\n"))
    assert (ada.track, bob.track) == ("grad", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: expected a heading"),
        ("who,id\na,1\n", ":1: expected a heading"),
        ("group,id\n,1001\n", ":2: the first column"),
        ("group,id\nteam,\n", ":2: the group 'team' has no members"),
        ("group,id,track\nteam,1,phd\n", ":2: unknown track 'phd'; known: grad"),
        ('group,id\n"team,1\n', "not a CSV line"),
        ("group,id\na,1001\nb,01001\n", ":3: 01001 is in the group 'b', and in line 2 in 'a'"),
        ("group,email\na,x@y\nb,X@Y\n", ":3: X@Y is in the group 'b'"),
    ],
)
def test_a_bad_groups_file_is_a_usage_error(text, message, tmp_path, taken) -> None:
    with pytest.raises(UsageError, match=message):
        taken(put(tmp_path / "a", GOOD), groups=groups_file(tmp_path, text))
    with pytest.raises(UsageError, match="cannot be read"):
        taken(tmp_path / "a", groups=tmp_path / "nowhere.csv")
