"""A child that reads what strangers wrote: what it may do, and what it costs when it does more."""

import mmap
import os
import signal
import socket
import sys
import time

import pytest

from grader.errors import GraderError

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the Linux back end")


def told(work, **view):
    from grader.sandbox.expendable import View, told_by_a_child

    return told_by_a_child(work, View(**{"reads": (), "seconds": 10.0, **view}))


@pytest.fixture
def places(tmp_path):
    """What may be read, what may be written, and a secret beside them."""
    for name in ("read", "written"):
        (tmp_path / name).mkdir()
    (tmp_path / "read" / "file").write_text("text")
    (tmp_path / "secret").write_text("secret")
    return tmp_path


def test_what_it_says_comes_back_as_it_is(places):
    for said in (b"", b".", b"!", bytes(range(256)) * 5000):
        assert told(lambda said=said: said) == said
    assert told(lambda: (places / "read" / "file").read_bytes(), reads=(places / "read",)) == b"text"


def test_it_writes_where_it_may_and_readable_for_workers(places):
    def work():
        (places / "written" / "folder").mkdir()
        (places / "written" / "folder" / "file").write_text("new")
        return b""

    before = os.umask(0o077)
    try:
        told(work, writes=(places / "written",))
    finally:
        os.umask(before)
    assert (places / "written" / "folder" / "file").read_text() == "new"
    assert (places / "written" / "folder").stat().st_mode & 0o777 == 0o755
    assert (places / "written" / "folder" / "file").stat().st_mode & 0o777 == 0o644


ATTACKS = {
    "reads a secret": lambda places: (places / "secret").read_text(),
    "writes into what it reads": lambda places: (places / "read" / "new").write_text("new"),
    "writes beside": lambda places: (places / "new").write_text("new"),
    "connects": lambda places: socket.socket(),
    "starts a process": lambda places: os.fork(),
    "becomes a program": lambda places: os.execv("/bin/true", ["true"]),
    "kills its parent": lambda places: os.kill(os.getppid(), 0),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_else_can_be_reached(places, name):
    def work():
        try:
            ATTACKS[name](places)
        except PermissionError:
            return b"refused"
        return b"reached"

    assert told(work, reads=(places / "read",), writes=(places / "written",)) == b"refused"


@pytest.mark.parametrize("work", [
    lambda: os._exit(0), lambda: os.abort(), lambda: bytes(1 << 31), lambda: time.sleep(60) or b"late",
    lambda: bytes(65 << 20), lambda: [None] * (1 << 29),
])  # fmt: skip
def test_an_end_without_words_is_silence(work):
    assert told(work, seconds=2.0, memory_mib=512) == b""


def test_a_fault_of_ours_is_no_silence():
    with pytest.raises(GraderError, match=r"ZeroDivisionError"):
        told(lambda: b"%d" % (1 // 0))


@pytest.fixture
def tries():
    """How often work began, counted where a child and this process see it."""
    with mmap.mmap(-1, 1) as shared:
        yield shared


@pytest.mark.parametrize(("kills", "heard"), [(1, b"read"), (2, b"")])
def test_what_somebody_killed_is_tried_once_more_in_an_empty_folder(places, tries, kills, heard):
    """Once is no evidence against what was read; twice is."""

    def work():
        tries[0] += 1
        (places / "written" / "folder").mkdir()
        (places / "written" / "file").write_text("half")
        if tries[0] <= kills:
            os.kill(os.getpid(), signal.SIGKILL)
        return b"read"

    assert told(work, writes=(places / "written",)) == heard
    assert tries[0] == 2


@pytest.mark.parametrize("ends", [lambda: time.sleep(60), os.abort, lambda: [None for _ in iter(int, 1)]])
def test_what_ends_otherwise_is_not_tried_again(tries, ends):
    def work():
        tries[0] += 1
        ends()

    assert told(work, seconds=1.0, memory_mib=64) == b""
    assert tries[0] == 1


def test_children_at_work_at_once_hear_nothing_of_one_another():
    from grader.sandbox.expendable import Child, View

    def heard(reader):
        try:
            return os.read(reader, 10)
        except OSError as error:
            return error.strerror.encode()

    view = View(reads=(), seconds=10.0)
    with Child(lambda: b"first" * 100_000, view) as first, Child(lambda: heard(first._reader), view) as second:
        assert second.told() == b"Bad file descriptor"
        assert first.told() == b"first" * 100_000


def test_a_child_that_nobody_waits_for_ends_with_its_context():
    from grader.sandbox.expendable import Child, View

    started = time.monotonic()
    with Child(lambda: time.sleep(60) or b"", View(reads=(), seconds=60.0)) as child:
        pid = child._pid
    assert time.monotonic() - started < 30
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
