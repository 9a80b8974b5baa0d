"""Faults that were once seen, in a folder outside the project: `FAULTS=<folder> python -m pytest tests/test_faults.py`.

Each test looks at one folder of it and at the row that it must give now; the project's own copies of these kinds are
the made inputs of the other tests.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from grader.assignment.assignment import Assignment
from grader.assignment.locate import folders_below
from grader.assignment.manifest import load
from grader.course import marks, people
from grader.errors import UsageError
from grader.intake import Taken, take_all
from grader.model import Refused, Submission

FAULTS = Path(os.environ.get("FAULTS", "")) if os.environ.get("FAULTS") else None
ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(
    FAULTS is None or not FAULTS.is_dir(), reason="FAULTS names no folder of faults; see `make faults`"
)


def course(slug: str) -> Assignment:
    return load(folders_below(ROOT, slug))


@pytest.fixture
def take(tmp_path):
    """Take in paths of a fault's folder."""

    def take_here(slug: str, fault: str, *inside: str, groups: str | None = None) -> Taken:
        assert FAULTS is not None
        folder = next(path for path in FAULTS.iterdir() if path.name.startswith(fault))
        paths = [path for name in inside for path in sorted(folder.glob(name))]
        assert paths, f"nothing of {inside} is in {folder}"
        listed = None if groups is None else folder / groups
        taken = take_all(paths, course(slug), tmp_path / "work", groups=listed)
        assert {fate.path for fate in taken.fates}, "nothing has a fate"
        return taken

    return take_here


def keys(taken: Taken) -> dict[str, Submission | Refused]:
    return {entry.key: entry for entry in taken.found}


def good(taken: Taken) -> dict[str, Submission]:
    return {entry.key: entry for entry in taken.found if isinstance(entry, Submission)}


def bad(taken: Taken) -> dict[str, str]:
    return {entry.key: entry.reason for entry in taken.found if isinstance(entry, Refused)}


def test_01_canvas_groups_are_one_row_each(take) -> None:
    found = good(take("ift6135_a2", "01", "*.zip"))
    assert {key: (len(entry.files), entry.late) for key, entry in found.items()} == {
        "20201": (3, False), "20202": (3, False), "20203": (3, True), "20204": (3, False)
    }  # fmt: skip


def test_02_canvas_names_with_underscores_and_renamed_archives(take) -> None:
    taken = take("ift6135_a2", "02", "*.zip")
    assert set(keys(taken)) == {str(number) for number in range(20101, 20120)}
    assert set(bad(taken)) == {"20111", "20112", "20115"}
    assert {key for key, entry in good(taken).items() if entry.late} == {"20102", "20108"}
    assert len(good(taken)["20110"].files) == 3
    assert len(good(taken)["20104"].files) == 2


def test_03_canvas_writes_late_first_where_nobody_is_named(take) -> None:
    found = good(take("ift6135_a2", "03", "*.zip"))
    assert {key: (len(entry.files), entry.late) for key, entry in found.items()} == {
        "Qw7xy": (3, True), "Zz9kk": (3, False), "aB3dE": (3, False)
    }  # fmt: skip


def test_04_everything_in_a_class_folder_has_a_row(take) -> None:
    taken = take("cs7643_a4", "04", "c2")
    assert set(good(taken)) == {"alice", "anna", "hans", "leo"}
    assert set(bad(taken)) == {"bob", "carol", "erin", "frank", "gina", "ida", "kim", "max"}
    assert all(". " in reason or ";" in reason for reason in bad(taken).values()), "a reason says what to do"


def test_05_blackboard(take) -> None:
    found = good(take("ift6135_a2", "05", "bb"))
    assert {key: len(entry.files) for key, entry in found.items()} == {"asmith": 3, "blee": 3, "jdoe": 3}


def test_11_a_byte_order_mark_before_a_notebook(take) -> None:
    (entry,) = good(take("cs4644_hw3", "11", "bom")).values()
    assert len(entry.files) >= 4
    (single,) = good(take("ece046211_hw3", "11", "*.ipynb")).values()
    assert "notebook" in single.files


def test_12_broken_notebooks_are_left_out_with_a_sentence(take) -> None:
    found = good(take("cs4644_hw3", "12", "*"))
    assert set(found) == {"conflict", "empty", "html_saved", "trunc"}
    for key, words in {"conflict": "merge", "empty": "empty", "html_saved": "web page", "trunc": "broken"}.items():
        assert any(words in look for look in found[key].attention), (key, found[key].attention)


@pytest.mark.parametrize(
    ("name", "path", "said"),
    [
        ("double_ext", None, "does not end in .py"),
        ("latin1_no_cookie", None, "is not UTF-8"),
        ("latin1_alias", "lstm.py", ""),
        ("emacs_unix", "lstm.py", ""),
        ("notebook_for_py", "lstm.ipynb", ""),
    ],
)
def test_14_a_file_that_is_there(name, path, said, take) -> None:
    (entry,) = good(take("ift6135_a2", "14", name)).values()
    assert entry.files.get("lstm") == path
    assert not said or any(said in look for look in entry.attention)


def test_15_16_junk_and_odd_folders(take) -> None:
    (icon,) = good(take("ift6135_a2", "15", "*.zip")).values()
    (backslash,) = good(take("cs7643_a4", "16", "*.zip")).values()
    assert (len(icon.files), len(backslash.files)) == (3, 8)


def test_17_of_two_versions_the_final_one_counts(take) -> None:
    (entry,) = good(take("cs7643_a4", "17", "two_versions")).values()
    assert any("more than one version" in look and "'final' was taken" in look for look in entry.attention)


def test_23_copies_and_pairs_are_one_row(take) -> None:
    taken = take("ece046211_hw3", "23", "b3")
    assert len(taken.found) == 8
    ids = [tuple(sorted(person.person_id for person in entry.people)) for entry in taken.found]
    assert len(set(ids)) == 8
    assert not [key for key in keys(taken) if any(number in key for pair in ids for number in pair)]


def test_25_moodle_default_group(take) -> None:
    taken = take("ift6135_a2", "25", "*.zip")
    assert len(taken.found) == 13
    assert set(bad(taken)) == {"3000107", "3000111"}
    assert "Default-group" in good(taken)


def test_26_sheets_are_read_or_told(tmp_path) -> None:
    assert FAULTS is not None
    folder = next(path for path in FAULTS.iterdir() if path.name.startswith("26"))
    (person,) = people.read(folder / "people.csv")
    assert (person.key, person.name) == ("20101", "maria")
    found = marks.read(folder / "marks.csv", course("cs7643_a4")) if _has_item("cs7643_a4") else ()
    assert not found or "line 2" in marks.strangers(found, ["20101"])[0][1]
    (download,) = FAULTS.glob("02*/*.zip")
    taken = take_all([download], course("ift6135_a2"), tmp_path / "work", groups=folder / "groups.csv")
    pair = [entry for entry in taken.found if {"20101", "20113"} <= {person.person_id for person in entry.people}]
    assert len({entry.owner for entry in pair}) == 1


def _has_item(slug: str) -> bool:
    try:
        course(slug).item("paper.vision")
    except KeyError:
        return False
    return True


def test_a_person_in_two_groups_is_an_error(tmp_path) -> None:
    (tmp_path / "groups.csv").write_text("group,id\na,1\nb,1\n")
    with pytest.raises(UsageError, match="line 2"):
        take_all([tmp_path], course("ift6135_a2"), tmp_path / "work", groups=tmp_path / "groups.csv")
