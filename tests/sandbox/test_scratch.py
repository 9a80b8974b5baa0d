"""A worker's folder goes with it, whatever it has made there."""

import os
import sys

import pytest

from grader.sandbox import scratch

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="modes and links as on Linux")
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


def test_what_is_deep_closed_or_wide_goes(tmp_path):
    folder = tmp_path / "scratch"
    (folder / "closed" / "inner").mkdir(parents=True)
    (folder / "closed" / "inner" / "file").touch()
    nested(folder, DEEP)
    nested(folder / "closed", DEEP)
    for number in range(300):
        (folder / f"f{number}").touch()
    for closed in (folder / "closed" / "inner", folder / "closed", folder):
        closed.chmod(0)
    scratch.remove(str(folder))
    assert list(tmp_path.iterdir()) == []


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
