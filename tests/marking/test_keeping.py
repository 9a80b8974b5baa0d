"""Marks on disk: mark by mark, whole at every moment, several writers at once."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
from marking_examples import assignment

from grader.errors import UsageError
from grader.marking.keeping import Keeper
from grader.marking.work import Standing
from grader.model import Mark

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="locks between processes need Linux here")


def mark(key: str, points: str = "1", comment: str = "") -> Mark:
    return Mark(submission=key, item="essay", points=Decimal(points), comment=comment, by="kim")


def test_marks_are_given_changed_and_taken_back(tmp_path):
    keeper = Keeper(tmp_path, assignment(), "kim")
    keeper.keep(mark("ada"))
    keeper.keep(mark("bob", "0.5", "=short"))
    keeper.keep(mark("ada", "0"))
    given = keeper.standing().of("kim").given
    assert given == {("ada", "essay"): mark("ada", "0"), ("bob", "essay"): mark("bob", "0.5", "=short")}
    keeper.take_back(("ada", "essay"))
    assert list(keeper.standing().of("kim").given) == [("bob", "essay")]
    assert [path.name for path in (tmp_path / "marks").iterdir()] == ["kim.csv"], "marks and nothing else are written"


def test_a_line_that_somebody_broke_is_told_and_nothing_is_written_over_it(tmp_path):
    keeper = Keeper(tmp_path, assignment(), "kim")
    keeper.keep(mark("ada"))
    broken = keeper.path.read_text().replace("essay", "esay")
    keeper.path.write_text(broken)
    with pytest.raises(UsageError, match="line 2: unknown item 'esay'; did you mean 'essay'"):
        keeper.keep(mark("bob"))
    assert keeper.path.read_text() == broken


def test_threads_lose_no_mark(tmp_path):
    keeper = Keeper(tmp_path, assignment(), "kim")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(keeper.keep, [mark(f"key-{number}") for number in range(40)]))
    assert len(keeper.standing().of("kim").marks) == 40


WRITER = """
import sys
from decimal import Decimal
from pathlib import Path
from tiny_assignment import tiny
from grader.marking.keeping import Keeper
from grader.model import Mark
keeper = Keeper(Path(sys.argv[1]), tiny()[1], "kim")
for number in range(int(sys.argv[3]), int(sys.argv[4])):
    keeper.keep(Mark(submission=f"{sys.argv[2]}-{number}", item="essay", points=Decimal(1), by="kim"))
    print(number, flush=True)
"""


def writer(folder: Path, name: str, first: int, behind: int) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", WRITER, str(folder), name, str(first), str(behind)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@linux
def test_two_processes_lose_no_mark(tmp_path):
    writers = [writer(tmp_path, name, 0, 30) for name in ("a", "b")]
    assert [process.communicate(timeout=60) and process.returncode for process in writers] == [0, 0]
    assert len(Keeper(tmp_path, assignment(), "kim").standing().of("kim").marks) == 60


@linux
def test_a_kill_loses_nothing_that_was_kept_and_holds_up_nobody(tmp_path):
    process = writer(tmp_path, "a", 0, 100_000)
    assert process.stdout is not None
    for _ in range(20):
        process.stdout.readline()
    time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    told = 20 + len(process.stdout.read().split())
    process.wait()
    process.stdout.close()
    keeper = Keeper(tmp_path, assignment(), "kim")
    kept = len(keeper.standing().of("kim").marks)
    assert kept in (told, told + 1), "the mark that was being written is whole or not there"
    keeper.keep(mark("afterwards"))
    assert len(keeper.standing().of("kim").marks) == kept + 1


@linux
def test_two_who_reserve_at_once_get_different_submissions(tmp_path):
    free = [f"key-{number}" for number in range(8)]

    def choose(standing: Standing) -> frozenset[str]:
        taken = {key for sheet in standing.sheets.values() for key in sheet.reserved}
        left = [key for key in free if key not in taken]
        time.sleep(0.02)
        return frozenset(left[:2])

    keepers = [Keeper(tmp_path, assignment(), name) for name in ("kim", "ada", "lee", "noa")]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda keeper: keeper.reserve(choose), keepers))
    assert sorted(key for keys in found for key in keys) == free


def test_a_disk_that_refuses_is_told_and_earlier_marks_stay(tmp_path, monkeypatch):
    keeper = Keeper(tmp_path, assignment(), "kim")
    keeper.keep(mark("ada"))

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"kim\.csv: the mark was not kept: No space left on device"):
        keeper.keep(mark("bob"))
    assert list(keeper.standing().of("kim").given) == [("ada", "essay")]
    assert [path.name for path in keeper.path.parent.iterdir()] == ["kim.csv"]


@linux
@pytest.mark.parametrize(("folder", "marks", "file"), [(0o700, 0o700, 0o600), (0o770, 0o770, 0o640)])
def test_a_results_folder_of_a_group_has_marks_of_the_group(tmp_path, folder, marks, file):
    tmp_path.chmod(folder)
    keeper = Keeper(tmp_path, assignment(), "kim")
    keeper.keep(mark("ada"))
    found = [path.stat().st_mode & 0o777 for path in (keeper.path.parent, keeper.path)]
    assert found == [marks, file]
