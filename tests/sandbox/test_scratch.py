"""A worker's folder goes with it, whatever it has made there."""

import os
import subprocess
import sys

import pytest
from tiny_assignment import open_for_workers

from grader.sandbox import scratch

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="modes and links as on Linux")
USER = 54_321
DEEP = 1500  # more than Python's functions and a process's descriptors can follow


def nested(folder, depth):
    """Folders in folders, with a file in the last."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("last", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)


def as_a_user(action, folder):
    """Do it as an ordinary user, whom modes concern."""
    pid = os.fork()
    if pid == 0:
        try:
            if os.geteuid() == 0:
                os.setresuid(USER, USER, USER)
            action(folder)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)


def filled(folder):
    """With folders that are deep, closed, or whose files only their owner may remove, at the top and below."""
    (folder / "closed" / "inner").mkdir(parents=True)
    (folder / "outer" / "closed").mkdir(parents=True)
    (folder / "outer" / "sticky").mkdir(mode=0o1777)
    for place in (folder / "closed" / "inner", folder / "outer" / "sticky", folder):
        for number in range(100):
            (place / f"f{number}").touch()
    nested(folder, DEEP)
    nested(folder / "closed", DEEP)
    for closed in (folder / "outer" / "closed", folder / "closed" / "inner", folder / "closed", folder):
        closed.chmod(0)


def removed(folder):
    scratch.remove(str(folder))


@pytest.mark.parametrize("by_its_owner", [True, False])
def test_what_is_deep_closed_or_wide_goes(tmp_path, by_its_owner):
    yard = open_for_workers(tmp_path) / "yard"
    yard.mkdir()
    yard.chmod(0o777)
    try:
        as_a_user(filled, yard / "scratch")
        assert [path.name for path in yard.iterdir()] == ["scratch"]
        as_a_user(removed, yard / "scratch") if by_its_owner else removed(yard / "scratch")
        assert list(yard.iterdir()) == []
    finally:  # what is too deep for Python would stop the next run of all tests
        subprocess.run(["chmod", "-R", "u+rwx", yard], check=False, capture_output=True)
        subprocess.run(["rm", "-rf", yard], check=False)


def test_what_links_lead_to_stays(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").touch()
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "folder").symlink_to(tmp_path / "outside")
    (tmp_path / "scratch" / "file").symlink_to(tmp_path / "outside" / "file")
    scratch.remove(str(tmp_path / "scratch"))
    assert [path.name for path in tmp_path.rglob("*")] == ["outside", "file"]


def test_nothing_is_removed_where_there_is_no_folder(tmp_path):
    scratch.remove("")
    scratch.remove(str(tmp_path / "gone"))
    assert list(tmp_path.iterdir()) == []


def test_reading_leaves_no_trace_and_files_keep_their_age(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("text")
    os.utime(tmp_path / "folder" / "file", (1, 1_000_000))
    scratch.never_read(str(tmp_path))
    places = [tmp_path, tmp_path / "folder", tmp_path / "folder" / "file"]
    before = [path.stat().st_atime_ns for path in places]
    assert (tmp_path / "folder" / "file").read_text() == "text"
    assert len(list(tmp_path.iterdir())) == len(list((tmp_path / "folder").iterdir())) == 1
    assert [path.stat().st_atime_ns for path in places] == before
    assert places[-1].stat().st_mtime == 1_000_000
