"""people.csv names people, so it is private from its first byte, and harmless in a spreadsheet."""

import csv
import io
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.course import people
from grader.errors import UsageError
from grader.model import Person

Rows = list[tuple[str, str, str]]

ADA = Person(key="101", name="Ada Lovelace", email="ada@example.edu", person_id="900000001")

cell = st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=20).map(lambda text: " ".join(text.split()))
persons = st.builds(
    Person, key=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True), name=cell, email=cell, person_id=cell
)


@given(st.lists(persons, max_size=5))
def test_what_is_written_is_read_back(tmp_path_factory, group: list[Person]) -> None:
    path = tmp_path_factory.mktemp("p") / "people.csv"
    people.write(group, path)
    assert set(people.read(path)) == set(group)
    rows = list(csv.reader(io.StringIO(path.read_bytes().decode("utf-8"), newline="")))
    assert not [cell for row in rows[1:] for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_rows_are_sorted_and_given_once(tmp_path: Path) -> None:
    people.write([Person(key="b"), ADA, ADA], tmp_path / "people.csv")
    assert (tmp_path / "people.csv").read_text() == (
        "key,name,email,id\n101,Ada Lovelace,ada@example.edu,900000001\nb,,,\n"
    )


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_the_file_is_private_whatever_the_umask_and_whatever_was_there(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "people.csv"
    path.write_text("old")
    path.chmod(0o666)
    before = os.umask(umask)
    try:
        people.write([ADA], path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_it_is_never_readable_by_others_on_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        seen.append(stat.S_IMODE(self.stat().st_mode))
        return replace(self, target)

    opened = os.open
    modes: list[int] = []
    monkeypatch.setattr(Path, "replace", watched)
    monkeypatch.setattr(os, "open", lambda path, flags, mode=0o777: (modes.append(mode), opened(path, flags, mode))[1])
    before = os.umask(0)
    try:
        people.write([ADA], tmp_path / "people.csv")
    finally:
        os.umask(before)
    assert modes == [0o600]
    assert seen == [0o600]


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("untouched")
    (tmp_path / "people.csv").symlink_to(tmp_path / "target")
    people.write([ADA], tmp_path / "people.csv")
    assert (tmp_path / "target").read_text() == "untouched"
    assert not (tmp_path / "people.csv").is_symlink()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people.write([ADA], tmp_path / "people.csv")
    before = (tmp_path / "people.csv").read_text()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        people.write([Person(key="x")], tmp_path / "people.csv")
    assert (tmp_path / "people.csv").read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["people.csv"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r":1: expected the columns key,name,email,id"),
        ("a,b\n", r":1: expected the columns"),
        ("key,name,email,id\n101,Ada\n", r":2: expected 4 cells"),
        ("key,name,email,id\n,Ada,,\n", r":2: expected 4 cells, the first of them a key"),
    ],
)
def test_what_is_no_people_file_is_a_usage_error(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text(text)
    with pytest.raises(UsageError, match=message):
        people.read(tmp_path / "people.csv")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_what_a_spreadsheet_saves_is_read(encoding: str, mark: str, tmp_path: Path) -> None:
    rows = [["key", "name", "email", "id"], ["101", "Zoë", "", "7"], ["", "", "", ""]]
    text = "\r\n".join(mark.join(row) for row in rows)
    (tmp_path / "people.csv").write_bytes(text.encode(encoding))
    assert people.read(tmp_path / "people.csv") == (Person(key="101", name="Zoë", person_id="7"),)


@pytest.mark.parametrize(
    ("known", "found", "expected"),
    [
        ([], [("ada", "", "1")], [("ada", "", "1")]),
        ([("ada", "a@x.org", "u1")], [("ada", "", "1")], [("ada", "a@x.org", "u1")]),
        ([("ada", "", "1")], [("ada", "a@x.org", "1")], [("ada", "a@x.org", "1")]),
        ([("ada", "", "1")], [("ada", "", "1"), ("bob", "", "2")], [("ada", "", "1"), ("bob", "", "2")]),
    ],
)
def test_what_somebody_corrected_stays(
    known: list[tuple[str, str, str]], found: list[tuple[str, str, str]], expected: list[tuple[str, str, str]]
) -> None:
    def of(rows: Rows) -> list[Person]:
        return [Person(key="k", name=name, email=email, person_id=person_id) for name, email, person_id in rows]

    other = Person(key="z", name="zoe", email="", person_id="9")
    assert people.merged([*of(known), other], of(found)) == (
        [*of(expected), other] if known else [other, *of(expected)]
    )
