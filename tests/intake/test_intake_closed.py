"""Folders whose rights are odd: they are removed when they are ours, and refuse one submission when they are given."""

import os
import sys
from contextlib import contextmanager

import pytest

from grader.intake.tree import folder_entries, remove

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="rights of folders are another matter there")
USER = 54_321


@pytest.fixture
def folder(tmp_path):
    """A folder of two submissions, one of them with closed folders inside."""
    for name in ("ada/a.py", "bob/deep/deeper/b.py", "bob/c.py"):
        (tmp_path / "class" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "class" / name).write_text("x = 1")
    if os.geteuid() == 0:
        for place in (tmp_path / "class", *(tmp_path / "class").rglob("*")):
            os.chown(place, USER, USER)
        for place in (tmp_path, *tmp_path.parents):
            if place.stat().st_uid == 0 and place != place.parent:
                place.chmod(place.stat().st_mode | 0o011)
        os.chown(tmp_path, USER, USER)
    return tmp_path / "class"


@contextmanager
def ordinary_user():
    """Root may do everything; somebody else may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(USER)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_closed_folder_refuses_the_one_submission_that_it_belongs_to(folder):
    (folder / "bob" / "deep").chmod(0)
    with ordinary_user():
        found = {entry.path: entry.problem for entry in folder_entries(folder, folder / "nowhere")}
    (folder / "bob" / "deep").chmod(0o700)
    assert found == {
        "ada/a.py": "",
        "bob/c.py": "",
        "bob/deep/.": "the folder bob/deep cannot be read: Permission denied",
    }


def test_a_folder_that_cannot_be_listed_says_so(folder):
    folder.chmod(0)
    with ordinary_user(), pytest.raises(PermissionError):
        folder_entries(folder, folder / "nowhere")
    folder.chmod(0o700)


def test_what_is_ours_is_removed_whatever_its_rights(folder):
    for name in ("bob/deep/deeper", "bob/deep", "bob", "."):
        (folder / name).chmod(0)
    with ordinary_user():
        remove(folder)
    assert not folder.exists()


def test_a_link_is_removed_and_not_followed(folder):
    other = folder.parent / "other"
    other.mkdir(mode=0o755)
    (folder / "ada" / "link").symlink_to(other)
    remove(folder)
    assert other.stat().st_mode & 0o777 == 0o755
